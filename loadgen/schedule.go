package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// A Schedule says when each operation of one drill is to be sent. It depends
// only on its phases, the kind of arrivals and the seed, and its memory not on
// the number of arrivals, other than of those that are replayed.
//
// Let C(t) be the number of operations due by time t, the integral of the rate
// over all phases. The k-th arrival from 0 is even where C(t) = k + 1/2: the
// halves keep arrivals off the edges of phases. Poisson arrivals take the same
// number of independent uniform random values in each phase's part of C,
// sorted, in place of the halves. Replayed arrivals are as they were recorded,
// and closed phases have none.
type Schedule struct {
	phases   []stretch
	arrivals Arrivals
	seed     uint64
	total    int
}

// A stretch is a phase with its place in the schedule.
type stretch struct {
	Phase
	start time.Duration // since the schedule began
	base  float64       // C at its start
	first int           // index of its first arrival
	count int           // arrivals in it
}

// An Arrival is the moment at which one operation is due.
type Arrival struct {
	Seq   uint64        // from 0, in the order of time
	At    time.Duration // since the schedule began
	Phase int           // index of the phase that At lies in
}

// NewSchedule lays out the phases one after the other. The error names every
// phase that makes no sense.
func NewSchedule(phases []Phase, arrivals Arrivals, seed uint64) (*Schedule, error) {
	var errs []error
	if arrivals != Even && arrivals != Poisson {
		errs = append(errs, fmt.Errorf("arrivals %q, want %s or %s", arrivals, Even, Poisson))
	}
	if len(phases) == 0 {
		errs = append(errs, errors.New("no phases"))
	}
	s := &Schedule{arrivals: arrivals, seed: seed}
	var start time.Duration
	var due float64
	for _, p := range phases {
		if err := p.check(); err != nil {
			errs = append(errs, err)
			continue
		}
		next := due + p.Planned()
		st := stretch{Phase: p, start: start, base: due, first: s.total, count: int(math.Floor(next+0.5)) - s.total}
		s.phases = append(s.phases, st)
		s.total += st.count
		start += p.For
		due = next
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("plan arrivals: %w", err)
	}
	return s, nil
}

// Len returns the number of arrivals.
func (s *Schedule) Len() int { return s.total }

// Share returns how many of the arrivals are in a share of them.
func (s *Schedule) Share(of Share) int {
	n := max(1, of.Of)
	return (s.total - of.Index + n - 1) / n
}

// Duration returns how long the phases last together.
func (s *Schedule) Duration() time.Duration {
	if len(s.phases) == 0 {
		return 0
	}
	last := s.phases[len(s.phases)-1]
	return last.start + last.For
}

// Phase returns the name of the phase with that index.
func (s *Schedule) Phase(i int) string { return s.phases[i].Name }

// All yields the arrivals in the order of time.
func (s *Schedule) All() iter.Seq[Arrival] {
	return func(yield func(Arrival) bool) {
		for c := s.Cursor(); ; {
			a, ok := c.Next()
			if !ok || !yield(a) {
				return
			}
		}
	}
}

// Hash returns the SHA-256 of all arrivals in hexadecimal: of their times in
// ns, each as 8 bytes, most significant first. After them come, for each closed
// phase, its start, its length, the numbers of users and the thinking times.
func (s *Schedule) Hash() string {
	h := newArrivalHash()
	for a := range s.All() {
		h.add(a.At)
	}
	return h.sum(s)
}

// An arrivalHash is the hash of a schedule whose arrivals are added one by one.
type arrivalHash struct {
	h   hash.Hash
	buf [8]byte
}

func newArrivalHash() *arrivalHash { return &arrivalHash{h: sha256.New()} }

func (a *arrivalHash) add(at time.Duration) {
	binary.BigEndian.PutUint64(a.buf[:], uint64(at)) //nolint:gosec // never negative
	a.h.Write(a.buf[:])
}

// sum returns the hash once all arrivals of the schedule were added.
func (a *arrivalHash) sum(s *Schedule) string {
	for i := range s.phases {
		p := &s.phases[i]
		if p.Profile != Closed {
			continue
		}
		a.add(p.start)
		a.add(p.For)
		a.add(time.Duration(p.Users.From))
		a.add(time.Duration(p.Users.To))
		a.add(p.Users.ThinkLeast)
		a.add(p.Users.ThinkMost)
	}
	return hex.EncodeToString(a.h.Sum(nil))
}

// Cursor returns a new iterator at the first arrival.
func (s *Schedule) Cursor() *Cursor { return &Cursor{s: s, phase: -1} }

// A Cursor walks through the arrivals of a schedule.
type Cursor struct {
	s     *Schedule
	seq   int
	phase int // -1 before the first
	rng   *rand.Rand
	sum   float64 // -ln(1 - the last uniform value), of Poisson
}

// Next returns the next arrival, or false after the last.
func (c *Cursor) Next() (Arrival, bool) {
	if c.seq == c.s.total {
		return Arrival{}, false
	}
	for c.phase < 0 || c.seq == c.s.phases[c.phase].first+c.s.phases[c.phase].count {
		c.phase++
		c.sum = 0
		c.rng = rand.New(rand.NewPCG(c.s.seed, uint64(c.phase))) //nolint:gosec // the index is not negative
	}
	p := &c.s.phases[c.phase]
	a := Arrival{Seq: uint64(c.seq), Phase: c.phase} //nolint:gosec // the index is not negative
	if p.Profile == Replay {
		a.At = p.start + p.Offsets[c.seq-p.first]
	} else {
		a.At = p.start + p.after(c.due(p))
	}
	c.seq++
	return a, true
}

// due returns how many operations are due, counted from the phase's start, at
// the next arrival.
func (c *Cursor) due(p *stretch) float64 {
	if c.s.arrivals == Even {
		return float64(c.seq) + 0.5 - p.base
	}
	// The smallest of m uniform values in (u, 1) is 1-(1-u)V^(1/m) for a
	// uniform V, which gives sorted values one by one with no memory; see
	// J. L. Bentley and J. B. Saxe, Generating Sorted Lists of Random
	// Numbers, 1980.
	left := p.first + p.count - c.seq
	c.sum += c.rng.ExpFloat64() / float64(left)
	return -math.Expm1(-c.sum) * p.Planned()
}
