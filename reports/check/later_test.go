package check

import (
	"strings"
	"testing"

	"github.com/proofload/proofload/reports/history"
)

// twoDrills is a run in whose second drill, the last, all writes are read again:
// these are what was found then, beside the write of that drill.
func twoDrills(again ...any) []history.Event {
	own := join(drillNo(0, 1), wrote(1, "a"), wrote(2, "b"), stored("a", 1, 1), stored("b", 1, 1), read(history.AuditDone), run(3, history.RunDrillEnd))
	kill := func(s float64, op string) history.Event {
		e := faultStep(s, op)
		e.ID, e.Verb, e.Target, e.Carries = "killed", "kill", "pg-1", ""
		return e
	}
	return join(
		own, drillNo(10, 2), kill(10.5, history.FaultInject), kill(10.6, history.FaultInjected), kill(10.7, history.FaultSettled),
		wrote(11, "c"), stored("c", 1, 1), join(again...), read(history.AuditDone), run(13, history.RunDrillEnd),
	)
}

// TestLaterDrills says what is made of writes that were whole after their own
// drill and are not after a later one.
func TestLaterDrills(t *testing.T) {
	all := read(history.AuditEarlier)
	limit := 0.0
	for _, tt := range []struct {
		name   string
		events []history.Event
		check  string
		want   Outcome
		says   string
	}{
		{"still there", twoDrills(stored("a", 1, 1), stored("b", 1, 1), all), nameAcknowledged, Pass, "3 acknowledged, 3 found"},
		{"gone", twoDrills(stored("b", 1, 1), all), nameAcknowledged, Fail, "1 acknowledged write was found after their own drill, and lost by the end of drill 2"},
		{"effect undone", twoDrills(stored("a", 0, 1), stored("b", 1, 1), all), nameAcknowledged, Fail, "1 acknowledged write was found after their own drill, and lost by the end of drill 2"},
		{"read again in part", twoDrills(stored("b", 1, 1)), nameAcknowledged, Pass, "3 acknowledged, 3 found"},
		{"not read again", twoDrills(stored("b", 1, 1), failed(all, "no primary")), nameAcknowledged, Inconclusive, "the writes of earlier drills were not read again: no primary"},
		{"once", twoDrills(stored("a", 1, 1), stored("b", 1, 1), all), nameDuplicates, Pass, "3 writes were found, none of them twice"},
		{"doubled row", twoDrills(stored("a", 1, 1), stored("a", 1, 1), stored("b", 1, 1), all), nameDuplicates, Fail, "1 write was there once after their own drill, and more often after a later one"},
		{"doubled effect", twoDrills(stored("a", 2, 1), stored("b", 1, 1), all), nameDuplicates, Fail, "1 write was there once after their own drill, and more often after a later one"},
		{"late redelivery", twoDrills(stored("a", 1, 2), stored("b", 1, 1), all), nameDuplicates, Fail, "1 write was there once after their own drill, and more often after a later one"},
		{"not counted", twoDrills(stored("a", history.Uncounted, 0), stored("b", 1, 1), all), nameDuplicates, Pass, "3 writes were found, none of them twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := Spec{
				Verify: []string{tt.check}, Drills: 2, Events: []Entry{{Name: "killed", Verb: "kill"}},
				Objectives: []Objective{{Subject: "killed", Metric: metricLost, Op: "<=", Limit: limit}},
			}
			j := judge(t, spec, tt.events)
			if got := j.Checks[0]; got.Outcome != tt.want || got.Reason != tt.says {
				t.Errorf("%s: %s, want %s: %s", got.Outcome, got.Reason, tt.want, tt.says)
			}
			lost := tt.want == Fail && tt.check == nameAcknowledged
			if total := j.Writes; total.Lost != one(lost) || total.Duplicated != one(tt.want == Fail && tt.check == nameDuplicates) {
				t.Errorf("%d lost, %d doubled in all", total.Lost, total.Duplicated)
			}
			o := j.Objectives[0]
			if lost != (o.Outcome == Fail && strings.Contains(o.Reason, "0 of 1 acknowledged write was lost, and 1 of earlier drills")) {
				t.Errorf("lost_writes: %s: %s", o.Outcome, o.Reason)
			}
		})
	}
}
