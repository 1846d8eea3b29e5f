package check

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// verbStall and carriesReplication mark the fault without which a recovery
// point is not exercised: on one host replication is so quick that a crash
// alone loses about nothing, even where it could lose a lot.
const (
	verbStall          = "stall"
	carriesReplication = "replication"
)

// A loss is what one event cost in one drill.
type loss struct {
	t0         time.Duration
	cut        time.Duration // when the inject call had returned
	acked      int           // acknowledged in the whole drill
	found      int           // of these
	before     int           // acknowledged before the inject call returned, and gone
	after      int           // acknowledged from then on, and gone: by an old primary that went on
	earlier    int           // of earlier drills, and gone after this one
	duplicated int
	oldest     time.Duration // acknowledgement of the oldest lost, or unseen
	newest     time.Duration // and of the newest

	stalled        time.Duration // since when replication was stalled at T0, or unseen
	stallAttempted int           // writes invoked while it was
	stallAcked     int           // writes acknowledged while it was
}

// loss accounts for the writes around a fault: those from the fault with a
// recovery objective before it, to the one after it, in the same drill. A loss
// in between may be the doing of both, and is counted with both.
func (c *court) loss(f *fault) loss {
	from, to := c.recovery.between(f)
	l := loss{t0: f.t0, cut: f.cut(), oldest: unseen, newest: unseen, stalled: c.faults.stalledAt(f)}
	for _, w := range c.durability.byDrill[f.drill] {
		l.acked += one(w.acknowledged())
		l.found += one(w.acknowledged() && w.found())
		if at := w.at(); at < from || at >= to {
			continue
		}
		l.duplicated += one(w.duplicated())
		if l.stalled != unseen {
			l.stallAttempted += one(w.attempted && w.invoked >= l.stalled && w.invoked < f.t0)
			l.stallAcked += one(w.acknowledged() && w.acked >= l.stalled && w.acked < f.t0)
		}
		if c.durability.lost(w) {
			l.lose(w.acked)
		}
	}
	c.lossOfEarlier(f, &l)
	return l
}

// lossOfEarlier adds what became of the writes of earlier drills by the end of
// the last one. Which drill did it nobody knows, so that it is held against all
// that happened in the last one.
func (c *court) lossOfEarlier(f *fault, l *loss) {
	if f.drill != c.durability.reread {
		return
	}
	for _, w := range c.durability.writes {
		if w.number() >= f.drill {
			continue
		}
		l.duplicated += one(w.doubledLater())
		if !c.durability.lostLater(w) {
			continue
		}
		l.earlier++
		l.acknowledgedAt(w.acked)
	}
}

func (l *loss) lose(acked time.Duration) {
	if acked < l.cut {
		l.before++
	} else {
		l.after++
	}
	l.acknowledgedAt(acked)
}

// acknowledgedAt takes when a lost write was acknowledged.
func (l *loss) acknowledgedAt(acked time.Duration) {
	if l.oldest == unseen || acked < l.oldest {
		l.oldest = acked
	}
	l.newest = max(l.newest, acked)
}

func (l *loss) lost() int { return l.before + l.after + l.earlier }

// point is the recovery point: how long before T0 the oldest lost write was
// acknowledged, 0 if none was.
func (l *loss) point() time.Duration {
	if l.oldest == unseen {
		return 0
	}
	return max(0, l.t0-l.oldest)
}

// tell writes the loss into what is said of the recovery.
func (l loss) tell(r *Recovery) {
	r.Lost = l.lost()
	r.Point = ms(l.point())
	r.LossWindow = 0
	if l.oldest != unseen {
		r.LossWindow = ms(l.newest - l.oldest)
	}
	r.Stalled = -1
	if l.stalled != unseen {
		r.Stalled = ms(l.t0 - l.stalled)
	}
}

// stalledAt returns since when replication from the nodes that a fault hit was
// seen to be stalled at its T0, or unseen if it was not: a stall that was being
// lifted does not count.
func (fs *faults) stalledAt(f *fault) time.Duration {
	since := unseen
	for _, s := range fs.all {
		if s.drill != f.drill || s.verb != verbStall || s.carries != carriesReplication || s.failed != "" || !s.holds(f) {
			continue
		}
		over := s.ended()
		if s.settled == unseen || s.settled > f.t0 || over != unseen && over <= f.t0 {
			continue
		}
		if since == unseen || s.settled < since {
			since = s.settled
		}
	}
	return since
}

