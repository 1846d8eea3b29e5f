package loadgen

import (
	"testing"
	"testing/synctest"
	"time"
)

// cut ends a phase early, and says so a quarter of a second ahead.
func cut(phase int, at time.Duration) <-chan Cut {
	cuts := make(chan Cut, 1)
	time.AfterFunc(at-250*time.Millisecond, func() { cuts <- Cut{Phase: phase, At: at} })
	return cuts
}

// TestCut ends the second of three phases at 5.5 s. What is due before that is
// sent as it was planned, the rest of the phase never, and the last phase as it
// was planned but earlier.
func TestCut(t *testing.T) {
	const end, natural = 5*time.Second + 500*time.Millisecond, 62 * time.Second
	for name, phase := range map[string]Phase{
		"constant": {From: 50, To: 50},
		"ramp":     {From: 0, To: 80},
		"steps":    {Profile: Step, From: 10, To: 50, Steps: 5},
		"replay":   {Profile: Replay, Offsets: []time.Duration{0, 3 * time.Second, 3501 * time.Millisecond, time.Minute - 1}},
		"pause":    {},
	} {
		for _, arrivals := range []Arrivals{Even, Poisson} {
			t.Run(name+" "+string(arrivals), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, nil)
					phase.Name, phase.For = "short", time.Minute
					b.Phases = []Phase{{Name: "before", For: 2 * time.Second, From: 20, To: 20}, phase, {Name: "after", For: 2 * time.Second, From: 20, To: 20}}
					b.Arrivals, b.Seed, b.Workload, b.Cuts = arrivals, 7, &ops{next: runs}, cut(1, end)
					schedule, err := b.Schedule()
					if err != nil {
						t.Fatal(err)
					}
					stats := b.drive(t.Context(), t)
					sent := map[int64]time.Duration{}
					for _, e := range b.events(t) {
						sent[e.Seq] = e.Sched
						if want := schedule.phases[0].count; e.Seq > int64(want) && e.Phase == "before" {
							t.Errorf("operation %d of %s", e.Seq, e.Phase)
						}
					}
					skipped := int64(0)
					for a := range schedule.All() {
						at, ok := sent[int64(a.Seq)+1] //nolint:gosec // it is small
						want := a.At
						if a.Phase == 2 {
							want -= natural - end
						}
						switch {
						case a.Phase == 1 && a.At >= end:
							skipped++
							if ok {
								t.Errorf("an arrival at %v was sent at %v", a.At, at)
							}
						case !ok || at != want:
							t.Errorf("an arrival at %v was sent at %v, want %v", a.At, at, want)
						}
					}
					if stats.Skipped["short"] != skipped || stats.Schedule != schedule.Hash() || stats.Shed > 0 || stats.LagMax > 1 {
						t.Errorf("stats = %+v, want %d skipped of arrivals %s, in time", stats, skipped, schedule.Hash())
					}
				})
			})
		}
	}
}

// TestCutOfUsers ends a phase of users early, and then they are gone.
func TestCutOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.Phases = []Phase{
			{Name: "closed", For: time.Hour, Profile: Closed, Users: Users{5, 5, time.Second, time.Second}},
			{Name: "again", For: 3 * time.Second, Profile: Closed, Users: Users{5, 5, time.Second, time.Second}},
			{Name: "end", For: time.Second, From: 10, To: 10},
		}
		b.Workload, b.Cuts = &ops{next: runs}, cut(0, 10*time.Second)
		b.drive(t.Context(), t)
		count, last := map[string]int{}, map[string]time.Duration{}
		for _, e := range b.events(t) {
			count[e.Phase]++
			last[e.Phase] = max(last[e.Phase], e.Sched)
		}
		if count["closed"] != 50 || count["again"] != 15 || count["end"] != 10 {
			t.Errorf("operations by phase %v, want 5 and 10 a second", count)
		}
		if last["closed"] >= 10*time.Second || last["again"] >= 13*time.Second || last["end"] != 13*time.Second+950*time.Millisecond {
			t.Errorf("the last operations were at %v", last)
		}
	})
}

// TestCutThatIsLate leaves a phase alone that is over, or has not begun.
func TestCutThatIsLate(t *testing.T) {
	for phase, at := range map[int]time.Duration{0: 2500 * time.Millisecond, 1: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			b.Phases = []Phase{{Name: "a", For: 2 * time.Second, From: 10, To: 10}, {Name: "b", For: 2 * time.Second, From: 10, To: 10}}
			b.Workload, b.Cuts = &ops{next: runs}, cut(phase, at)
			stats := b.drive(t.Context(), t)
			if stats.Offered != 40 || stats.Skipped != nil || b.Recorder.Now() < 3900*time.Millisecond {
				t.Errorf("phase %d cut at %v: stats = %+v after %v, want all 40", phase, at, stats, b.Recorder.Now())
			}
			b.events(t)
		})
	}
}
