package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// maxRate bounds a phase's rate, in operations per second.
const maxRate = 1e6

// A Schedule says when each operation of one drill is to be sent. It depends
// only on its phases, the kind of arrivals and the seed, and its memory not on
// the number of arrivals.
//
// Let C(t) be the number of operations due by time t, the integral of the rate
// over all phases. The k-th arrival from 0 is even where C(t) = k + 1/2: the
// halves keep arrivals off the edges of phases. Poisson arrivals take the same
// number of independent uniform random values in each phase's part of C,
// sorted, in place of the halves.
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
		next := due + p.due(p.For)
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

func (p Phase) check() error {
	rateOK := func(r float64) bool { return r >= 0 && r <= maxRate } // false for NaN
	switch {
	case p.For <= 0:
		return fmt.Errorf("phase %q lasts %v, want more than 0", p.Name, p.For)
	case !rateOK(p.From) || !rateOK(p.To):
		return fmt.Errorf("phase %q goes from %g/s to %g/s, want 0 to %g/s", p.Name, p.From, p.To, float64(maxRate))
	}
	return nil
}

// due returns how many operations are due in the first t of the phase.
func (p Phase) due(t time.Duration) float64 {
	s, all := t.Seconds(), p.For.Seconds()
	return p.From*s + (p.To-p.From)*s*s/(2*all)
}

// after inverts due: it returns how long after the phase's start n operations
// are due. It is the root of (To-From)/(2 For) t² + From t - n = 0 in the form
// that loses no digits for small slopes.
func (p Phase) after(n float64) time.Duration {
	slope := (p.To - p.From) / p.For.Seconds()
	rate := math.Sqrt(max(0, p.From*p.From+2*slope*n)) // at that moment
	if p.From+rate == 0 {
		return 0
	}
	t := time.Duration(2 * n / (p.From + rate) * float64(time.Second))
	return min(max(t, 0), p.For-1)
}

// Len returns the number of arrivals.
func (s *Schedule) Len() int { return s.total }

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
// ns, each as 8 bytes, most significant first.
func (s *Schedule) Hash() string {
	h := sha256.New()
	var b [8]byte
	for a := range s.All() {
		binary.BigEndian.PutUint64(b[:], uint64(a.At)) //nolint:gosec // never negative
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil))
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
	a := Arrival{Seq: uint64(c.seq), At: p.start + p.after(c.due(p)), Phase: c.phase} //nolint:gosec // the index is not negative
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
	return -math.Expm1(-c.sum) * p.due(p.For)
}
