package compare

import (
	"errors"
	"flag"
	"iter"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/reportstest"
)

var update = flag.Bool("update", false, "write the golden files")

// A made is a run that is made up: 200 operations a second for five minutes,
// whose latencies are log-normal about 20 ms, with a level that drifts slowly as
// that of a machine with neighbours does, and pauses now and then.
type made struct {
	seed   uint64
	slower float64       // 0.1 is 10 %
	failed float64       // share
	length time.Duration // 0: five minutes
	shed   float64       // share
	broken bool          // from the beginning
}

func spec() check.Spec {
	return check.Spec{Phases: []check.Phase{{Name: "warmup", For: 10 * time.Second}, {Name: "peak", Start: 10 * time.Second, For: 5 * time.Minute, Score: true}}}
}

func (m made) events() iter.Seq2[*history.Event, error] {
	return func(yield func(*history.Event, error) bool) {
		rng := rand.New(rand.NewPCG(m.seed, 7))
		const began, rate = time.Second, 200
		yield(&history.Event{At: began, By: history.ByRun, Kind: history.Info, Op: history.RunDrill, Drill: 1}, nil)
		if m.broken {
			yield(&history.Event{At: began, By: history.ByFault, Kind: history.Info, Op: history.FaultInject, Drill: 1}, nil)
		}
		length := m.length
		if length == 0 {
			length = 5 * time.Minute
		}
		drift, pause := 0.0, 0.0
		for i := range int(length.Seconds()) * rate {
			if i%rate == 0 {
				drift = 0.9*drift + 0.01*rng.NormFloat64()
				if pause = 0; rng.IntN(40) == 0 {
					pause = 1
				}
			}
			at := began + 10*time.Second + time.Duration(i)*time.Second/rate
			ms := 20 * (1 + m.slower) * math.Exp(drift+0.5*rng.NormFloat64()+pause)
			e := history.Event{
				By: history.ByLoad, Kind: history.OK, Op: []string{"read", "write"}[i%2], Phase: "peak", Drill: 1,
				Sched: at, At: at + time.Duration(ms*float64(time.Millisecond)),
			}
			if rng.Float64() < m.failed {
				e.Kind, e.Class = history.Fail, "status_5xx"
			}
			if m.shed > 0 && rng.Float64() < m.shed {
				e.Kind, e.Class = history.Fail, history.ClassShed
			}
			if !yield(&e, nil) {
				return
			}
		}
	}
}

func manifest() *reports.Manifest {
	return &reports.Manifest{Run: "made", Scenario: reports.Source{Name: "steady-gate"}, Spec: spec()}
}

