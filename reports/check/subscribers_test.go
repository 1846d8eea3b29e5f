package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestSubscribers(t *testing.T) {
	told := func(id string, n int64) history.Event {
		e := read(history.AuditSubscriber)
		e.Target, e.ID, e.Count = "projection", id, n
		return e
	}
	runHandTests(t, "subscribers", []handTest{
		{"all", join(wrote(1, "a"), stored("a", 1, 1), told("", 1)), false, Pass, "1 subscriber learned of every acknowledged write"},
		{"gap", join(wrote(1, "a"), stored("a", 1, 1), told("a", 0), told("", 0)), false, Fail, "projection has not learned of 1 acknowledged write"},
		{"lost is for others", join(wrote(1, "a"), told("a", 0), told("", 0)), false, Pass, "1 subscriber learned of every acknowledged write"},
		{"not asked", join(wrote(1, "a"), stored("a", 1, 1)), false, Inconclusive, "no subscriber was asked in drill 1"},
	})
}
