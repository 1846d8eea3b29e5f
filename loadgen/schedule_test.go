package loadgen

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func newSchedule(t *testing.T, phases []Phase, arrivals Arrivals, seed uint64) *Schedule {
	t.Helper()
	s, err := NewSchedule(phases, arrivals, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEvenArrivals(t *testing.T) {
	constant := Phase{Name: "c", For: time.Second, From: 200, To: 200}
	ramp := Phase{Name: "r", For: 10 * time.Second, From: 0, To: 100} // C(t) = 5t²
	pause := Phase{Name: "p", For: 3 * time.Second}
	down := Phase{Name: "d", For: 10 * time.Second, From: 100, To: 0}
	half := Phase{Name: "h", For: time.Second, From: 0.5, To: 0.5}

	tests := []struct {
		name   string
		phases []Phase
		want   int
		at     map[int]time.Duration // some arrivals
	}{
		{"constant", []Phase{constant}, 200, map[int]time.Duration{0: 2500 * time.Microsecond, 199: 997500 * time.Microsecond}},
		{"ramp from 0", []Phase{ramp}, 500, map[int]time.Duration{
			0:   seconds(math.Sqrt(0.1)),
			125: seconds(math.Sqrt(25.1)), // a quarter of them in the first half
			499: seconds(math.Sqrt(99.9)),
		}},
		{"ramp to 0", []Phase{down}, 500, map[int]time.Duration{0: seconds(10 - math.Sqrt(99.9)), 499: seconds(10 - math.Sqrt(0.1))}},
		{"after a pause", []Phase{pause, constant}, 200, map[int]time.Duration{0: 3*time.Second + 2500*time.Microsecond}},
		{"fractions add up over phases", []Phase{half, half, half, half}, 2, map[int]time.Duration{0: 1 * time.Second, 1: 3 * time.Second}},
		{"nothing", []Phase{pause}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSchedule(t, tt.phases, Even, 1)
			got := slices.Collect(s.All())
			if s.Len() != tt.want || len(got) != tt.want {
				t.Fatalf("Len() = %d, All yields %d; want %d", s.Len(), len(got), tt.want)
			}
			for k, at := range tt.at {
				if (got[k].At - at).Abs() > time.Microsecond {
					t.Errorf("arrival %d at %v, want %v", k, got[k].At, at)
				}
			}
		})
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// TestArrivalsAreInOrderAndInTheirPhase checks any schedule: as many arrivals
// as the rates' integral says, numbered, sorted and inside their phase, and
// the same number for both kinds of arrivals.
func TestArrivalsAreInOrderAndInTheirPhase(t *testing.T) {
	check := func(shape [4][3]uint8, seed uint64) bool {
		var phases []Phase
		var due float64
		for _, p := range shape {
			phase := Phase{For: time.Duration(p[0])*50*time.Millisecond + time.Millisecond, From: float64(p[1]), To: float64(p[2]) / 3}
			phases = append(phases, phase)
			due += (phase.From + phase.To) / 2 * phase.For.Seconds()
		}
		ok := true
		for _, arrivals := range []Arrivals{Even, Poisson} {
			s := newSchedule(t, phases, arrivals, seed)
			ok = ok && math.Abs(float64(s.Len())-due) <= 0.5+1e-6
			var last time.Duration
			var n uint64
			for a := range s.All() {
				p := s.phases[a.Phase]
				ok = ok && a.Seq == n && a.At >= last && a.At >= p.start && a.At < p.start+p.For
				last = a.At
				n++
			}
			ok = ok && int(n) == s.Len()
		}
		return ok
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 200}); err != nil {
		t.Error(err)
	}
}

// TestPoissonFollowsTheRate compares the arrivals of a ramp with the integral
// of the rate: the largest distance between the two (Kolmogorov's) is within
// the 0.1 % limit for a fixed seed, and gaps vary as exponential ones do.
func TestPoissonFollowsTheRate(t *testing.T) {
	ramp := Phase{Name: "r", For: 100 * time.Second, From: 50, To: 150}
	for seed := range uint64(5) {
		s := newSchedule(t, []Phase{ramp}, Poisson, seed)
		n := float64(s.Len())
		var worst, sum, squares, last float64
		for a := range s.All() {
			u := ramp.due(a.At) / ramp.due(ramp.For)
			worst = max(worst, math.Abs(u-(float64(a.Seq)+0.5)/n))
			gap := u - last
			sum, squares, last = sum+gap, squares+gap*gap, u
		}
		if limit := 1.95 / math.Sqrt(n); worst > limit {
			t.Errorf("seed %d: distance %.4f from the rate, want at most %.4f", seed, worst, limit)
		}
		mean := sum / n
		if cv := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(cv-1) > 0.05 {
			t.Errorf("seed %d: gaps have a coefficient of variation of %.3f, want 1", seed, cv)
		}
	}
}

func TestSameSeedSameArrivals(t *testing.T) {
	phases := []Phase{{Name: "a", For: 10 * time.Second, From: 20, To: 200}, {Name: "b", For: 5 * time.Second, From: 200, To: 200}}
	hash := func(arrivals Arrivals, seed uint64) string { return newSchedule(t, phases, arrivals, seed).Hash() }
	if a, b := hash(Poisson, 7), hash(Poisson, 7); a != b || len(a) != 64 {
		t.Errorf("two hashes of seed 7: %s, %s", a, b)
	}
	if hash(Poisson, 7) == hash(Poisson, 8) {
		t.Error("seeds 7 and 8 give the same Poisson arrivals")
	}
	if hash(Even, 7) != hash(Even, 8) {
		t.Error("even arrivals depend on the seed")
	}
	c := Config{Phases: phases, Arrivals: Poisson, Seed: 7}
	drills := map[string]bool{}
	for c.Drill = 1; c.Drill <= 3; c.Drill++ {
		s, err := c.Schedule()
		if err != nil {
			t.Fatal(err)
		}
		drills[s.Hash()] = true
	}
	if len(drills) != 3 || !drills[hash(Poisson, 7)] {
		t.Errorf("three drills have %d different schedules, want 3, the first of them of the seed itself", len(drills))
	}
}

func TestBadSchedules(t *testing.T) {
	ok := Phase{Name: "ok", For: time.Second, From: 1, To: 1}
	tests := []struct {
		name     string
		phases   []Phase
		arrivals Arrivals
		want     string
	}{
		{"no phases", nil, Even, "no phases"},
		{"no duration", []Phase{{Name: "x", From: 1, To: 1}}, Even, `phase "x" lasts 0s`},
		{"negative rate", []Phase{ok, {Name: "x", For: 1, From: -1}}, Even, `phase "x" goes from -1/s`},
		{"not a number", []Phase{{Name: "x", For: 1, To: math.NaN()}}, Even, `phase "x" goes from 0/s to NaN/s`},
		{"too fast", []Phase{{Name: "x", For: 1, To: math.Inf(1)}}, Even, `want 0 to 1e+06/s`},
		{"unknown arrivals", []Phase{ok}, "random", `arrivals "random", want even or poisson`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewSchedule(tt.phases, tt.arrivals, 1)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}
