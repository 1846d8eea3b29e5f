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

// TestRecoveryFromTheEndOfAFault counts from when a fault was ended, by a heal or
// by a start, until clients are served again, and the writes that it cost.
func TestRecoveryFromTheEndOfAFault(t *testing.T) {
	step := func(s float64, id, verb, op string) history.Event {
		return history.Event{At: at(s), By: history.ByFault, Kind: history.Info, Op: op, ID: id, Verb: verb, Target: "redis"}
	}
	for _, tt := range []struct {
		verb, target string
		events       []history.Event
	}{
		{"heal", "gone", []history.Event{step(20, "gone", "kill", history.FaultRecover), step(21, "gone", "kill", history.FaultRecovered)}},
		{"start", "redis", []history.Event{step(20, "back", "start", history.FaultInject), step(21, "back", "start", history.FaultSettled)}},
	} {
		t.Run(tt.verb, func(t *testing.T) {
			events := join(drillNo(0, 1), faulted(10, history.FaultInject), faulted(10, history.FaultInjected), faulted(10, history.FaultSettled), tt.events)
			for i := range 2000 {
				s := float64(i) * 0.02
				e := history.Event{By: history.ByLoad, Kind: history.OK, Op: "op", Phase: "only", Write: i%2 == 0, Sched: at(s), Sent: at(s), At: at(s + 0.005)}
				if s >= 10 && s < 26 {
					e.Kind = history.Fail
				}
				events = append(events, e)
			}
			spec := Spec{
				Phases: []Phase{{Name: "only", For: 40 * time.Second, From: 50, To: 50, Score: true}},
				Events: []Entry{
					{Name: "gone", Verb: "kill", Target: "redis", Phase: "only", At: at(10)},
					{Name: "back", Verb: tt.verb, Target: tt.target, Phase: "only", At: at(20)},
				},
				Objectives: []Objective{{Subject: "back", Metric: "rto", Op: "<=", Limit: 5000}, {Subject: "gone", Metric: "rto", Op: "<=", Limit: 20_000}},
			}
			j := judge(t, spec, join(events, run(42, history.RunLoadEnd), run(43, history.RunDrillEnd)))
			for i, want := range []struct {
				outcome Outcome
				value   float64 // ms
			}{{Fail, 6000}, {Pass, 16_000}} {
				if o := j.Objectives[i]; o.Outcome != want.outcome || o.Value < want.value-21 || o.Value > want.value+21 {
					t.Errorf("%s %s: %s %.0f ms (%s), want %s %.0f ms", o.Subject, o.Metric, o.Outcome, o.Value, o.Reason, want.outcome, want.value)
				}
			}
		})
	}
}
