package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestJobsDone(t *testing.T) {
	left := func(what string, n int64) history.Event {
		e := read(history.AuditJobs)
		e.Target, e.Count = what, n
		return e
	}
	runHandTests(t, "jobs-done", []handTest{
		{"all done", join(wrote(1, "a"), stored("a", 1, 1), left("outbox", 0)), false, Pass, "1 acknowledged write, the job of each was done, nothing is left"},
		{"one missing", join(wrote(1, "a"), stored("a", 1, 0), left("outbox", 0)), false, Fail, "the job of 1 acknowledged write was not done"},
		{"lost write has no job", join(wrote(1, "a"), wrote(2, "b"), stored("a", 1, 1), left("outbox", 0)), false, Pass, "1 acknowledged write, the job of each was done, nothing is left"},
		{"something left", join(wrote(1, "a"), stored("a", 1, 1), left("outbox", 2), left("dead letters", 1)), false, Fail, "2 left in outbox after drill 1; 1 left in dead letters after drill 1"},
		{"not read", join(wrote(1, "a"), stored("a", 1, 1)), false, Inconclusive, "what is left of background work was not read"},
		{"broker not read", join(wrote(1, "a"), stored("a", 1, 1), failed(left("queue x", 0), "refused")), false, Inconclusive, "queue x could not be read: refused"},
		{"nothing acknowledged", join(left("outbox", 0)), false, Inconclusive, "no acknowledged write was found"},
	})
}
