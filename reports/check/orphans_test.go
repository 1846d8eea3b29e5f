package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestOrphanedWork(t *testing.T) {
	busy := func(s float64, n int64) history.Event { return countedBy(s, "api-1", history.CounterInFlight, n) }
	ended := run(10, history.RunLoadEnd)
	runHandTests(t, "orphaned-work", []handTest{
		{"idle", join(ended, busy(15, 3), busy(16, 1)), false, Pass, "1 instance was idle 4.9 s after the load"},
		{"never idle", join(ended, busy(15, 3), busy(16, 2)), false, Fail, "api-1 was working on 2 requests for nobody after drill 1"},
		{"asked too early", join(ended, busy(12, 3)), false, Inconclusive, "no instance was asked what it works on 4.9 s after the load"},
	})
}
