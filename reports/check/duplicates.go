package check

import (
	"fmt"

	"github.com/proofload/proofload/reports/history"
)

// noDuplicates checks that no write has happened more than once, and nor has
// its background job.
type noDuplicates struct {
	durability *durability
}

// Name returns "no-duplicates".
func (*noDuplicates) Name() string { return nameDuplicates }

// Observe does nothing: the writes are kept once, for all checkers.
func (*noDuplicates) Observe(*history.Event) {}

// Verdict fails if an id has two rows, or its effect on the books or that of
// its job is there more than once.
func (n *noDuplicates) Verdict() Verdict {
	d := n.durability
	if d.blown != "" {
		return Verdict{Check: n.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	var w wrongs
	if twice := d.which((*write).duplicated); len(twice) > 0 {
		also := func(w *write) string {
			return fmt.Sprintf(", %s, %s, %s", many(int(w.rows), "row"), many(int(w.effects), "effect"), many(int(w.jobs), "job effect"))
		}
		w.say(many(len(twice), "write")+" happened more than once", describeAll(twice, also)...)
		d.blameAll(&w, twice, also)
	}
	if later := d.which((*write).doubledLater); len(later) > 0 {
		also := func(w *write) string {
			return fmt.Sprintf(", after drill %d %s, %s, %s", w.later.drill, many(int(w.later.rows), "row"), many(int(w.later.effects), "effect"), many(int(w.later.jobs), "job effect"))
		}
		w.say(were(len(later), "write")+" there once after their own drill, and more often after a later one", describeAll(later, also)...)
		d.blameAll(&w, later, also)
	}
	found := d.how((*write).found)
	doubt := d.anyUnread()
	if doubt == "" && d.acknowledged() == 0 {
		doubt = "no write was acknowledged"
	}
	if doubt == "" {
		doubt = d.uncounted(func(*write) bool { return true })
	}
	return w.verdict(n.Name(), doubt, were(found, "write")+" found, none of them twice")
}
