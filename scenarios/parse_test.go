package scenarios

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestLint has a file for each rule of the language. Its golden file is what a
// user sees.
func TestLint(t *testing.T) {
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			src := read(t, file)
			sc, err := Parse(filepath.Base(file), src, nil)
			if err == nil && len(sc.Warnings) == 0 {
				t.Fatal("no problem found")
			}
			if err == nil {
				err = &Problems{File: sc.File, Source: src, List: sc.Warnings}
			}
			mended(t, err)
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

// mended checks that each problem says where it is and how to mend it.
func mended(t *testing.T, err error) {
	t.Helper()
	problems, ok := errors.AsType[*Problems](err)
	if !ok {
		t.Fatalf("error is %T, want *Problems", err)
	}
	for _, q := range problems.List {
		if q.Hint == "" || q.Pos.Line < 1 || q.Pos.Col < 1 {
			t.Errorf("%d:%d: %s: no place, or not how to mend it", q.Pos.Line, q.Pos.Col, q.Msg)
		}
	}
}

func TestThreeMistakesAreReportedAtOnce(t *testing.T) {
	_, err := Parse("drill.yaml", read(t, "testdata/lint/three-mistakes.yaml"), nil)
	const want = `drill.yaml:9:29: "90 sec" is not a duration
  9 |     - {name: failover, for: 90 sec, rate: 200/s}
    |                             ^^^^^^
    = write a number and a unit, for example 250ms, 30s or 1m30s
drill.yaml:12:5: unknown key "kil"
  12 |     kil: postgres.primary
     |     ^^^
     = did you mean "kill"?
drill.yaml:17:31: no check "no-duplicate"
  17 | verify: [acknowledged-writes, no-duplicate]
     |                               ^^^^^^^^^^^^
     = did you mean "no-duplicates"?
3 problems`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	problems, ok := errors.AsType[*Problems](err)
	if !ok || len(problems.List) != 3 {
		t.Errorf("error is %T, want *Problems with 3", err)
	}
}

func TestParse(t *testing.T) {
	vars := map[string]string{"TIMES": "3", "EMPTY": ""}
	got, err := Parse("full.yaml", read(t, "testdata/full.yaml"), func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &Scenario{
		File: "full.yaml", Source: got.Source,
		Name: "full", About: "Everything the language has: \"quoted\", ${literal}.", Owner: "payments",
		Tags: []string{"drill", "7"}, Target: "stack/ledger", TargetPos: Pos{7, 9}, TargetWidth: 12,
		Options: map[string]string{"replication": "async", "ttl": "20"}, Seed: 7, SeedPos: Pos{9, 7}, OptionsPos: Pos{8, 10},
		OptionSpots: map[string]Spot{
			"replication": {Pos{8, 11}, Pos{8, 24}, 11, 5},
			"ttl":         {Pos{8, 31}, Pos{8, 36}, 3, 2},
		},
		Load: Load{
			Workload: "ledger/mixed", WorkloadPos: Pos{11, 13}, Arrivals: "even", MaxInFlight: 500, SendLag: 100 * time.Millisecond,
			Phases: []Phase{
				{Name: "warmup", For: 20 * time.Second, From: 20, To: 200, Pos: Pos{16, 7}},
				{Name: "steady", For: 90 * time.Second, From: 10, To: 10, Score: true, Pos: Pos{17, 7}},
				{Name: "idle", For: 1500 * time.Millisecond, Score: true, Pos: Pos{18, 7}},
			},
		},
		Timeline: []Event{
			{
				Phase: "steady", Verb: "note", Target: "Watch.", As: "note-1",
				Pos: Pos{20, 5}, VerbPos: Pos{20, 18}, TargetPos: Pos{20, 24},
			},
			{
				Phase: "steady", Offset: 5 * time.Second, Verb: "stall", Target: "link:replication", For: 30 * time.Second, As: "stall-1",
				Pos: Pos{21, 5}, VerbPos: Pos{22, 5}, TargetPos: Pos{22, 12},
			},
			{
				Phase: "steady", Offset: 6 * time.Second, Verb: "lose", Target: "postgres.primary", As: "stall-2", Named: true,
				Pos: Pos{24, 5}, VerbPos: Pos{25, 5}, TargetPos: Pos{25, 11},
			},
			{
				Phase: "steady", Offset: 7 * time.Second, Verb: "stall", Target: "link:api-1->redis", As: "stall-3",
				Pos: Pos{27, 5}, VerbPos: Pos{27, 23}, TargetPos: Pos{27, 30},
				With: map[string]string{"direction": "up", "connections": "50%"}, WithPos: Pos{27, 55},
				WithSpots: map[string]Spot{
					"direction":   {Pos{27, 56}, Pos{27, 67}, 9, 2},
					"connections": {Pos{27, 71}, Pos{27, 84}, 11, 3},
				},
			},
			{
				Phase: "steady", Offset: time.Minute, Verb: "heal", Target: "stall-3", As: "heal-1",
				Pos: Pos{28, 5}, VerbPos: Pos{28, 24}, TargetPos: Pos{28, 30},
			},
		},
		Objectives: []Objective{
			{Subject: "steady", Metric: "p99.9", Op: "<=", Limit: 250, Text: "250ms", Pos: Pos{31, 19}, SubjectPos: Pos{31, 3}},
			{Subject: "steady", Metric: "errors", Op: "<=", Limit: 0.1, Text: "0.1%", Pos: Pos{31, 34}, SubjectPos: Pos{31, 3}},
			{Subject: "steady", Metric: "rate", Op: ">=", Limit: 99, Text: ">= 99%", Pos: Pos{31, 46}, SubjectPos: Pos{31, 3}},
			{Subject: "steady/create", Metric: "max", Op: "<=", Limit: 1500, Text: "1.5s", Pos: Pos{32, 24}, SubjectPos: Pos{32, 3}},
			{Subject: "stall-2", Metric: "rto", Op: "<=", Limit: 20000, Text: "20s", Pos: Pos{33, 18}, SubjectPos: Pos{33, 3}},
			{Subject: "stall-2", Metric: "rpo", Op: "<=", Limit: 0, Text: "0s", Pos: Pos{33, 28}, SubjectPos: Pos{33, 3}},
			{Subject: "stall-2", Metric: "lost_writes", Op: "<=", Limit: 0, Text: "0", Pos: Pos{33, 45}, SubjectPos: Pos{33, 3}},
		},
		Verify:    []Verify{{"balances", Pos{35, 10}}, {"jobs-done", Pos{35, 20}}},
		Bounds:    Bounds{Stale: 2 * time.Second, Answer: 4 * time.Second, Return: 20 * time.Second, Amplification: 4},
		Recovered: Recovered{Window: 10 * time.Second, Good: 0.995, Rate: 0.8, Within: 500 * time.Millisecond},
		Repeat:    Repeat{Times: 3, Jitter: 10 * time.Second},
		RepeatPos: Pos{38, 17},
		Abort:     &Abort{Errors: 25, For: 90 * time.Second},
		Compare:   &Compare{To: "baseline/main", WorseBy: map[string]float64{"p50": 10, "p99": 20, "errors": 0.05}, Pos: Pos{40, 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResolve(t *testing.T) {
	vars := map[string]string{"A": "x", "EMPTY": ""}
	lookup := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	for _, tc := range []struct{ text, want, wrong string }{
		{"plain", "plain", ""},
		{"${A}/${A}", "x/x", ""},
		{"${EMPTY}", "", ""},
		{"${EMPTY:-d}", "d", ""},
		{"${NONE:-d}${NONE:-}", "d", ""},
		{"${A:?m}", "x", ""},
		{"$${A} $A $", "${A} $A $", ""},
		{"${NONE}", "", "NONE is not set"},
		{"${EMPTY:?say why}", "", "EMPTY is not set: say why"},
		{"${secret:T}", "", "the secret T cannot be used here"},
		{"${A", "", "this ${ is not closed"},
		{"${a.b}", "", "${a.b} is not a variable"},
		{"${}", "", "${} is not a variable"},
	} {
		got, wrong := resolve(tc.text, lookup, false)
		msg := ""
		if wrong != nil {
			msg = wrong.msg
		}
		if got != tc.want || msg != tc.wrong {
			t.Errorf("resolve(%q) = %q, %q; want %q, %q", tc.text, got, msg, tc.want, tc.wrong)
		}
	}
}

// TestAVariableIsNoSyntax checks that the value of a variable is only ever a
// value: it cannot add keys to the file.
func TestAVariableIsNoSyntax(t *testing.T) {
	src := strings.Replace(string(read(t, "testdata/lint/low-rate.yaml")), "name: drill", "name: drill\nabout: ${X}", 1)
	sc, err := Parse("x.yaml", []byte(src), func(string) (string, bool) { return "a: b\nseed: 5", true })
	if err != nil {
		t.Fatal(err)
	}
	if sc.About != "a: b\nseed: 5" || sc.Seed != 0 {
		t.Errorf("about %q, seed %d", sc.About, sc.Seed)
	}
}

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		metric, text, op string
		limit            float64
		wrong            bool
	}{
		{"p99", "250ms", "<=", 250, false},
		{"p99", "<= 1m30s", "<=", 90_000, false},
		{"p99", "<=2h", "<=", 7_200_000, false},
		{"p99", ">= 5ms", "", 0, true},
		{"p99", "250", "", 0, true},
		{"p99", "1us", "", 0, true},
		{"rto", "0s", "<=", 0, false},
		{"rto", "-1s", "", 0, true},
		{"rto", "99999999999h", "", 0, true},
		{"errors", "0.05%", "<=", 0.05, false},
		{"errors", "0.05", "", 0, true},
		{"errors", "101%", "", 0, true},
		{"rate", "99%", ">=", 99, false},
		{"rate", ">= 99.5%", ">=", 99.5, false},
		{"rate", "<= 99%", "", 0, true},
		{"lost_writes", "0", "<=", 0, false},
		{"lost_writes", "1e3", "", 0, true},
		{"duplicates", "99999999999999999999", "", 0, true},
	} {
		op, limit, wrong := metricOf(t, tc.metric).limit(tc.text)
		if (wrong != nil) != tc.wrong || !tc.wrong && (op != tc.op || limit != tc.limit) {
			t.Errorf("%s: %s = %q %v, %v; want %q %v, wrong %v", tc.metric, tc.text, op, limit, wrong, tc.op, tc.limit, tc.wrong)
		}
	}
}

func metricOf(t *testing.T, name string) metric {
	t.Helper()
	for _, m := range metrics() {
		if m.name == name {
			return m
		}
	}
	t.Fatalf("no metric %q", name)
	return metric{}
}

func TestClosest(t *testing.T) {
	known := []string{"kill", "stall", "lose", "acknowledged-writes"}
	for word, want := range map[string]string{
		"kil": "kill", "los": "lose", "acknowledge-write": "acknowledged-writes", "explode": "", "": "",
	} {
		if got := Closest(word, known); got != want {
			t.Errorf("Closest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestProblemsAreSafeToPrint(t *testing.T) {
	p := &Problems{File: "x", Source: []byte("a\x1b[31m\tb\r\n")}
	p.Add(Pos{1, 7}, 99, "wrong", "")
	p.Add(Pos{9, 1}, 1, "past\x1b the end", "")
	p.Warn(Pos{1, 99}, 0, "odd", "")
	const want = "x:1:7: wrong\n  1 | a?[31m\tb\n    |       ^^\n" +
		"x:1:99: warning: odd\n  1 | a?[31m\tb\n    |       \t ^\nx:9:1: past? the end\n2 problems, 1 warning"
	if diff := cmp.Diff(want, p.Err().Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSyntax is for what a file of test data cannot hold well.
func TestSyntax(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"latin-1", "name: x\nabout: caf\xe9\n", "f:2:11: this byte is not UTF-8"},
		{"UTF-16", "\xff\xfea\x00", "f:1:1: this byte is not UTF-8"},
		{"escape", "name: x\x1b[31m\n", "f:1:8: control character U+001B"},
		{"no bytes", "", "f:1:1: the file is empty"},
		{"too large", strings.Repeat("#", maxSource+1), "f:1:1: the file has 1048577 bytes, at most 1048576 are read"},
		{"characters are counted", "é: ü: b\n", "f:1:5: a key cannot be here"},
		{"carriage returns", "proofload: scenario/v1\r\nabout: a: b\r\n", `f:2:9: text that holds ": " must be quoted`},
		{"quotes hide a variable", "a: {b: '${X}', c: \"${X}\", d: x${Y}}\n", "f:1:31: ${Y} must be quoted inside {} and []"},
		{"component", "a: {at: x + 1s, kill: app[1], pause: app[2]}\n", "f:1:23: app[1] must be quoted inside {} and []"},
		{"component in quotes", "a: {kill: 'app[1]', pause: postgres.replica[*]}\n", "f:1:28: postgres.replica[*] must be quoted inside {} and []"},
		{"variable on another line", "a: {b: 1,\n  c: ${Y}}\n", "f:2:6: ${Y} must be quoted inside {} and []"},
		{"unknown anchor", "a: *b\n", "f:1:4: unknown anchor 'b' referenced"},
		{"percent", "a: %b\n", "f:1:4: '%' cannot start a value"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tc.src), nil)
			if err == nil {
				t.Fatal("no error")
			}
			if got, _, _ := strings.Cut(err.Error(), "\n"); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 90 * time.Second: "1m30s", 2 * time.Minute: "2m", 4 * time.Hour: "4h",
		2*time.Hour + 5*time.Second: "2h0m5s", 250 * time.Millisecond: "250ms", 10 * time.Minute: "10m",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestConnections(t *testing.T) {
	for _, policy := range []string{"reuse", "new", "1 per host", "64 per host"} {
		src := []byte("proofload: scenario/v1\nname: drill\ntarget: t\nload:\n  workload: w\n  connections: " + policy +
			"\n  phases:\n    - {name: p, for: 1m, rate: 1/s}\nverify: [balances]\n")
		sc, err := Parse("f.yaml", src, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, src); err != nil || sc.Load.Client.Connections != policy {
			t.Errorf("%s: read as %q, schema says %v", policy, sc.Load.Client.Connections, err)
		}
	}
}

func TestProfiles(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	tests := []struct {
		load string
		want Phase
	}{
		{"rate: 600/m", Phase{From: 10, To: 10}},
		{"rate: 0/s", Phase{}},
		{"rate: 20/s->200/s", Phase{From: 20, To: 200}},
		{"rate: 100/s -> 500/s in 5 steps", Phase{Profile: Step, From: 100, To: 500, Steps: 5}},
		{"rate: 200/s spike 2000/s at 20s for 5s", Phase{Profile: Spike, From: 200, To: 2000, SpikeAt: 20 * s, SpikeFor: 5 * s}},
		{"rate: 100/s <-> 300/s every 30s", Phase{Profile: Sine, From: 100, To: 300, Period: 30 * s}},
		{"replay: ./arrivals.txt", Phase{Profile: Replay, Replay: "./arrivals.txt"}},
		{"users: 50", Phase{Profile: Closed, Users: Users{From: 50, To: 50}}},
		{"users: 10 -> 50, think: 1s", Phase{Profile: Closed, Users: Users{10, 50, s, s}}},
		{"think: 500ms to 2s, users: 5", Phase{Profile: Closed, Users: Users{5, 5, 500 * ms, 2 * s}}},
	}
	for _, tt := range tests {
		t.Run(tt.load, func(t *testing.T) {
			src := []byte("proofload: scenario/v1\nname: drill\ntarget: t\nload:\n  workload: w\n  phases:\n    - {name: p, for: 1m, " + tt.load + "}\nverify: [balances]\n")
			sc, err := Parse("f.yaml", src, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, src); err != nil {
				t.Errorf("the schema refuses it: %v", err)
			}
			want := tt.want
			want.Name, want.For, want.Score, want.Pos = "p", time.Minute, true, Pos{7, 7}
			if want.Replay != "" {
				want.ReplayPos = Pos{7, 34}
			}
			if diff := cmp.Diff([]Phase{want}, sc.Load.Phases); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
