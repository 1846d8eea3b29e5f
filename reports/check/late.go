package check

import (
	"cmp"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// budget is how late operations may be sent.
func (s *Spec) budget() time.Duration { return cmp.Or(s.SendLag, DefaultSendLag) }

// overdue reports whether an operation was not sent because the generator was
// late. What is shed because too many are in flight is shed at once.
func overdue(e *history.Event, budget time.Duration) bool {
	return e.Class == history.ClassShed && e.At-e.Sched > budget
}

// sentLate reports whether it is the generator alone that kept an operation from
// being good: it was sent too late to be answered in time, though the answer came
// soon enough after that, or was overdue and not sent at all. That says nothing of
// the system, whether something is broken at that time or not.
func sentLate(e *history.Event, within, budget time.Duration) bool {
	if e.Kind == history.OK {
		return took(e) > within && took(e)-lagOf(e) <= within
	}
	return overdue(e, budget)
}

// fellBehind says that a verdict hangs on operations that were sent late.
func fellBehind(late int) string {
	return "the load generator fell behind: " + were(late, "operation") + " sent too late, or not at all for that"
}
