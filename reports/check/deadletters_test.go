package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestDeadLetters(t *testing.T) {
	letter := func(id, why string) history.Event {
		e := read(history.AuditDead)
		e.ID, e.Target, e.Text = id, "settlement", why
		return e
	}
	all := func(n int64) history.Event {
		e := read(history.AuditDead)
		e.Count = n
		return e
	}
	gave := func(n int64) []history.Event {
		return join(countedBy(1, "worker-1", history.CounterDead, 4), countedBy(9, "worker-1", history.CounterDead, 4+n))
	}
	runHandTests(t, "dead-letters", []handTest{
		{"none", join(gave(0), all(0)), false, Pass, "0 messages were given up, 0 dead letters were kept, each with a reason"},
		{"kept", join(gave(1), letter("m", "no such account"), all(1)), false, Pass, "1 message was given up, 1 dead letter was kept, each with a reason"},
		{"dropped", join(gave(2), letter("m", "no such account"), all(1)), false, Fail, "2 messages were given up and 1 dead letter was kept: the others are nowhere"},
		{"over a restart", join(gave(1), countedBy(10, "worker-1", history.CounterDead, 1), all(1)), false, Fail, "2 messages were given up and 1 dead letter was kept: the others are nowhere"},
		{"without a reason", join(gave(1), letter("m", ""), all(1)), false, Fail, "1 dead letter was without a reason"},
		{"not read", join(gave(0)), false, Inconclusive, "the dead letters were not read in drill 1"},
		{"nobody counts", join(all(0)), false, Inconclusive, "no worker was asked how much it has given up"},
	})
}
