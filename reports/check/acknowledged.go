package check

import (
	"fmt"

	"github.com/proofload/proofload/reports/history"
)

// acknowledgedWrites checks that every write that was acknowledged is in the
// store, as it was acknowledged, and that nothing else is.
type acknowledgedWrites struct {
	durability *durability
}

// Name returns "acknowledged-writes".
func (*acknowledgedWrites) Name() string { return nameAcknowledged }

// Observe does nothing: the writes are kept once, for all checkers.
func (*acknowledgedWrites) Observe(*history.Event) {}

// Verdict fails if an acknowledged write is lost or altered, if one that a
// client was shown is gone, or if one that was refused or never attempted is
// there.
func (a *acknowledgedWrites) Verdict() Verdict {
	d := a.durability
	if d.blown != "" {
		return Verdict{Check: a.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	acked := d.acknowledged()
	var w wrongs
	if lost := d.which(d.lost); len(lost) > 0 {
		w.say(fmt.Sprintf("%s of %s lost", count(len(lost)), were(acked, "acknowledged write")),
			describeAll(lost, func(*write) string { return ", not found" })...)
	}
	if gone := d.which(d.observedThenLost); len(gone) > 0 {
		w.say(were(len(gone), "write")+" observed, then lost: a client was shown what is not there",
			describeAll(gone, func(*write) string { return ", read by a client, not found" })...)
	}
	if altered := d.which((*write).altered); len(altered) > 0 {
		w.say(were(len(altered), "acknowledged write")+" altered",
			describeAll(altered, func(w *write) string { return fmt.Sprintf(", found with %d", w.stored) })...)
	}
	if unexpected := d.which((*write).unexpected); len(unexpected) > 0 {
		w.say(were(len(unexpected), "write")+" unexpected: refused or never attempted, and present",
			describeAll(unexpected, func(*write) string { return ", present" })...)
	}
	doubt := d.course.anyUnread()
	if doubt == "" && acked == 0 {
		doubt = "no write was acknowledged"
	}
	return w.verdict(a.Name(), doubt, fmt.Sprintf("%s acknowledged, %s found", count(acked), count(acked)))
}
