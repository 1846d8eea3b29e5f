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

// Verdict fails if an acknowledged write is lost or altered, or if one that was
// refused or never attempted is there.
func (a *acknowledgedWrites) Verdict() Verdict {
	d := a.durability
	if d.blown != "" {
		return Verdict{Check: a.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	acked := d.acknowledged()
	var w wrongs
	kind := func(list []record, clause string, also func(*write) string) {
		if len(list) > 0 {
			w.say(clause, describeAll(list, also)...)
			d.blameAll(&w, list, also)
		}
	}
	later := d.which(d.lostLater)
	lost, altered, unexpected := d.which(d.lost), d.which((*write).altered), d.which((*write).unexpected)
	kind(lost, fmt.Sprintf("%s of %s lost", count(len(lost)), were(acked, "acknowledged write")),
		func(*write) string { return ", not found" })
	kind(later, fmt.Sprintf("%s found after their own drill, and lost by the end of drill %d", were(len(later), "acknowledged write"), d.reread),
		func(*write) string { return fmt.Sprintf(", not found after drill %d", d.reread) })
	kind(altered, were(len(altered), "acknowledged write")+" altered",
		func(w *write) string { return fmt.Sprintf(", found with %d", w.stored) })
	kind(unexpected, were(len(unexpected), "write")+" unexpected: refused or never attempted, and present",
		func(*write) string { return ", present" })
	doubt := d.anyUnread()
	if doubt == "" && acked == 0 {
		doubt = "no write was acknowledged"
	}
	return w.verdict(a.Name(), doubt, fmt.Sprintf("%s acknowledged, %s found", count(acked), count(acked)))
}
