package check

import (
	"cmp"

	"github.com/proofload/proofload/reports/history"
)

// add takes a row of the final reads of a later drill. What those of an earlier
// one had found before does not count any more.
func (l *laterRow) add(drill int16, e *history.Event) {
	if l.drill != drill {
		*l = laterRow{drill: drill}
	}
	l.rows++
	l.jobs += int16(few(e.Jobs)) //nolint:gosec // it is a few
	if e.Count == history.Uncounted {
		l.effects = max(1, l.effects)
		return
	}
	l.effects += int16(few(e.Count)) //nolint:gosec // it is a few
}

// observeEarlier takes that the writes of all earlier drills were read again.
func (d *durability) observeEarlier(e *history.Event) {
	if e.Kind == history.Fail {
		d.unsure = "the writes of earlier drills were not read again: " + cmp.Or(e.Text, "no reason given")
		return
	}
	d.reread = d.course.number(e)
}

// anyUnread returns the first reason why the final reads cannot be relied on,
// those of the writes of earlier drills among them.
func (d *durability) anyUnread() string { return cmp.Or(d.course.anyUnread(), d.unsure) }

// vanished reports whether a write was there after its own drill and is gone
// after a later one.
func (d *durability) vanished(w *write) bool {
	return d.unsure == "" && d.reread > w.number() && w.found() && (int(w.later.drill) != d.reread || w.later.effects < 1)
}

// lostLater reports whether that happened to an acknowledged write.
func (d *durability) lostLater(w *write) bool { return w.acknowledged() && d.vanished(w) }

// gone reports whether an acknowledged write is lost, then or later.
func (d *durability) gone(w *write) bool { return d.lost(w) || d.lostLater(w) }

// doubledLater reports whether a write was there once after its own drill, and
// more often after a later one.
func (w *write) doubledLater() bool {
	return w.found() && !w.duplicated() && w.later.effects > 0 && (w.later.rows > 1 || w.later.effects > 1 || w.later.jobs > 1)
}
