package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestOnePrimary(t *testing.T) {
	quiet := join(standingOf("pg-1", "replica", 2, 0), standingOf("pg-2", "primary", 2, 1))
	const lawful = "1 primary, 1 streaming replica of it"
	runHandTests(t, "one-primary", []handTest{
		{"failover", join(primary(1, "pg-1", 1), primary(9, "pg-2", 2), primary(10, "pg-2", 2), quiet), false, Pass, lawful},
		{"there and back", join(primary(1, "pg-1", 1), primary(9, "pg-2", 2), primary(15, "pg-1", 3), quiet), false, Pass, lawful},
		{"old one goes on", join(primary(1, "pg-1", 1), primary(9, "pg-2", 2), primary(9.5, "pg-1", 1), primary(10, "pg-2", 2), quiet), false, Fail, "pg-1 was still primary on timeline 1 at 9.500 s of the run, after pg-2 had become primary on timeline 2 at 9.000 s"},
		{"recorded out of order", join(primary(1, "pg-1", 1), primary(9, "pg-2", 2), primary(8.999, "pg-1", 1), quiet), false, Pass, lawful},
		{"same timeline", join(primary(1, "pg-1", 2), primary(9, "pg-2", 2), quiet), false, Fail, "pg-2 was still primary on timeline 2 at 9.000 s of the run, after pg-1 had become primary on timeline 2 at 1.000 s"},
		{"said twice", join(primary(9, "pg-2", 2), primary(9.5, "pg-1", 1), primary(9.6, "pg-1", 1), quiet), false, Fail, "pg-1 was still primary on timeline 1 at 9.500 s of the run, after pg-2 had become primary on timeline 2 at 9.000 s"},
		{"no answer is no primary", join(primary(9, "pg-2", 2), failed(primary(9.5, "pg-1", 1), "refused"), quiet), false, Pass, lawful},
		{"two in the end", join(primary(1, "pg-1", 2), standingOf("pg-1", "primary", 2, 0), standingOf("pg-2", "primary", 2, 1)), false, Fail, "after drill 1 both pg-1 and pg-2 are primary"},
		{"none in the end", join(primary(1, "pg-1", 2), standingOf("pg-1", "replica", 2, 0)), false, Fail, "after drill 1 no node is primary"},
		{"other timeline", join(primary(1, "pg-2", 2), standingOf("pg-1", "replica", 1, 0), standingOf("pg-2", "primary", 2, 1)), false, Fail, "after drill 1 pg-1 is on timeline 1 and the primary pg-2 on 2"},
		{"does not stream", join(primary(1, "pg-2", 2), standingOf("pg-1", "replica", 2, 0), standingOf("pg-2", "primary", 2, 0)), false, Fail, "after drill 1 0 of 1 replica from pg-2 stream"},
		{"cascade", join(primary(1, "pg-1", 2), standingOf("pg-1", "primary", 2, 1), standingOf("pg-2", "replica", 2, 1), standingOf("pg-3", "replica", 2, 0)), false, Pass, "1 primary, 2 streaming replicas of it"},
		{"does not answer", join(primary(1, "pg-2", 2), failed(standingOf("pg-1", "", 0, 0), "refused"), standingOf("pg-2", "primary", 2, 0)), false, Fail, "after drill 1 pg-1 is no streaming replica: it did not answer: refused"},
		{"roles not read", join(primary(1, "pg-2", 2)), false, Inconclusive, "the roles of the nodes were not read in drill 1"},
		{"no probes", quiet, false, Inconclusive, "no probe saw a primary in drill 1"},
	})
}

// TestOnePrimaryNewStack says that timelines of one drill mean nothing to the
// next, which may begin with a stack of its own.
func TestOnePrimaryNewStack(t *testing.T) {
	drill := func(s float64, n int) []history.Event {
		return join(drillNo(s, n), primary(s+1, "pg-1", 1), primary(s+5, "pg-2", 2), standingOf("pg-2", "primary", 2, 0),
			read(history.AuditDone))
	}
	j := judge(t, Spec{Verify: []string{"one-primary"}, Drills: 2}, join(drill(0, 1), drill(10, 2)))
	if got := j.Checks[0]; got.Outcome != Pass {
		t.Errorf("%s: %s; want a pass", got.Outcome, got.Reason)
	}
}

// TestOnePrimaryCauses has a node that is still away in the end told from one that
// went on as the primary that it was.
func TestOnePrimaryCauses(t *testing.T) {
	quiet := join(standingOf("pg-1", "replica", 2, 0), standingOf("pg-2", "primary", 2, 1))
	for what, c := range map[string]struct {
		events []history.Event
		want   string
	}{
		"went on":     {join(primary(9, "pg-2", 2), primary(9.5, "pg-1", 1), quiet), causeNotFenced},
		"both":        {join(primary(1, "pg-1", 2), standingOf("pg-1", "primary", 2, 0), standingOf("pg-2", "primary", 2, 1)), causeNotFenced},
		"still away":  {join(primary(1, "pg-2", 2), failed(standingOf("pg-1", "", 0, 0), "refused"), standingOf("pg-2", "primary", 2, 0)), causeNotBack},
		"not rewound": {join(primary(1, "pg-2", 2), standingOf("pg-1", "replica", 1, 0), standingOf("pg-2", "primary", 2, 1)), causeNotRewound},
	} {
		v := judge(t, Spec{Verify: []string{"one-primary"}}, join(drillNo(0, 1), c.events, read(history.AuditDone))).Checks[0]
		if v.Outcome != Fail || len(v.Causes) != 1 || v.Causes[0] != c.want {
			t.Errorf("%s: %s, %s: causes %q, want %q alone", what, v.Outcome, v.Reason, v.Causes, c.want)
		}
	}
}