// holds reports whether a stall of replication held what a fault's nodes send:
// what a node that goes on received from somebody else says nothing of what was
// lost. A link of replication has the name of the node that sends; a target
// that names no single link is all of them.
func (s *fault) holds(f *fault) bool {
	hit := strings.Split(f.target, ",")
	for link := range strings.SplitSeq(s.target, ",") {
		node, one := strings.CutPrefix(strings.TrimPrefix(link, "link:"), carriesReplication+":")
		if !one || slices.Contains(hit, node) {
			return true
		}
	}
	return false
}

// lossSample judges an objective on what an event cost.
func (c *court) lossSample(o Objective, f *fault) sample {
	if c.durability.blown != "" {
		return unclear(c.durability.blown)
	}
	l := c.loss(f)
	if o.Metric == metricDuplicates {
		return c.duplicatesSample(o, f, l)
	}
	if reason := c.course.unread(f.drill); reason != "" {
		return unclear(reason)
	}
	if l.acked == 0 {
		return unclear("no write was acknowledged")
	}
	if o.Metric == metricLost {
		return l.lostSample(o)
	}
	return l.pointSample(o)
}

func (c *court) duplicatesSample(o Objective, f *fault, l loss) sample {
	s := o.judged(float64(l.duplicated))
	s.reason = fmt.Sprintf("%s happened more than once %s", many(l.duplicated, "write"), o.limit())
	switch reason := c.course.unread(f.drill); {
	case s.outcome == Fail:
		return s
	case reason != "":
		return unclear(reason)
	case l.acked == 0:
		return unclear("no write was acknowledged")
	}
	if reason := c.durability.uncounted(func(w *write) bool { return w.number() == f.drill }); reason != "" {
		return unclear(reason)
	}
	return s
}

func (l *loss) lostSample(o Objective) sample {
	s := o.judged(float64(l.lost()))
	s.note = fmt.Sprintf("%s acknowledged, %s found", count(l.acked), count(l.found))
	if l.after > 0 {
		s.note += fmt.Sprintf(", %s lost that were acknowledged after the fault was in place (split brain)", count(l.after))
	}
	s.reason = l.lostText() + " " + o.limit()
	return s
}

func (l *loss) lostText() string {
	text := fmt.Sprintf("%s of %s lost", count(l.before+l.after), were(l.acked, "acknowledged write"))
	if l.earlier > 0 {
		text += fmt.Sprintf(", and %s of earlier drills", count(l.earlier))
	}
	return text
}

// pointSample judges the recovery point. Without a stall a loss over the limit
// is a miss all the same, but nothing less is a pass.
func (l *loss) pointSample(o Objective) sample {
	s := o.judged(ms(l.point()))
	s.reason = fmt.Sprintf("%s, recovery point %s %s", l.lostText(), span(l.point()), o.limit())
	stalled := l.t0 - l.stalled
	switch {
	case s.outcome == Fail:
		if l.stalled != unseen {
			s.note = "replication had been stalled for " + span(stalled)
		}
	case l.stalled == unseen:
		s.outcome, s.measured = Inconclusive, l.before > 0
		s.reason = "not exercised: replication from what the fault hit was not stalled"
	case l.stallAttempted == 0:
		s.outcome, s.measured = Inconclusive, l.before > 0
		s.reason = fmt.Sprintf("not exercised: no write was attempted in the %s in which replication was stalled", span(stalled))
	case l.stallAcked == 0:
		s.note = fmt.Sprintf("none of %s attempted in the stalled %s was acknowledged: the system held them back", many(l.stallAttempted, "write"), span(stalled))
	case l.before > 0:
		s.note = fmt.Sprintf("%s lost of %s acknowledged in the stalled %s", count(l.before), count(l.stallAcked), span(stalled))
	default:
		s.note = fmt.Sprintf("0 lost of %s acknowledged in the stalled %s: a loss of %s or more would have been seen",
			count(l.stallAcked), span(stalled), span(stalled/time.Duration(l.stallAcked)))
	}
	return s
}
