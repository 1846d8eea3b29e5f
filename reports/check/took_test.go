package check

import (
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

func TestTook(t *testing.T) {
	step := func(s float64, id, verb, op string) history.Event {
		return history.Event{At: at(s), By: history.ByFault, Kind: history.Info, Op: op, ID: id, Verb: verb, Target: "redis"}
	}
	lost := []history.Event{
		step(1, "lost", "kill", history.FaultInject), step(1, "lost", "kill", history.FaultInjected), step(1, "lost", "kill", history.FaultSettled),
	}
	for _, tt := range []struct {
		name, verb string
		events     []history.Event
		outcome    Outcome
		value      float64 // ms
		says       string
	}{
		{"in time", "start", []history.Event{step(3, "back", "start", history.FaultInject), step(5, "back", "start", history.FaultSettled)}, Pass, 2000, ""},
		{"too long", "start", []history.Event{step(3, "back", "start", history.FaultInject), step(9, "back", "start", history.FaultSettled)}, Fail, 6000, "back took 6 s (limit 4 s)"},
		{"not done", "start", []history.Event{step(3, "back", "start", history.FaultInject)}, Fail, 7000, "back was not done 7 s later"},
		{"not done yet", "start", []history.Event{step(9, "back", "start", history.FaultInject)}, Inconclusive, 1000, "back was not done 1 s later"},
		{"not begun", "start", nil, Inconclusive, 0, "the event back did not happen"},
		{"a heal", "heal", []history.Event{step(3, "lost", "kill", history.FaultRecover), step(4.5, "lost", "kill", history.FaultRecovered)}, Pass, 1500, ""},
		{"a heal that is not done", "heal", []history.Event{step(3, "lost", "kill", history.FaultRecover)}, Fail, 7000, "back was not done"},
		{"a heal of nothing", "heal", nil, Inconclusive, 0, "the event back did not happen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := "redis"
			if tt.verb == "heal" {
				target = "lost"
			}
			spec := Spec{
				Phases: []Phase{{Name: "only", For: 10 * time.Second, Score: true}},
				Events: []Entry{
					{Name: "lost", Verb: "kill", Target: "redis", Phase: "only", At: at(1)},
					{Name: "back", Verb: tt.verb, Target: target, Phase: "only", At: at(3)},
				},
				Objectives: []Objective{{Subject: "back", Metric: "took", Op: "<=", Limit: 4000}},
			}
			j := judge(t, spec, join(drillNo(0, 1), lost, tt.events, run(10, history.RunLoadEnd)))
			o := j.Objectives[0]
			if o.Outcome != tt.outcome || o.Value != tt.value || !strings.Contains(o.Reason, tt.says) {
				t.Errorf("outcome %s, value %g, reason %q; want %s, %g, %q", o.Outcome, o.Value, o.Reason, tt.outcome, tt.value, tt.says)
			}
		})
	}
}
