package check

import (
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports/history"
)

// load makes n operations of one op in phase "only", a millisecond apart, the
// i-th of which takes i ms; the first of them fail at once.
func load(n, failures int) []history.Event {
	events := join(drillNo(0, 1))
	for i := range n {
		sched := time.Duration(i) * time.Millisecond
		e := history.Event{By: history.ByLoad, Kind: history.OK, Op: "get", Phase: "only", Sched: sched, Sent: sched, At: sched + time.Duration(i+1)*time.Millisecond}
		if i < failures {
			e.Kind, e.Class, e.At = history.Fail, "dial", sched
		}
		events = append(events, e)
	}
	return join(events, run(100, history.RunLoadEnd), run(101, history.RunDrillEnd))
}

func onlyPhase(n int, objectives ...Objective) Spec {
	rate := float64(n)
	return Spec{Phases: []Phase{{Name: "only", For: time.Second, From: rate, To: rate, Score: true}}, Objectives: objectives}
}

func TestPhaseObjectives(t *testing.T) {
	tests := []struct {
		metric, op string
		limit      float64
		failures   int
		value      float64
		outcome    Outcome
		says       string
	}{
		{"p50", "<=", 500.5, 0, 500, Pass, "1,000 operations"},
		{"p90", "<=", 901, 0, 900, Pass, ""},
		{"p95", "<=", 940, 0, 950, Fail, "p95 of only was 950 ms (limit 940 ms)"},
		{"p99", "<=", 991, 0, 990, Pass, ""},
		{"p99.9", "<=", 1000, 0, 999, Pass, ""},
		{"max", "<=", 1000, 0, 1000, Pass, ""},
		{"max", "<=", 999, 0, 1000, Fail, "max of only was 1 s (limit 999 ms)"},
		{"p99", "<=", 996, 5, 995, Pass, "995 operations, and 5 failed, which count as slower"},
		{"p99", "<=", 994, 5, 995, Fail, "p99 of only was 995"},
		{"p99", "<=", 1001, 10, 1000, Pass, "990 operations, and 10 failed, which count as slower"},
		{"p99", "<=", 995, 20, 1000, Fail, "p99 of only is a failed operation: 2 % of 1,000 operations failed, which no latency makes up for"},
		{"p99", "<=", 995, 1000, 0, Fail, "p99 of only is a failed operation: 100 % of 1,000 operations failed"},
		{"errors", "<=", 0.1, 1, 0.1, Pass, "1 of 1,000 operations"},
		{"errors", "<=", 0.1, 2, 0.2, Fail, "errors in only were 0.2 % (limit 0.1 %)"},
		{"rate", ">=", 99, 10, 99, Pass, "990 of 1,000 operations were good"},
		{"rate", ">=", 99, 11, 98.9, Fail, "98.9 % of the operations in only were good (at least 99 %)"},
	}
	for _, tt := range tests {
		t.Run(tt.metric, func(t *testing.T) {
			spec := onlyPhase(1000, Objective{Subject: "only", Metric: tt.metric, Op: tt.op, Limit: tt.limit}, Objective{Subject: "only/none", Metric: tt.metric, Op: tt.op, Limit: tt.limit})
			j := judge(t, spec, load(1000, tt.failures))
			o := j.Objectives[0]
			if o.Outcome != tt.outcome || o.Value < tt.value-0.5 || o.Value > tt.value+0.5 || !strings.Contains(o.Reason+o.Note, tt.says) {
				t.Errorf("%s %v, says %q; want %s about %v, %q", o.Outcome, o.Value, o.Reason+o.Note, tt.outcome, tt.value, tt.says)
			}
			if none := j.Objectives[1]; none.Outcome != Inconclusive || none.Reason != "no samples: there was no operation in only/none" {
				t.Errorf("an op that never was is %s: %s", none.Outcome, none.Reason)
			}
		})
	}
}

// TestLatencyFromSchedule says that waiting to be sent is waiting.
func TestLatencyFromSchedule(t *testing.T) {
	e := history.Event{By: history.ByLoad, Kind: history.OK, Op: "get", Phase: "only", Sched: at(1), Sent: at(1.5), At: at(1.6)}
	if got := judge(t, onlyPhase(1), join(drillNo(0, 1), e)).Windows[0].Max; got != 600 {
		t.Errorf("latency %v ms, want 600", got)
	}
}

func TestWindowHistogram(t *testing.T) {
	j := judge(t, onlyPhase(1000), load(1000, 10))
	w := j.Windows[0]
	h, err := hdrhistogram.Decode([]byte(w.HDR))
	if err != nil {
		t.Fatal(err)
	}
	if h.TotalCount() != 990 || float64(h.ValueAtQuantile(99))/1000 != w.P99 {
		t.Errorf("histogram of %d with p99 %d µs; want 990 with %v ms", h.TotalCount(), h.ValueAtQuantile(99), w.P99)
	}
	if w.Count != 1000 || w.OK != 990 || w.Errors != 10 || w.ByErr["dial"] != 10 || w.Max != 1000 || !w.Score {
		t.Errorf("window %+v", w)
	}
}

func TestSeries(t *testing.T) {
	events := load(2000, 100)
	j := judge(t, onlyPhase(2000), events)
	if len(j.Series) != 2 {
		t.Fatalf("%d seconds, want 2", len(j.Series))
	}
	s := j.Series[0]
	if s.At != 0 || s.Phase != "only" || s.Drill != 1 || s.Offered != 1000 || s.OK != 900 || s.Errors != 100 {
		t.Errorf("first second %+v", s)
	}
	if near := func(got, want float64) bool { return got >= want && got <= 1.02*want }; !near(s.P50, 550) || !near(s.P99, 991) {
		t.Errorf("p50 %v, p99 %v; want about 550 and 991, rounded up by at most 1 %%", s.P50, s.P99)
	}
}
