package history

import "time"

// A Clock is that of the phases of one drill. It stands still while a gate is
// open, so that all that comes after is as much later on the clock of the run,
// and leaps to the end of a phase that ends early. The zero value is one that
// began with the run and did neither.
type Clock struct {
	Began time.Duration // since the run began
	Holds []Hold        // in the order of time
}

// A Hold is a time in which the clock of a drill stood still, or a moment at
// which it leapt.
type Hold struct {
	At       time.Duration // on the clock of the phases, on which it took no time
	From, To time.Duration // since the run began
	Open     bool          // its end is not known; To is From
	Leap     time.Duration // by how much the clock went on at once; From is To
}

// Observe takes the next event of the drill. Others than [RunDrill], [RunHold],
// [RunGoOn] and [RunCut] change nothing.
func (c *Clock) Observe(e *Event) {
	if e.By != ByRun {
		return
	}
	last := len(c.Holds) - 1
	switch {
	case e.Op == RunDrill:
		*c = Clock{Began: e.At}
	case e.Op == RunHold:
		c.Holds = append(c.Holds, Hold{At: c.Into(e.At), From: e.At, To: e.At, Open: true})
	case e.Op == RunGoOn && last >= 0 && c.Holds[last].Open:
		c.Holds[last].To, c.Holds[last].Open = max(e.At, c.Holds[last].From), false
	case e.Op == RunCut:
		at := c.Into(e.At)
		c.Holds = append(c.Holds, Hold{At: at, From: e.At, To: e.At, Leap: max(0, time.Duration(e.Value)-at)})
	}
}

// Into returns what the clock of the phases shows at a moment, which counts from
// the beginning of the run. It is negative before the drill begins.
func (c *Clock) Into(at time.Duration) time.Duration {
	into := at - c.Began
	for _, h := range c.Holds {
		switch {
		case at < h.From:
			return into
		case at < h.To || h.Open:
			return h.At
		}
		into += h.Leap - (h.To - h.From)
	}
	return into
}

// Held reports whether the clock stands still at a moment of the run.
func (c *Clock) Held(at time.Duration) bool {
	for _, h := range c.Holds {
		if h.From <= at && (at < h.To || h.Open) {
			return true
		}
	}
	return false
}

// At returns when the clock of the phases first shows a time, since the run
// began. The holds that are open last until now.
func (c *Clock) At(into, now time.Duration) time.Duration {
	at := c.Began + into
	for _, h := range c.Holds {
		switch {
		case into <= h.At:
			return at
		case h.Open:
			return at + max(0, now-h.From)
		case into <= h.At+h.Leap:
			return h.To
		}
		at += h.To - h.From - h.Leap
	}
	return at
}