func (m made) profile(t *testing.T) *Profile {
	t.Helper()
	p, err := Read(manifest(), m.events())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEqualRunsAreAlike compares 20 pairs of runs that differ by chance alone.
func TestEqualRunsAreAlike(t *testing.T) {
	for seed := range uint64(20) {
		a, b := made{seed: 2 * seed, failed: 0.0005}.profile(t), made{seed: 2*seed + 1, failed: 0.0005}.profile(t)
		for _, d := range Compare(a, b, DefaultLimits(DefaultThreshold)).Differences {
			if d.Worse || d.Better {
				t.Errorf("pair %d: %+v", seed, d)
			}
		}
	}
}

// TestRegressionIsSeen compares 20 pairs of runs of which the second is 10 %
// slower, and the other way round.
func TestRegressionIsSeen(t *testing.T) {
	for seed := range uint64(20) {
		a, b := made{seed: 2 * seed}.profile(t), made{seed: 2*seed + 1, slower: 0.1}.profile(t)
		if c := Compare(a, b, DefaultLimits(DefaultThreshold)); c.Worse() == 0 {
			t.Errorf("pair %d: a regression of 10 %% is not seen: %+v", seed, c.Differences)
		}
		if c := Compare(b, a, DefaultLimits(DefaultThreshold)); c.Worse() != 0 {
			t.Errorf("pair %d: what is faster is called worse: %+v", seed, c.Differences)
		}
	}
}

func TestErrorsAreSeen(t *testing.T) {
	c := Compare(made{seed: 1, failed: 0.001}.profile(t), made{seed: 2, failed: 0.01}.profile(t), DefaultLimits(DefaultThreshold))
	for _, d := range c.Differences {
		if d.Worse != (d.Metric == "errors") {
			t.Errorf("%+v; want the errors worse, and nothing else", d)
		}
	}
}

// TestGeneratorThatFellBehind: what it measured says nothing of the system, unless
// something was broken, which can fill a generator up.
func TestGeneratorThatFellBehind(t *testing.T) {
	calm := made{seed: 1}.profile(t)
	for _, tc := range []struct {
		after made
		want  check.Outcome
	}{
		{made{seed: 2, shed: 0.03}, check.Inconclusive},
		{made{seed: 2, shed: 0.03, slower: 0.1}, check.Inconclusive},
		{made{seed: 2, shed: 0.0005}, check.Pass},
		{made{seed: 2, shed: 0.03, broken: true}, check.Fail}, // that much more failed
	} {
		c := Compare(calm, tc.after.profile(t), DefaultLimits(DefaultThreshold))
		if c.Outcome != tc.want || (tc.want == check.Inconclusive) != strings.Contains(c.Sentence, "fell behind in peak: ") {
			t.Errorf("%+v: %s, %s; want %s", tc.after, c.Outcome, c.Sentence, tc.want)
		}
	}
}

// TestJudgedToHaveFallenBehind: latencies count from when an operation was due, so
// one that was sent late says nothing of the system, though it was sent.
func TestJudgedToHaveFallenBehind(t *testing.T) {
	late := made{seed: 2, slower: 0.1}.profile(t)
	late.Behind = "the send lag was 70 ms"
	for _, pair := range [][2]*Profile{{made{seed: 1}.profile(t), late}, {late, made{seed: 1}.profile(t)}} {
		c := Compare(pair[0], pair[1], DefaultLimits(DefaultThreshold))
		if c.Outcome != check.Inconclusive || !strings.Contains(c.Sentence, late.Behind) {
			t.Errorf("%s, %s; want inconclusive for %s", c.Outcome, c.Sentence, late.Behind)
		}
	}
}

// TestWindowsWithoutAnAnswer have no latency, and not one of 0.
func TestWindowsWithoutAnAnswer(t *testing.T) {
	for _, s := range (made{seed: 1, failed: 1}).profile(t).Series {
		if len(s.Values["p50"]) > 0 || len(s.Values["errors"]) == 0 {
			t.Errorf("%s %s: %v", s.Phase, s.Op, s.Values)
		}
	}
}

func TestThreshold(t *testing.T) {
	a, b := made{seed: 1}.profile(t), made{seed: 2, slower: 0.1}.profile(t)
	if c := Compare(a, b, DefaultLimits(20)); c.Worse() != 0 {
		t.Errorf("10 %% are worse although 20 %% are allowed: %+v", c.Differences)
	}
}

func TestTooShort(t *testing.T) {
	c := Compare(made{seed: 1, length: 30 * time.Second}.profile(t), made{seed: 2}.profile(t), DefaultLimits(DefaultThreshold))
	if len(c.Differences) != 0 || len(c.Skipped) != 12 || c.Skipped[0] != "peak p50: 6 and 60 windows, 12 are needed" {
		t.Errorf("%d differences, not compared: %q", len(c.Differences), c.Skipped)
	}
}

func TestTorn(t *testing.T) {
	torn := errors.New("torn")
	_, err := Collect(spec(), func(yield func(*history.Event, error) bool) { yield(nil, torn) })
	if !errors.Is(err, torn) {
		t.Errorf("error %v, want %v", err, torn)
	}
}

// TestMannWhitney compares with values that were worked out by hand, for series
// without correlation: U, less its mean, by its standard deviation.
func TestMannWhitney(t *testing.T) {
	for _, tt := range []struct {
		a, b []float64
		z, p float64
	}{
		{[]float64{1, 4, 2, 3}, []float64{5, 8, 6, 7}, 2.3094, 0.02092},
		{[]float64{1, 1, 1}, []float64{1, 1, 1}, 0, 1},
		{[]float64{3, 1, 2, 2}, []float64{2, 3, 1, 2}, 0, 1},
	} {
		got := mannWhitney(tt.a, tt.b)
		if math.Abs(got.z-tt.z) > 1e-4 || math.Abs(got.p-tt.p) > 1e-4 {
			t.Errorf("mannWhitney(%v, %v) = %+v, want %v and %v", tt.a, tt.b, got, tt.z, tt.p)
		}
		back := mannWhitney(tt.b, tt.a)
		if math.Abs(back.z+got.z) > 1e-9 || math.Abs(back.p-got.p) > 1e-9 {
			t.Errorf("the other way round %+v, want the same with another sign as %+v", back, got)
		}
	}
}

// TestCorrelationCounts says that windows that are alike count as fewer.
func TestCorrelationCounts(t *testing.T) {
	rising := []float64{1, 2, 3, 4, 5, 6, 7, 8}
	mixed := []float64{5, 1, 7, 3, 8, 2, 6, 4}
	up := func(s []float64) []float64 {
		var out []float64
		for _, v := range s {
			out = append(out, v+4)
		}
		return out
	}
	if r := correlation(rising, rising); r < 0.5 || r > 0.7 {
		t.Errorf("correlation of neighbours is %.2f, want about 0.6", r)
	}
	slow, quick := mannWhitney(rising, up(rising)), mannWhitney(mixed, up(mixed))
	if slow.z >= quick.z || slow.z <= 0 {
		t.Errorf("z is %.2f for values that follow each other and %.2f for others; want it smaller", slow.z, quick.z)
	}
}

func TestWrite(t *testing.T) {
	short := reportstest.Slower()
	short.Outcome, short.Sentence = check.Inconclusive, "there was too little to compare"
	short.Differences, short.Notes = nil, nil
	alike := reportstest.Slower()
	alike.Outcome, alike.Sentence, alike.Differences = check.Pass, "nothing is worse", alike.Differences[1:]
	for name, c := range map[string]*reports.Comparison{"worse": reportstest.Slower(), "alike": alike, "inconclusive": short} {
		var b strings.Builder
		if err := Write(&b, c); err != nil {
			t.Fatal(err)
		}
		reportstest.Golden(t, *update, name+".txt", b.String())
	}
	var b strings.Builder
	if err := Describe(&b, made{seed: 1, length: time.Minute}.profile(t)); err != nil {
		t.Fatal(err)
	}
	reportstest.Golden(t, *update, "baseline.txt", b.String())
}
