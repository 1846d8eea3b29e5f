package loadgen

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

const (
	// maxRate bounds a phase's rate, in operations per second.
	maxRate = 1e6

	// MaxUsers bounds the users of a closed phase.
	MaxUsers = 100_000

	// MaxSteps bounds the steps of a phase.
	MaxSteps = 1000
)

// A Profile is how the load goes within a phase.
type Profile string

// The profiles. A pause is a linear phase at a rate of 0.
const (
	Linear Profile = ""       // at a constant rate, or evenly from one to another
	Step   Profile = "step"   // in Steps parts of equal length, each at a constant rate: From, ..., To
	Spike  Profile = "spike"  // at From, but at To for the length Width from SpikeAt on
	Sine   Profile = "sine"   // between From, where it starts, and To, and back in each Period
	Replay Profile = "replay" // at the moments that Offsets says
	Closed Profile = "closed" // by Users, who wait for an answer and then think: no schedule
)

// A Phase is a named stretch of load. Its fields after For mean something in
// some profiles only.
type Phase struct {
	Name    string
	For     time.Duration
	Profile Profile

	From float64 // operations per second at its start
	To   float64 // and at its end

	Steps          int             // of Step, at least 2
	SpikeAt, Width time.Duration   // of Spike; SpikeAt counts from the phase's start
	Period         time.Duration   // of Sine
	Offsets        []time.Duration // of Replay: since the phase's start, in order
	Users          Users           // of Closed
}

// Users are the clients of a closed phase. Each sends an operation, waits until
// it has ended, thinks and sends the next one. While the system does not answer
// they send nothing: the load of a closed model is kind to a system that is
// broken.
type Users struct {
	From, To int // how many there are at the phase's start, and at its end

	// How long one thinks: a random time, each between the two equally likely.
	ThinkLeast, ThinkMost time.Duration
}

// check says what makes no sense in a phase.
func (p *Phase) check() error {
	rateOK := func(r float64) bool { return r >= 0 && r <= maxRate } // false for NaN
	switch {
	case p.For <= 0:
		return fmt.Errorf("phase %q lasts %v, want more than 0", p.Name, p.For)
	case !rateOK(p.From) || !rateOK(p.To):
		return fmt.Errorf("phase %q goes from %g/s to %g/s, want 0 to %g/s", p.Name, p.From, p.To, float64(maxRate))
	}
	switch p.Profile {
	case Linear:
		return nil
	case Step:
		if p.Steps < 2 || p.Steps > MaxSteps {
			return fmt.Errorf("phase %q has %d steps, want 2 to %d", p.Name, p.Steps, MaxSteps)
		}
	case Spike:
		if p.SpikeAt < 0 || p.Width <= 0 || p.SpikeAt+p.Width > p.For {
			return fmt.Errorf("phase %q has a spike from %v for %v, want one within %v", p.Name, p.SpikeAt, p.Width, p.For)
		}
	case Sine:
		if p.Period <= 0 {
			return fmt.Errorf("phase %q oscillates every %v, want more than 0", p.Name, p.Period)
		}
	case Replay:
		return p.checkOffsets()
	case Closed:
		return p.checkUsers()
	default:
		return fmt.Errorf("phase %q has an unknown profile %q", p.Name, p.Profile)
	}
	return nil
}

func (p *Phase) checkOffsets() error {
	for i, at := range p.Offsets {
		if at < 0 || at >= p.For || i > 0 && at < p.Offsets[i-1] {
			return fmt.Errorf("phase %q: arrival %d at %v, want them in order and within %v", p.Name, i, at, p.For)
		}
	}
	return nil
}

func (p *Phase) checkUsers() error {
	u := p.Users
	if min(u.From, u.To) < 0 || max(u.From, u.To) > MaxUsers {
		return fmt.Errorf("phase %q has %d to %d users, want 0 to %d", p.Name, u.From, u.To, MaxUsers)
	}
	if u.ThinkLeast < 0 || u.ThinkMost < u.ThinkLeast {
		return fmt.Errorf("phase %q: users think %v to %v, want a time and a longer one", p.Name, u.ThinkLeast, u.ThinkMost)
	}
	return nil
}

// Planned returns how many operations the rate of the phase adds up to: its
// exact integral. It is 0 for a closed phase, which nobody plans.
func (p *Phase) Planned() float64 { return p.due(p.For) }

