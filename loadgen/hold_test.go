package loadgen

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// after lets the schedule go on so long after a hold began, which is after from
// on the bench's clock.
func after(from, lasts time.Duration) Hold {
	over := make(chan time.Duration, 1)
	time.AfterFunc(from+lasts, func() { over <- from + lasts })
	return Hold{Over: over}
}

// TestHold stops schedules of every profile twice. All that was planned is sent
// as it was planned, only later, and in between the load goes on at the rate of
// that moment.
func TestHold(t *testing.T) {
	for _, tt := range []struct {
		name     string
		phase    Phase
		arrivals Arrivals
		at       time.Duration
		rate     float64 // at that moment
	}{
		{"constant", Phase{From: 50, To: 50}, Even, 4 * time.Second, 50},
		{"constant, at random", Phase{From: 50, To: 50}, Poisson, 4 * time.Second, 50},
		{"at the start", Phase{From: 50, To: 50}, Even, 2 * time.Second, 50},
		{"ramp", Phase{From: 0, To: 80}, Even, 7 * time.Second, 40},
		{"steps", Phase{Profile: Step, From: 10, To: 50, Steps: 5}, Poisson, 7 * time.Second, 30},
		{"in a spike", Phase{Profile: Spike, From: 10, To: 100, SpikeAt: time.Second, Width: 3 * time.Second}, Even, 4 * time.Second, 100},
		{"beside a spike", Phase{Profile: Spike, From: 10, To: 100, SpikeAt: time.Second, Width: time.Second}, Even, 4 * time.Second, 10},
		{"oscillation", Phase{Profile: Sine, From: 20, To: 60, Period: 10 * time.Second}, Even, 7 * time.Second, 60},
		{"pause", Phase{}, Even, 4 * time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const first, second = 20 * time.Second, 500 * time.Millisecond
				b := newBench(t, nil)
				tt.phase.Name, tt.phase.For = "held", 10*time.Second
				b.Phases = []Phase{{Name: "before", For: 2 * time.Second, From: 20, To: 20}, tt.phase, {Name: "after", For: 2 * time.Second, From: 20, To: 20}}
				b.Arrivals, b.Seed, b.Workload = tt.arrivals, 7, &ops{next: runs}
				end := 11*time.Second + 999*time.Millisecond
				b.Holds = []Hold{after(tt.at, first), after(end+first, second)}
				b.Holds[0].At, b.Holds[1].At = tt.at, end
				schedule, err := b.Schedule()
				if err != nil {
					t.Fatal(err)
				}
				stats := b.drive(t.Context(), t)
				if stats.Shed > 0 || stats.LagMax > 1 || stats.Schedule != schedule.Hash() || stats.Planned != int64(schedule.Len()) {
					t.Errorf("stats = %+v, want arrivals %s, in time", stats, schedule.Hash())
				}
				extra := checkPlanned(t, b.events(t), schedule, func(at time.Duration) time.Duration {
					switch {
					case at < tt.at:
						return at
					case at < end:
						return at + first
					}
					return at + first + second
				})
				within := 0
				for _, e := range extra {
					in := e.Sched >= tt.at && e.Sched < tt.at+first
					if !in && (e.Sched < end+first || e.Sched >= end+first+second) || e.Phase != "held" {
						t.Errorf("an operation of %s at %v, not while the schedule stood still", e.Phase, e.Sched)
					}
					if in {
						within++
					}
				}
				want, off := tt.rate*first.Seconds(), 0.5
				if tt.arrivals == Poisson {
					off = 4 * math.Sqrt(want)
				}
				if math.Abs(float64(within)-want) > off {
					t.Errorf("%d operations while the schedule stood still, want %g", within, want)
				}
			})
		})
	}
}

// runs are operations that are no requests and done at once.
func runs(uint64) Operation {
	return Operation{Op: "op", Extras: Extras{Run: func(context.Context) Outcome { return Outcome{Answer: Done} }}}
}

// checkPlanned checks that each arrival of a schedule was sent once and when it
// was due, and returns what was sent besides.
func checkPlanned(t *testing.T, events []history.Event, s *Schedule, due func(time.Duration) time.Duration) (extra []history.Event) {
	t.Helper()
	sent := map[int64]history.Event{}
	for _, e := range events {
		if _, twice := sent[e.Seq]; twice {
			t.Errorf("two operations have the number %d", e.Seq)
		}
		sent[e.Seq] = e
		if e.Seq > int64(s.Len()) {
			extra = append(extra, e)
		}
	}
	for a := range s.All() {
		e, ok := sent[int64(a.Seq)+1] //nolint:gosec // it is small
		if want := due(a.At); !ok || e.Sched != want || e.Phase != s.Phase(a.Phase) {
			t.Errorf("arrival %d of %s at %v, want it in %s at %v", a.Seq, e.Phase, e.Sched, s.Phase(a.Phase), want)
		}
	}
	return extra
}

