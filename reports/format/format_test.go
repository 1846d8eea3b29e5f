package format_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
	"github.com/proofload/proofload/reports/reportstest"
)

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		ms   float64
		want string
	}{
		{0, "0 s"},
		{0.06, "60.0 µs"},
		{0.9994, "999 µs"},
		{0.9996, "1.00 ms"},
		{1, "1.00 ms"},
		{4.25, "4.25 ms"},
		{118.4, "118 ms"},
		{999.4, "999 ms"},
		{999.6, "1.00 s"},
		{1000, "1.00 s"},
		{9996, "10.0 s"},
		{41_200, "41.2 s"},
		{119_600, "120 s"},
		{120_000, "2m00s"},
		{1_300_499, "21m40s"},
		{3_599_600, "1h00m"},
		{14_400_000, "4h00m"},
		{-11_200, "-11.2 s"},
	} {
		if got := format.Duration(c.ms); got != c.want {
			t.Errorf("Duration(%v) = %q, want %q", c.ms, got, c.want)
		}
	}
}

func TestLimit(t *testing.T) {
	for _, c := range []struct {
		unit string
		v    float64
		want string
	}{
		{format.Milliseconds, 250, "250 ms"},
		{format.Milliseconds, 0.5, "500 µs"},
		{format.Milliseconds, 1500, "1.5 s"},
		{format.Milliseconds, 20_000, "20 s"},
		{format.Milliseconds, 90_000, "90 s"},
		{format.Milliseconds, 300_000, "5m"},
		{format.Milliseconds, 14_400_000, "4h"},
		{format.Milliseconds, 0, "0 s"},
		{format.Percentage, 0.1, "0.1 %"},
		{format.Percentage, 99.95, "99.95 %"},
		{format.Percentage, 100, "100 %"},
		{format.Number, 0, "0"},
		{format.Number, 1000, "1,000"},
	} {
		if got := format.Limit(c.unit, c.v); got != c.want {
			t.Errorf("Limit(%s, %v) = %q, want %q", c.unit, c.v, got, c.want)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		p    float64
		want string
	}{
		{0, "0 %"},
		{0.0667, "0.0667 %"},
		{9.456, "9.46 %"},
		{96.1, "96.1 %"},
		{99.96, "99.96 %"},
		{99.9996, "99.9996 %"},
		{100, "100 %"},
	} {
		if got := format.Percent(c.p); got != c.want {
			t.Errorf("Percent(%v) = %q, want %q", c.p, got, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 48_210: "48,210", 1_234_567: "1,234,567", -1000: "-1,000", -999: "-999",
	} {
		if got := format.Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	for ms, want := range map[float64]string{0: "0:00", 999: "0:00", 88_900: "1:28", 3_723_000: "1:02:03", -1500: "-0:02"} {
		if got := format.Clock(ms); got != want {
			t.Errorf("Clock(%v) = %q, want %q", ms, got, want)
		}
	}
}

// A value that is over its limit by a little must not look like the limit.
func TestValueBeside(t *testing.T) {
	for _, c := range []struct {
		v, limit float64
		want     string
	}{
		{20_040, 20_000, "20.04 s"},
		{20_000, 20_000, "20.0 s"},
		{19_999, 20_000, "19.999 s"},
		{41_200, 20_000, "41.2 s"},
		{250.3, 250, "250.3 ms"},
	} {
		if got := format.ValueBeside(format.Milliseconds, c.v, c.limit); got != c.want {
			t.Errorf("ValueBeside(%v, %v) = %q, want %q", c.v, c.limit, got, c.want)
		}
	}
}

func TestSentence(t *testing.T) {
	o := check.ObjectiveResult{
		Subject: "primary-lost", Metric: "rto", Unit: format.Milliseconds, Op: "<=", Limit: 20_000,
		Value: 41_200, Margin: -21_200, Samples: []float64{41_200}, Outcome: check.Fail,
	}
	for _, c := range []struct {
		name   string
		change func(o *check.ObjectiveResult)
		want   string
	}{
		{"missed", func(*check.ObjectiveResult) {}, "primary-lost rto 41.2 s is 21.2 s over 20 s"},
		{"censored", func(o *check.ObjectiveResult) { o.Censored = true }, "primary-lost rto is more than 41.2 s, the end of the observation, and the limit is 20 s"},
		{"below a lower limit", func(o *check.ObjectiveResult) {
			o.Metric, o.Unit, o.Op, o.Limit, o.Value, o.Margin = "rate", format.Percentage, ">=", 99, 96.1, -2.9
		}, "primary-lost rate 96.1 % is 2.90 % under 99 %"},
		{"over nothing", func(o *check.ObjectiveResult) {
			o.Metric, o.Unit, o.Limit, o.Value, o.Margin = "lost_writes", format.Number, 0, 395, -395
		}, "primary-lost lost_writes is 395, and the limit is 0"},
		{"met", func(o *check.ObjectiveResult) { o.Outcome, o.Value = check.Pass, 12_400 }, "primary-lost rto 12.4 s is within 20 s"},
		{"not measured", func(o *check.ObjectiveResult) {
			o.Outcome, o.Samples, o.Reason = check.Inconclusive, nil, "no write was acknowledged"
		}, "primary-lost rto is unclear: no write was acknowledged"},
		{"measured, not settled", func(o *check.ObjectiveResult) { o.Outcome = check.Inconclusive }, "primary-lost rto 41.2 s is unclear: the run does not settle it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := o
			c.change(&changed)
			if got := format.Sentence(changed); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnatomy(t *testing.T) {
	r := reportstest.FiveDrills()
	want := "lost +0  noticed +9.1  promoted +11.0  rerouted +38.7  first ok +39.0  steady +41.2 s, 42 s below target"
	if got := format.Anatomy(r, r.Recoveries[3]); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, c := range []struct {
		name string
		rec  check.Recovery
		want string
	}{
		{"not seen", check.Recovery{Noticed: -1, Promoted: -1, Rerouted: -1, FirstOK: 240, Steady: 310}, "injected +0  first ok +240  steady +310 ms"},
		{"censored", check.Recovery{Noticed: 9100, Promoted: -1, Rerouted: -1, FirstOK: -1, Steady: 78_000, Censored: true}, "injected +0  noticed +9.1  still not steady +78.0 s"},
		{"in the order seen", check.Recovery{Noticed: 3000, Promoted: 2000, Rerouted: -1, FirstOK: -1, Steady: 4000}, "injected +0  promoted +2.0  noticed +3.0  steady +4.0 s"},
		{"steady before the first write", check.Recovery{Noticed: -1, Promoted: 346, Rerouted: 346, FirstOK: 920, Steady: 301}, "injected +0  steady +301  promoted +346  rerouted +346  first ok +920 ms"},
		{"never steady", check.Recovery{Noticed: 3000, Promoted: -1, Rerouted: -1, FirstOK: -1, Steady: -1}, "injected +0  noticed +3.0 s"},
		{"unsteady", check.Recovery{Noticed: -1, Promoted: -1, Rerouted: -1, FirstOK: -1, Steady: 9000, BadSeconds: 8, Flaps: 1}, "injected +0  steady +9.0 s, 8 s below target, back below it once after a good second"},
		{"unsteady again", check.Recovery{Noticed: -1, Promoted: -1, Rerouted: -1, FirstOK: -1, Steady: 9000, Flaps: 2}, "injected +0  steady +9.0 s, back below it 2 times after a good second"},
	} {
		if got := format.Anatomy(&reports.Result{}, c.rec); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFindings(t *testing.T) {
	r := reportstest.LostWrites()
	r.Reasons = append(r.Reasons, "the old primary never rejoined", r.Sentence)
	var got []string
	for _, f := range format.Findings(r) {
		got = append(got, format.Place(r, f)+"|"+f.Text)
	}
	want := []string{
		"scenarios/primary-failover.yaml:28:35|primary-lost rpo is 2.12 s, and the limit is 0 s",
		"scenarios/primary-failover.yaml:28:52|primary-lost lost_writes is 395, and the limit is 0",
		"|acknowledged-writes: 395 of 29,811 acknowledged writes are gone, all acknowledged before T0",
		"|the old primary never rejoined",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"the old primary never rejoined"}, format.LooseReasons(r)); diff != "" {
		t.Errorf("loose (-want +got):\n%s", diff)
	}
}

func TestFindingsOfAPass(t *testing.T) {
	if got := format.Findings(reportstest.Pass()); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestWrites(t *testing.T) {
	for _, c := range []struct {
		w    check.Writes
		want string
	}{
		{check.Writes{}, ""},
		{check.Writes{Attempted: 9, Acknowledged: 9, Found: 9}, "9 acknowledged, 9 found, 0 lost, 0 duplicated"},
		{check.Writes{Attempted: 12, Acknowledged: 9, Found: 8, Lost: 1, Indeterminate: 3, Recovered: 2, Unexpected: 1}, "9 acknowledged, 8 found, 1 lost, 0 duplicated, 3 indeterminate, 2 of them present, 1 unexpected"},
		{check.Writes{Attempted: 12, Acknowledged: 9, Indeterminate: 3}, "9 acknowledged, not looked up afterwards, 3 indeterminate"},
	} {
		if got := format.Writes(c.w); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestFaultsLeft(t *testing.T) {
	r := &reports.Result{Run: "7f3c"}
	r.Faults = []check.FaultWindow{{Verb: "lose", Target: "postgres.primary"}, {Verb: "stall", Target: "link:replication", Open: true}}
	if diff := cmp.Diff([]string{"stall link:replication: proofload heal"}, format.FaultsLeft(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.FaultsLeft = []string{"said by the run"}
	if diff := cmp.Diff(r.FaultsLeft, format.FaultsLeft(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReady(t *testing.T) {
	for _, c := range []struct {
		ready, images float64
		want          string
	}{{0, 0, ""}, {11_900, 0, "11.9 s"}, {91_900, 80_000, "11.9 s"}} {
		if got := format.Ready(&reports.Result{ReadyMS: c.ready, ImagesMS: c.images}); got != c.want {
			t.Errorf("ready after %v ms, images %v ms: got %q, want %q", c.ready, c.images, got, c.want)
		}
	}
}

func TestReproduce(t *testing.T) {
	r := &reports.Result{Scenario: reports.Source{File: "my scenarios/it's.yaml"}, Target: "stack/ledger", Seed: 7}
	r.Options, r.Drills = map[string]string{"replication": "async", "a": "b c"}, 3
	want := `proofload run 'my scenarios/it'\''s.yaml' --target stack/ledger --option 'a=b c' --option replication=async --repeat 3 --seed 7`
	if got := format.Reproduce(r); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r.Scenario.File, r.Options, r.Drills = "library:primary-failover", nil, 0
	if got, want := format.Reproduce(r), "proofload run primary-failover --target stack/ledger --seed 7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNoLoad(t *testing.T) {
	idle := reportstest.Pass()
	idle.Generator = check.Generator{}
	for name, c := range map[string]struct {
		r    *reports.Result
		said bool
	}{
		"with load": {reportstest.Pass(), false}, "without": {idle, true},
		"without a verdict": {&reports.Result{Verdict: format.VerdictError, Problem: "no Docker engine answers"}, false},
	} {
		if got := format.NoLoad(c.r); (got != "") != c.said {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
