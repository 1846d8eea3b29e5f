package check

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// TestAnatomy tells what explains a recovery from what only looks like it.
func TestAnatomy(t *testing.T) {
	probe := func(s float64, op, node, role string, timeline int) history.Event {
		return history.Event{At: at(s), By: history.ByProbe, Kind: history.Info, Op: op, Node: node, Role: role, Timeline: timeline}
	}
	agent := func(s float64, text string) history.Event {
		return history.Event{At: at(s), By: history.ByProbe, Kind: history.Info, Op: history.ProbeAgent, Node: "pg-2", Text: text}
	}
	ack := func(s float64, id string, timeline int) history.Event {
		e := done(s, history.OK, id)
		e.Timeline = timeline
		return e
	}
	inject := faulted(10, history.FaultInject)
	inject.Target = "pg-1"
	events := join(drillNo(0, 1),
		agent(1, "unlocked"), // before T0
		primary(9, "pg-1", 3), probe(9, history.ProbeRoute, "pgbouncer", "primary", 3), ack(9.5, "a", 3),
		inject, faulted(10.04, history.FaultInjected), faulted(10.12, history.FaultSettled),
		ack(10.01, "b", 3),       // a straggler of the old primary
		primary(10.5, "pg-1", 4), // the lost node itself
		probe(11, history.ProbeRoute, "pgbouncer", "primary", 3), // still the old one
		agent(12, "unlocked"), agent(13, "unlocked"),
		probe(14, history.ProbeDatabase, "pg-2", "replica", 3), failed(primary(14.5, "pg-2", 4), "no answer"),
		primary(15, "pg-2", 4), primary(16, "pg-2", 4),
		probe(17, history.ProbeRoute, "pgbouncer", "replica", 4), probe(18, history.ProbeRoute, "pgbouncer", "primary", 4),
		failed(ack(18.5, "c", 4), ""), ack(19, "d", 4), ack(20, "e", 4))
	spec := Spec{
		Events:     []Entry{{Name: "gone", Verb: "kill", Target: "postgres.primary", Phase: "only"}},
		Objectives: []Objective{{Subject: "gone", Metric: "rto", Op: "<=", Limit: 10_000}},
	}
	want := Recovery{
		Event: "gone", Drill: 1, Injected: 10_000, CallTook: 40, Propagated: 120, Impact: -1,
		Noticed: 2000, Promoted: 5000, Rerouted: 8000, FirstOK: 9000, Steady: -1, ByClass: map[string]float64{}, Stalled: -1,
	}
	if diff := cmp.Diff([]Recovery{want}, judge(t, spec, events).Recoveries); diff != "" {
		t.Errorf("recoveries (-want +got):\n%s", diff)
	}
}