// TestHoldOfUsers has users go on while the schedule stands still: at the
// beginning of their phase, and shortly before its end, beyond which some of
// them think already.
func TestHoldOfUsers(t *testing.T) {
	for _, at := range []time.Duration{time.Second, 3*time.Second + 600*time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			const lasts = 30 * time.Second
			b := newBench(t, nil)
			b.Phases = []Phase{
				{Name: "open", For: time.Second, From: 10, To: 10},
				{Name: "closed", For: 3 * time.Second, Profile: Closed, Users: Users{5, 5, time.Second, time.Second}},
				{Name: "again", For: 3 * time.Second, Profile: Closed, Users: Users{5, 5, time.Second, time.Second}},
				{Name: "end", For: time.Second, From: 10, To: 10},
			}
			b.Workload, b.Holds = &ops{next: runs}, []Hold{after(at, lasts)}
			b.Holds[0].At = at
			b.drive(t.Context(), t)
			spans, count := map[string][2]time.Duration{}, map[string]int{}
			for _, e := range b.events(t) {
				s, ok := spans[e.Phase]
				if !ok {
					s[0] = e.Sched
				}
				spans[e.Phase] = [2]time.Duration{min(s[0], e.Sched), max(s[1], e.Sched)}
				count[e.Phase]++
			}
			if n := count["closed"]; n < 160 || n > 170 || count["again"] != 15 || count["open"] != 10 || count["end"] != 10 {
				t.Errorf("held at %v: operations by phase %v, want 5 a second", at, count)
			}
			if s := spans["closed"]; s[0] < time.Second || s[1] < 33*time.Second || s[1] >= 34*time.Second {
				t.Errorf("held at %v: the users sent from %v to %v", at, s[0], s[1])
			}
			if s := spans["again"]; s[0] < 34*time.Second || s[1] >= 37*time.Second {
				t.Errorf("held at %v: the users of the next phase sent from %v to %v", at, s[0], s[1])
			}
			if s := spans["end"]; s[0] < 37*time.Second {
				t.Errorf("held at %v: the last phase began at %v", at, s[0])
			}
		})
	}
}

// TestHoldThatIsNotLeft ends with its context, and not before: also where
// nothing is planned after it.
func TestHoldThatIsNotLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.Phases = []Phase{{Name: "last", For: time.Second, From: 2, To: 2}}
		b.Workload, b.Holds = &ops{next: runs}, []Hold{{At: 900 * time.Millisecond, Over: make(chan time.Duration)}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		stats, err := Drive(ctx, b.Config)
		if !errors.Is(err, context.DeadlineExceeded) || b.Recorder.Now() < time.Minute {
			t.Errorf("Drive() = %v after %v", err, b.Recorder.Now())
		}
		if stats.Offered < 119 || stats.Offered > 121 || stats.Planned != 2 {
			t.Errorf("%d operations, %d planned; want about 120, 2", stats.Offered, stats.Planned)
		}
		b.events(t)
	})
}

func TestBadHolds(t *testing.T) {
	open := Phase{Name: "open", For: time.Second, From: 1, To: 1}
	for _, tt := range []struct {
		name  string
		phase Phase
		at    []time.Duration
		want  string
	}{
		{"after the end", open, []time.Duration{time.Second}, "moments of its phases"},
		{"out of order", open, []time.Duration{2, 1}, "in order"},
		{"replay", Phase{Name: "r", For: time.Second, Profile: Replay, Offsets: []time.Duration{0}}, []time.Duration{1}, `"r" has no rate`},
		{"users who come", Phase{Name: "u", For: time.Second, Profile: Closed, Users: Users{From: 1, To: 2}}, []time.Duration{1}, `"u" has no rate`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, nil)
			b.Phases = []Phase{tt.phase}
			for _, at := range tt.at {
				b.Holds = append(b.Holds, Hold{At: at})
			}
			if _, err := Drive(t.Context(), b.Config); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Drive() = %v, want %q", err, tt.want)
			}
			b.events(t)
		})
	}
}
