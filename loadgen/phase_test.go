package loadgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// rate is the rate of a phase as its documentation says it, independent of the
// integral.
func (p *Phase) rate(t time.Duration) float64 {
	part := t.Seconds() / p.For.Seconds()
	switch p.Profile {
	case Step:
		i := math.Floor(part * float64(p.Steps))
		return p.From + (p.To-p.From)*i/float64(p.Steps-1)
	case Spike:
		if t >= p.SpikeAt && t < p.SpikeAt+p.Width {
			return p.To
		}
		return p.From
	case Sine:
		return (p.From+p.To)/2 - (p.To-p.From)/2*math.Cos(2*math.Pi*t.Seconds()/p.Period.Seconds())
	default:
		return p.From + (p.To-p.From)*part
	}
}

func profiles() map[string]Phase {
	return map[string]Phase{
		"linear":          {For: 10 * time.Second, From: 20, To: 80},
		"pause":           {For: 10 * time.Second},
		"steps up":        {For: 10 * time.Second, Profile: Step, Steps: 5, From: 10, To: 50},
		"steps from 0":    {For: 9 * time.Second, Profile: Step, Steps: 3, From: 0, To: 30},
		"steps to 0":      {For: 9 * time.Second, Profile: Step, Steps: 3, From: 30, To: 0},
		"spike":           {For: 10 * time.Second, Profile: Spike, From: 10, To: 200, SpikeAt: 3 * time.Second, Width: time.Second},
		"spike from 0":    {For: 10 * time.Second, Profile: Spike, From: 0, To: 200, SpikeAt: 3 * time.Second, Width: time.Second},
		"hole":            {For: 10 * time.Second, Profile: Spike, From: 100, To: 0, SpikeAt: 0, Width: 4 * time.Second},
		"sine":            {For: 10 * time.Second, Profile: Sine, From: 10, To: 90, Period: 4 * time.Second},
		"sine from above": {For: 10 * time.Second, Profile: Sine, From: 90, To: 0, Period: 3 * time.Second},
		"long sine":       {For: 10 * time.Second, Profile: Sine, From: 0, To: 50, Period: time.Minute},
	}
}

// TestPlannedIsTheIntegralOfTheRate adds the rate up in small parts.
func TestPlannedIsTheIntegralOfTheRate(t *testing.T) {
	for name, p := range profiles() {
		t.Run(name, func(t *testing.T) {
			const part = 100 * time.Microsecond
			sum := 0.0
			for at := time.Duration(0); at < p.For; at += part {
				if got := p.due(at); math.Abs(got-sum) > 0.05 {
					t.Fatalf("due(%v) = %g, want %g", at, got, sum)
				}
				sum += p.rate(at+part/2) * part.Seconds()
			}
			if math.Abs(p.Planned()-sum) > 0.05 {
				t.Errorf("Planned() = %g, want %g", p.Planned(), sum)
			}
		})
	}
}

// TestEvenArrivalsOfAnyProfile checks that arrival k is where k+1/2 are due,
// over several phases, so that no arrival is lost between two of them.
func TestEvenArrivalsOfAnyProfile(t *testing.T) {
	for name, p := range profiles() {
		t.Run(name, func(t *testing.T) {
			odd := Phase{Name: "odd", For: 700 * time.Millisecond, From: 1, To: 1} // 0.7 of an arrival
			s := newSchedule(t, []Phase{odd, p, odd}, Even, 1)
			if want := math.Floor(1.4 + p.Planned() + 0.5); float64(s.Len()) != want {
				t.Errorf("%d arrivals, want %g", s.Len(), want)
			}
			last := time.Duration(-1)
			for a := range s.All() {
				if a.At < last {
					t.Fatalf("arrival %d at %v, before %v", a.Seq, a.At, last)
				}
				last = a.At
				if a.Phase != 1 {
					continue
				}
				at := a.At - odd.For
				if due := 0.7 + p.due(at); math.Abs(due-float64(a.Seq)-0.5) > 1e-5 {
					t.Errorf("arrival %d at %v, where %g are due", a.Seq, at, due)
				}
			}
		})
	}
}

// TestPoissonFollowsAnyProfile counts arrivals in parts of the phase: of many
// seeds together, none is off by more than five standard deviations.
func TestPoissonFollowsAnyProfile(t *testing.T) {
	const parts, seeds = 20, 50
	for name, p := range profiles() {
		t.Run(name, func(t *testing.T) {
			var got [parts]float64
			for seed := range uint64(seeds) {
				for a := range newSchedule(t, []Phase{p}, Poisson, seed).All() {
					got[int(a.At*parts/p.For)]++
				}
			}
			for i := range got {
				from, to := p.For*time.Duration(i)/parts, p.For*time.Duration(i+1)/parts
				want := seeds * (p.due(to) - p.due(from))
				if math.Abs(got[i]-want) > 5*math.Sqrt(want)+float64(seeds)/2+1e-6 {
					t.Errorf("%g arrivals from %v to %v, want about %g", got[i], from, to, want)
				}
			}
		})
	}
}

func TestReplayedArrivals(t *testing.T) {
	offsets := []time.Duration{0, 1, 1, time.Second, 2*time.Second - 1}
	replay := Phase{Name: "r", For: 2 * time.Second, Profile: Replay, Offsets: offsets}
	steady := Phase{Name: "s", For: time.Second, From: 2, To: 2}
	for _, arrivals := range []Arrivals{Even, Poisson} {
		s := newSchedule(t, []Phase{steady, replay, steady}, arrivals, 1)
		var got []time.Duration
		for a := range s.All() {
			if a.Phase == 1 {
				got = append(got, a.At-time.Second)
			}
		}
		if !slices.Equal(got, offsets) || s.Len() != 9 {
			t.Errorf("%s: %v of %d arrivals, want %v of 9", arrivals, got, s.Len(), offsets)
		}
	}
	if replay.Planned() != 5 || replay.Peak() != 3 {
		t.Errorf("planned %g, peak %g; want 5, and 3 within a second", replay.Planned(), replay.Peak())
	}
}

