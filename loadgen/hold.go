package loadgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A Hold is a moment at which the schedule stands still until somebody lets it
// go on. The load goes on meanwhile at the rate of that moment, in its phase
// and by the same kind of arrivals; all arrivals that are due from then on are
// later by as much as the hold lasts. What was planned stays as it was: the
// arrivals of a hold are numbered behind the last of the schedule.
type Hold struct {
	At time.Duration // since the schedule began, as if there was no other hold

	// Over delivers, once, the moment at which the schedule goes on, on the
	// recorder's clock. The load does not end before.
	Over <-chan time.Duration
}

// forever is a moment that does not come.
const forever time.Duration = math.MaxInt64

// leastRate is the rate below which nothing arrives in a hold: one operation a
// day.
const leastRate = 1.0 / (24 * 60 * 60)

// holds are the holds of a drill. Only the pacer calls them, but for moment.
type holds struct {
	left     []Hold // of which the first may be open
	cuts     <-chan Cut
	cut      *Cut // the next one; nil: none is known
	schedule *Schedule
	start    time.Duration // of the schedule, on the recorder's clock
	shift    time.Duration // how long it stood still so far, less what was cut off its phases

	passed atomic.Int64 // shift, and
	stands atomic.Int64 // from, for moment

	open  bool
	over  <-chan time.Duration // of the open hold until it has said its end; nil otherwise
	until time.Duration        // the end of the open hold
	phase int
	rate  float64       // operations per second
	next  time.Duration // when the next arrival is due
	n     int           // arrivals of the open hold so far, this one not counted
	rng   *rand.Rand    // of Poisson arrivals
}

// newHolds returns the holds of a schedule that begins at start.
func newHolds(s *Schedule, start time.Duration, all []Hold) (*holds, error) {
	h := &holds{left: all, schedule: s, start: start}
	for i, hold := range all {
		p, ok := s.at(hold.At)
		switch {
		case !ok || i > 0 && hold.At < all[i-1].At:
			return nil, fmt.Errorf("hold the schedule at %v: want moments of its phases, in order", hold.At)
		case !s.phases[p].steady():
			return nil, fmt.Errorf("hold the schedule at %v: phase %q has no rate to go on at", hold.At, s.phases[p].Name)
		}
	}
	h.tell()
	return h, nil
}

// tell keeps for moment what has changed.
func (h *holds) tell() {
	h.passed.Store(int64(h.shift))
	h.stands.Store(int64(h.from()))
}

// moment returns how far the schedule is at a time on the recorder's clock. While
// a hold begins or ends it may be off by an operation.
func (h *holds) moment(now time.Duration) time.Duration {
	return min(now, time.Duration(h.stands.Load())) - h.start - time.Duration(h.passed.Load())
}

// at returns the phase that a moment of the schedule lies in. After its end, which
// is not ok, that is the last.
func (s *Schedule) at(t time.Duration) (phase int, ok bool) {
	for i := range s.phases {
		if p := &s.phases[i]; t < p.start+p.For {
			return i, t >= p.start
		}
	}
	return len(s.phases) - 1, false
}

// steady reports whether the load of a phase can go on as it is at a moment. A
// replay has no rate, and a number of users that changes says who comes and goes
// when.
func (p *Phase) steady() bool {
	return p.Profile != Replay && (p.Profile != Closed || p.Users.From == p.Users.To)
}

// rateAt is the rate at a time within the phase, in operations per second.
func (p *Phase) rateAt(t time.Duration) float64 {
	s, all := t.Seconds(), p.For.Seconds()
	switch p.Profile {
	case Step:
		return p.stepRate(min(int(s/all*float64(p.Steps)), p.Steps-1))
	case Spike:
		if t >= p.SpikeAt && t < p.SpikeAt+p.Width {
			return p.To
		}
		return p.From
	case Sine:
		return (p.From+p.To)/2 - (p.To-p.From)/2*math.Cos(2*math.Pi*s/p.Period.Seconds())
	case Replay, Closed:
		return 0
	case Linear:
	}
	return p.From + (p.To-p.From)*s/all
}

// from is when the first hold that is left begins, on the recorder's clock.
func (h *holds) from() time.Duration {
	if len(h.left) == 0 {
		return forever
	}
	return h.start + h.shift + h.left[0].At
}

// clock is now, or the moment at which the schedule stands still.
func (h *holds) clock(now time.Duration) time.Duration { return min(now, h.from()) }

// sched is when an arrival of the schedule is due, forever if a hold is before
// it of which nobody knows the end.
func (h *holds) sched(a Arrival) time.Duration {
	if len(h.left) > 0 && a.At >= h.left[0].At {
		return forever
	}
	return h.start + h.shift + a.At
}

// begin begins the hold that has to begin by now, if there is one and none is
// open.
func (h *holds) begin(now time.Duration) {
	if h.open || h.from() > now {
		return
	}
	hold := h.left[0]
	h.open, h.over, h.until, h.n = true, hold.Over, forever, 0
	h.phase, _ = h.schedule.at(hold.At) // newHolds has looked
	p := &h.schedule.phases[h.phase]
	h.rate = p.rateAt(hold.At - p.start)
	h.rng = rand.New(rand.NewPCG(h.schedule.seed, 1<<62|uint64(len(h.left))))
	h.next = h.from()
	if h.schedule.arrivals == Even && h.rate >= leastRate {
		h.next -= h.gap() / 2
	}
	h.step()
}

// gap is the mean time between two arrivals.
func (h *holds) gap() time.Duration { return time.Duration(float64(time.Second) / h.rate) }

// step goes on to the next arrival of the open hold.
func (h *holds) step() {
	switch {
	case h.rate < leastRate:
		h.next = forever
	case h.schedule.arrivals == Even:
		h.next += h.gap()
	default:
		h.next += time.Duration(h.rng.ExpFloat64() * float64(h.gap()))
	}
}

// take takes the next arrival of the open hold, if there is one by now.
func (h *holds) take(now time.Duration) (at time.Duration, n int, ok bool) {
	if !h.open || h.next > now || h.next >= h.until {
		return 0, 0, false
	}
	at, n = h.next, h.n
	h.n++
	h.step()
	return at, n, true
}

// say takes the end of the open hold.
func (h *holds) say(until time.Duration) { h.over, h.until = nil, max(until, h.from()) }

// listen asks whether the open hold is over. It does not wait.
func (h *holds) listen() {
	select {
	case until := <-h.over:
		h.say(until)
	default:
	}
}

// end ends the open hold if all of it has passed by now and all of its arrivals
// were taken, and returns how long it was.
func (h *holds) end(now time.Duration) (lasted time.Duration, ok bool) {
	if !h.open || h.until > now || h.next < h.until {
		return 0, false
	}
	lasted = h.until - h.from()
	h.shift += lasted
	h.open, h.left = false, h.left[1:]
	h.tell()
	return lasted, true
}

// wakes returns when begin, take or end may have something to do.
func (h *holds) wakes() time.Duration {
	if h.open {
		return min(h.next, h.until, h.cutAt())
	}
	return min(h.from(), h.cutAt())
}