// Peak returns the highest rate of the phase, in operations per second. Of a
// replay it is the largest number of arrivals within any second.
func (p *Phase) Peak() float64 {
	switch p.Profile {
	case Closed:
		return 0
	case Replay:
		most, first := 0, 0
		for i, at := range p.Offsets {
			for at-p.Offsets[first] >= time.Second {
				first++
			}
			most = max(most, i-first+1)
		}
		return float64(most)
	default:
		return max(p.From, p.To)
	}
}

// due returns how many operations are due in the first t of the phase: the
// integral of its rate.
func (p *Phase) due(t time.Duration) float64 {
	s, all := t.Seconds(), p.For.Seconds()
	switch p.Profile {
	case Step:
		i := min(int(s/all*float64(p.Steps)), p.Steps-1)
		part := all / float64(p.Steps)
		return p.dueSteps(i) + p.stepRate(i)*(s-float64(i)*part)
	case Spike:
		in := min(max(s-p.SpikeAt.Seconds(), 0), p.Width.Seconds())
		return p.From*(s-in) + p.To*in
	case Sine:
		// The rate is mid - swing cos(wt).
		w := 2 * math.Pi / p.Period.Seconds()
		mid, swing := (p.From+p.To)/2, (p.To-p.From)/2
		return mid*s - swing/w*math.Sin(w*s)
	case Replay:
		n, _ := slices.BinarySearch(p.Offsets, t)
		return float64(n)
	case Closed:
		return 0
	case Linear:
	}
	return p.From*s + (p.To-p.From)*s*s/(2*all)
}

// after inverts due: it returns how long after the phase's start n operations
// are due.
func (p *Phase) after(n float64) time.Duration {
	var s float64
	switch p.Profile {
	case Step:
		s = p.afterSteps(n)
	case Spike:
		s = p.afterSpike(n)
	case Sine:
		s = p.afterSine(n)
	case Linear, Replay, Closed: // the last two have no rate
		s = p.afterLinear(n)
	}
	return min(max(time.Duration(s*float64(time.Second)), 0), p.For-1)
}

// afterLinear is the root of (To-From)/(2 For) t² + From t - n = 0 in the form
// that loses no digits for small slopes.
func (p *Phase) afterLinear(n float64) float64 {
	slope := (p.To - p.From) / p.For.Seconds()
	rate := math.Sqrt(max(0, p.From*p.From+2*slope*n)) // at that moment
	if p.From+rate == 0 {
		return 0
	}
	return 2 * n / (p.From + rate)
}

// stepRate returns the rate of step i, from 0.
func (p *Phase) stepRate(i int) float64 {
	return p.From + (p.To-p.From)*float64(i)/float64(p.Steps-1)
}

// dueSteps returns how many operations are due in the first i steps.
func (p *Phase) dueSteps(i int) float64 {
	n := float64(i)
	return p.For.Seconds() / float64(p.Steps) * (n*p.From + (p.To-p.From)*n*(n-1)/(2*float64(p.Steps-1)))
}

func (p *Phase) afterSteps(n float64) float64 {
	i := sort.Search(p.Steps-1, func(i int) bool { return p.dueSteps(i+1) > n })
	start := float64(i) * p.For.Seconds() / float64(p.Steps)
	return start + ratio(n-p.dueSteps(i), p.stepRate(i))
}

func (p *Phase) afterSpike(n float64) float64 {
	before, in := p.From*p.SpikeAt.Seconds(), p.To*p.Width.Seconds()
	switch {
	case n < before:
		return n / p.From
	case n < before+in:
		return p.SpikeAt.Seconds() + (n-before)/p.To
	}
	return (p.SpikeAt + p.Width).Seconds() + ratio(n-before-in, p.From)
}

// afterSine finds the moment by halves: there is no formula for it. What is due
// never differs from the mean rate's by more than a part of one swing.
func (p *Phase) afterSine(n float64) float64 {
	mid := (p.From + p.To) / 2
	if mid == 0 {
		return 0
	}
	off := math.Abs(p.To-p.From) / 2 * p.Period.Seconds() / (2 * math.Pi)
	low, high := max(0, (n-off)/mid), min((n+off)/mid, p.For.Seconds())
	for high-low > 1e-10 {
		half := (low + high) / 2
		if half <= low || half >= high {
			break // no more digits
		}
		if p.due(time.Duration(half*float64(time.Second))) < n {
			low = half
		} else {
			high = half
		}
	}
	return low
}

// ratio is a/b, and 0 for no rate: then nothing is due.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
