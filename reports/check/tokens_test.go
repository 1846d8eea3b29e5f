package check

import (
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// TestNoToken: operations whose client could not log in leave the run open,
// unless a fault may have been what kept it from that.
func TestNoToken(t *testing.T) {
	const want = "2 operations were not sent outside fault windows, for want of a token"
	for _, tt := range []struct {
		name    string
		fault   float64 // in s; negative: none
		waited  float64 // in s, for the login
		outcome Outcome
	}{
		{"no fault", -1, 0, Inconclusive},
		{"before the fault", 0.9, 0, Inconclusive},
		{"in its window", 0.4, 0, Pass},
		{"waited until its window", 0.9, 0.41, Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var events []history.Event
			for _, e := range load(1000, 0) {
				if at := e.Sched.Seconds(); e.By == history.ByLoad && at >= 0.5 && at < 0.502 {
					e.Kind, e.Class, e.Status = history.Fail, history.ClassNoToken, 0
					e.At = e.Sched + time.Duration(tt.waited*float64(time.Second))
				}
				events = append(events, e)
			}
			if tt.fault >= 0 {
				events = append(events, join(faulted(tt.fault, history.FaultInject), faulted(tt.fault, history.FaultSettled))...)
			}
			slices.SortStableFunc(events, func(a, b history.Event) int { return int(a.At - b.At) })
			spec := onlyPhase(1000)
			spec.Objectives = []Objective{{Subject: "only", Metric: metricErrors, Op: "<=", Limit: 1}}
			j := judge(t, spec, events)
			if j.Outcome != tt.outcome || slices.Contains(j.Reasons, want) != (tt.outcome == Inconclusive) {
				t.Errorf("%s: %q", j.Outcome, j.Reasons)
			}
		})
	}
}
