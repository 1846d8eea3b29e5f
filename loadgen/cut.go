package loadgen

import "time"

// A Cut ends a phase early. What was planned in it from then on is never due,
// and all that comes after is as much earlier. It must not come while a hold
// is open, nor before one that lies in the phase.
type Cut struct {
	Phase int           // its index
	At    time.Duration // when it ends, on the recorder's clock: a moment that is still to come
}

// hear asks whether a phase is to end early. It does not wait.
func (h *holds) hear() {
	select {
	case c := <-h.cuts:
		h.cut = &c
	default:
	}
}

// cutAt is when a phase is to end early, on the recorder's clock, forever if
// none is.
func (h *holds) cutAt() time.Duration {
	if h.cut == nil {
		return forever
	}
	return h.cut.At
}

// leap ends the phase that has to end early by now, if there is one, and returns
// by how much it is shorter. One that has ended by itself, or has not begun, is
// left as it is.
func (h *holds) leap(now time.Duration) (c Cut, by time.Duration) {
	if h.cutAt() > now {
		return Cut{}, 0
	}
	c, h.cut = *h.cut, nil
	p := &h.schedule.phases[c.Phase]
	into := c.At - h.start - h.shift
	if by = p.start + p.For - into; into < p.start || by <= 0 {
		return Cut{}, 0
	}
	h.shift -= by
	h.tell()
	return c, by
}

// cut goes on with the next phase if one has to end early by now.
func (p *pacer) cut(now time.Duration) {
	c, by := p.holds.leap(now)
	if by == 0 {
		return
	}
	skipped := int64(0)
	for ; p.more && p.arrival.Phase == c.Phase; p.advance() {
		p.made = nil
		skipped++
	}
	if p.made != nil { // it is of the next phase
		p.made.sched = p.holds.sched(p.arrival)
	}
	if p.users != nil {
		p.users.later(c.At, -by)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stats.Skipped == nil {
		p.stats.Skipped = map[string]int64{}
	}
	p.stats.Skipped[p.schedule.Phase(c.Phase)] += skipped
}