// TestMemoryOfASchedule draws a million arrivals of each profile.
func TestMemoryOfASchedule(t *testing.T) {
	phases := []Phase{
		{For: time.Second, From: 1e5, To: 3e5},
		{For: time.Second, Profile: Step, Steps: 7, From: 1e5, To: 3e5},
		{For: time.Second, Profile: Spike, From: 1e5, To: 4e5, SpikeAt: time.Millisecond, Width: time.Second / 3},
		{For: time.Second, Profile: Sine, From: 1e5, To: 3e5, Period: time.Second / 3},
	}
	s := newSchedule(t, phases, Even, 1)
	c := s.Cursor()
	if n := testing.AllocsPerRun(1, func() {
		for more := true; more; {
			_, more = c.Next()
		}
	}); n > 8 { // one random source a phase
		t.Errorf("%g allocations for %d arrivals", n, s.Len())
	}
}

// TestSharesAreTheWhole has several engines take their shares of a schedule.
func TestSharesAreTheWhole(t *testing.T) {
	s := newSchedule(t, []Phase{{For: 10 * time.Second, From: 10, To: 50}}, Poisson, 3)
	for of := 1; of < 6; of++ {
		sum := 0
		for index := range of {
			share := Share{index, of}
			own := 0
			for a := range s.All() {
				if int(a.Seq)%of == index { //nolint:gosec // there are few
					own++
				}
			}
			if n := s.Share(share); n != own {
				t.Errorf("engine %d of %d has %d arrivals, want %d", index, of, n, own)
			}
			sum += own
		}
		if sum != s.Len() {
			t.Errorf("%d engines have %d of %d arrivals", of, sum, s.Len())
		}
	}
}

func TestBadProfiles(t *testing.T) {
	ok := Phase{Name: "x", For: 10 * time.Second, From: 1, To: 2}
	for want, change := range map[string]func(*Phase){
		`has 1 steps, want 2 to 1000`:               func(p *Phase) { p.Profile, p.Steps = Step, 1 },
		`has 1001 steps`:                            func(p *Phase) { p.Profile, p.Steps = Step, 1001 },
		`has a spike from 9s for 2s, want one with`: func(p *Phase) { p.Profile, p.SpikeAt, p.Width = Spike, 9*time.Second, 2*time.Second },
		`has a spike from -1s`:                      func(p *Phase) { p.Profile, p.SpikeAt, p.Width = Spike, -time.Second, 2*time.Second },
		`oscillates every 0s`:                       func(p *Phase) { p.Profile = Sine },
		`arrival 1 at 1s`:                           func(p *Phase) { p.Profile, p.Offsets = Replay, []time.Duration{2 * time.Second, time.Second} },
		`arrival 0 at 10s`:                          func(p *Phase) { p.Profile, p.Offsets = Replay, []time.Duration{10 * time.Second} },
		`has 5 to -1 users`:                         func(p *Phase) { p.Profile, p.Users = Closed, Users{From: 5, To: -1} },
		`has 1 to 100001 users`:                     func(p *Phase) { p.Profile, p.Users = Closed, Users{From: 1, To: MaxUsers + 1} },
		`users think 2s to 1s`: func(p *Phase) {
			p.Profile, p.Users = Closed, Users{1, 1, 2 * time.Second, time.Second}
		},
		`unknown profile "square"`: func(p *Phase) { p.Profile = "square" },
	} {
		p := ok
		change(&p)
		if _, err := NewSchedule([]Phase{p}, Even, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want one with %q", err, want)
		}
	}
}

// FuzzProfile checks any phase that passes the check: its arrivals are as many
// as planned, in order and inside it.
func FuzzProfile(f *testing.F) {
	for i := range uint64(5) {
		f.Add(i, uint8(i), uint16(100), uint16(300*i))
	}
	f.Fuzz(func(t *testing.T, seed uint64, profile uint8, from, to uint16) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p := Phase{
			For:  1 + time.Duration(rng.Int64N(int64(10*time.Second))),
			From: float64(from) / 7, To: float64(to) / 3,
			Profile: []Profile{Linear, Step, Spike, Sine}[profile%4], Steps: 2 + rng.IntN(20),
			SpikeAt: time.Duration(rng.Int64N(int64(5 * time.Second))), Width: 1 + time.Duration(rng.Int64N(int64(5*time.Second))),
			Period: 1 + time.Duration(rng.Int64N(int64(20*time.Second))),
		}
		for _, arrivals := range []Arrivals{Even, Poisson} {
			s, err := NewSchedule([]Phase{p}, arrivals, seed)
			if err != nil {
				return
			}
			last, n := time.Duration(0), 0
			for a := range s.All() {
				if a.At < last || a.At >= p.For {
					t.Fatalf("%+v: arrival %d at %v, after one at %v", p, a.Seq, a.At, last)
				}
				last = a.At
				n++
			}
			if math.Abs(float64(n)-p.Planned()) > 0.5+1e-6 {
				t.Fatalf("%+v: %d arrivals, want %g", p, n, p.Planned())
			}
		}
	})
}

func ExampleParseConnections() {
	for _, text := range []string{"reuse", "new", "8 per host", "0 per host", "eight"} {
		c, err := ParseConnections(text)
		fmt.Println(c, err)
	}
	// Output:
	// reuse <nil>
	// new <nil>
	// 8 per host <nil>
	// reuse parse connections "0 per host": want reuse, new or N per host
	// reuse parse connections "eight": want reuse, new or N per host
}
