package check

import (
	"github.com/proofload/proofload/reports/history"
)

// observedWrites checks that no write that some client was shown is gone, though
// its own client never learned that it had happened. Those that were
// acknowledged as well are counted by acknowledgedWrites.
type observedWrites struct {
	durability *durability
}

// Name returns "observed-writes".
func (*observedWrites) Name() string { return nameObserved }

// Observe does nothing: the writes are kept once, for all checkers.
func (*observedWrites) Observe(*history.Event) {}

// Verdict fails if a write that was read is gone. A read that did not find a
// write proves nothing: it may have come first.
func (o *observedWrites) Verdict() Verdict {
	d := o.durability
	if d.blown != "" {
		return Verdict{Check: o.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	var w wrongs
	gone := d.which(func(w *write) bool { return (d.observedThenLost(w) || w.read && d.vanished(w)) && !w.acknowledged() })
	if len(gone) > 0 {
		also := func(*write) string { return ", read by a client, not found" }
		w.say(were(len(gone), "write")+" observed, then lost: a client was shown what is not there", describeAll(gone, also)...)
		d.blameAll(&w, gone, also)
	}
	doubt := d.anyUnread()
	if doubt == "" && d.reads == 0 {
		doubt = "no write was read by a client"
	}
	read := d.how(func(w *write) bool { return w.read })
	return w.verdict(o.Name(), doubt, were(read, "write")+" read by clients, none is gone")
}
