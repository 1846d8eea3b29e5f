package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestOrphanedWork(t *testing.T) {
	busy := func(s float64, n int64) history.Event { return countedBy(s, "api-1", history.CounterInFlight, n) }
	ended := run(10, history.RunLoadEnd)
	api2 := func(s float64) history.Event { return countedBy(s, "api-2", history.CounterInFlight, 0) }
	silent := failed(history.Event{At: at(16), By: history.ByProbe, Op: history.ProbeCounter, Node: "api-2"}, "timeout")
	runHandTests(t, "orphaned-work", []handTest{
		{"idle", join(ended, busy(15, 3), busy(16, 1)), false, Pass, "1 instance was idle 4.9 s after the load"},
		{"never idle", join(ended, busy(15, 3), busy(16, 2)), false, Fail, "api-1 was working on 2 requests for nobody after drill 1"},
		{"silent since", join(busy(5, 9), api2(5), ended, busy(16, 1), silent), false, Inconclusive, "api-2 did not say what it was working on after the load of drill 1"},
		{"silent before", join(busy(5, 9), failed(api2(5), "refused"), ended, busy(16, 1), api2(16)), false, Pass, "2 instances were idle 4.9 s after the load"},
		{"silent beside one that works", join(api2(5), ended, busy(16, 2), silent), false, Fail, "api-1 was working on 2 requests for nobody after drill 1"},
		{"silent in a later drill", join(
			api2(5), ended, busy(16, 1), api2(16), drillNo(20, 2), run(25, history.RunLoadEnd), busy(31, 1),
		), false, Inconclusive, "api-2 did not say what it was working on after the load of drill 2"},
		{"asked too early", join(ended, busy(12, 3)), false, Inconclusive, "no instance was asked what it works on 4.9 s after the load"},
	})
}
