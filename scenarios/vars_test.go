package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const withVars = `proofload: scenario/v1
name: with-vars
vars: {peak: "${PEAK:-200/s}", length: 30s, wrong: "${NONE}"}
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: "${vars.length}", rate: "${vars.peak}"}
objectives:
  steady: {p99: "${vars.limit}"}
`

func lookupIn(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

func TestVars(t *testing.T) {
	good := strings.NewReplacer(`, wrong: "${NONE}"`, "", "${vars.limit}", "250ms").Replace(withVars)
	for _, tc := range []struct {
		env  map[string]string
		rate float64
	}{
		{nil, 200},
		{map[string]string{"PEAK": "50/s"}, 50},
		{map[string]string{"PEAK": "50/s", "vars.peak": "7/s"}, 7},
	} {
		sc, err := Parse("f.yaml", []byte(good), lookupIn(tc.env))
		if err != nil {
			t.Fatal(err)
		}
		f := sc.Load.Phases[0]
		if f.From != tc.rate || f.For != 30*time.Second {
			t.Errorf("%v: %g/s for %s", tc.env, f.From, f.For)
		}
		if sc.Vars["length"] != "30s" {
			t.Errorf("vars = %v", sc.Vars)
		}
	}
}

// TestNoVariableSteersATerminal checks that what a caller or the environment
// gives is held to what a file may say.
func TestNoVariableSteersATerminal(t *testing.T) {
	src := []byte(strings.NewReplacer(`, wrong: "${NONE}"`, ", title: plain", "${vars.limit}", "${LIMIT}").Replace(withVars))
	for _, tc := range []struct{ name, value, place string }{
		{"vars.title", "\x1b[31m", "f.yaml:3:45: "},
		{"LIMIT", "1s\r", "f.yaml:10:17: "},
		{"PEAK", "\u009b31m", "f.yaml:3:14: "},
	} {
		env := map[string]string{"LIMIT": "1s"}
		env[tc.name] = tc.value
		_, err := Parse("f.yaml", src, lookupIn(env))
		if err == nil || !strings.HasPrefix(err.Error(), tc.place+"this stands for the control character U+00") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestVarsThatAreWrong(t *testing.T) {
	_, err := Parse("f.yaml", []byte(withVars), lookupIn(map[string]string{"vars.limit": "1s"}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"f.yaml:3:52: NONE is not set", `f.yaml:10:17: there is no variable "limit"`, "2 problems"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func full(t *testing.T) *Scenario {
	t.Helper()
	sc, err := Parse("full.yaml", read(t, "testdata/full.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func TestOnceIsShortAndWhole(t *testing.T) {
	before, sc := full(t), full(t)
	sc.Once()
	var total time.Duration
	lengths := map[string]time.Duration{}
	for _, f := range sc.Load.Phases {
		total += f.For
		lengths[f.Name] = f.For
		if f.From > rehearsalRate || f.To > rehearsalRate || f.Users.To > 1 {
			t.Errorf("%s: %g -> %g per second, %d users", f.Name, f.From, f.To, f.Users.To)
		}
	}
	if total > 40*time.Second {
		t.Errorf("it takes %s", total)
	}
	if len(sc.Timeline) != len(before.Timeline) || len(sc.Load.Phases) != len(before.Load.Phases) {
		t.Error("something was left out")
	}
	last := map[string]time.Duration{}
	for _, e := range sc.Timeline {
		if e.Offset < last[e.Phase] || e.Offset >= lengths[e.Phase] {
			t.Errorf("%s at %s + %s", e.As, e.Phase, e.Offset)
		}
		last[e.Phase] = e.Offset
	}
	for _, o := range sc.Objectives {
		if o.Metric != "errors" {
			t.Errorf("%s of %s is judged", o.Metric, o.Subject)
		}
	}
	if sc.Repeat.Times != 1 || len(sc.Verify) != len(before.Verify) {
		t.Error("it is repeated, or checks were left out")
	}
}

// TestOnceDoesWhatHappensAgainOnce cuts down a fault that would outlast the
// rehearsal by its repetitions alone.
func TestOnceDoesWhatHappensAgainOnce(t *testing.T) {
	sc, err := Parse("again.yaml", []byte(`proofload: scenario/v1
name: again
target: stack/ledger
load:
  workload: ledger/mixed
  phases: [{name: steady, for: 10m, rate: 200/s}]
timeline:
  - {at: steady + 5s, pause: redis, for: 5s, repeat: {times: 9, every: 1m}}
verify: [acknowledged-writes]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	sc.Once()
	if got := sc.Timeline[0].Again; got != (Again{}) {
		t.Errorf("in a rehearsal it happens again: %+v", got)
	}
}

func TestOnceAlwaysAsksSomething(t *testing.T) {
	const head = `proofload: scenario/v1
name: few
target: stack/ledger
load:
  workload: ledger/mixed
  phases: [{name: steady, for: 1m, rate: 200/s}]
`
	for _, tt := range []struct{ src, verify, objective string }{
		{"timeline: [{at: steady + 5s, kill: redis, as: lost}]\nobjectives: {lost: {rto: 20s}}\n", "faults-proven", ""},
		{"objectives: {steady: {p99: 1s}}\n", "", "steady errors 50%"},
		{"objectives: {steady/pay: {p99: 1s}}\n", "", "steady/pay errors 50%"},
		{"objectives: {steady: {p99: 1s, errors: 1%}}\n", "", "steady errors 1%"},
		{"objectives: {steady: {p99: 1s}}\nverify: [balances]\n", "balances", ""},
		{"timeline: [{at: steady + 5s, kill: redis, for: 5s}]\nverify: [instances-recover, balances, goodput-returns, orphaned-work]\n", "balances", ""},
		{"timeline: [{at: steady + 5s, kill: redis, for: 5s}]\nverify: [instances-recover]\n", "faults-proven", ""},
		{"timeline: [{at: steady + 5s, kill: redis, for: 5s}]\nverify: [monotonic-reads, linearizable, fresh-reads]\n", "fresh-reads", ""},
	} {
		sc, err := Parse("few.yaml", []byte(head+tt.src), nil)
		if err != nil {
			t.Fatal(err)
		}
		sc.Once()
		var checks, limits []string
		for _, v := range sc.Verify {
			checks = append(checks, v.Check)
		}
		for _, o := range sc.Objectives {
			limits = append(limits, o.Subject+" "+o.Metric+" "+o.Text)
		}
		verify, objective := strings.Join(checks, ", "), strings.Join(limits, ", ")
		if verify != tt.verify || objective != tt.objective {
			t.Errorf("%s: it asks for %q and %q, want %q and %q", tt.src, verify, objective, tt.verify, tt.objective)
		}
	}
}

func TestOnly(t *testing.T) {
	sc := full(t)
	entry := sc.Timeline[0]
	if err := sc.Only([]string{entry.As}); err != nil {
		t.Fatal(err)
	}
	if len(sc.Timeline) != 1 || len(sc.Load.Phases) != 1 || sc.Load.Phases[0].Name != entry.Phase {
		t.Errorf("kept %d entries and phases %v", len(sc.Timeline), sc.Load.Phases)
	}
	for _, o := range sc.Objectives {
		subject, _, _ := strings.Cut(o.Subject, "/")
		if subject != entry.As && subject != entry.Phase {
			t.Errorf("an objective of %s is left", o.Subject)
		}
	}
	err := full(t).Only([]string{"stedy"})
	if diff := cmp.Diff(`full has no phase and no entry "stedy": did you mean "steady"?`, strings.Replace(err.Error(), full(t).Name, "full", 1)); diff != "" {
		t.Error(diff)
	}
}
