package loadgen

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// TestClosedModel checks how often users send: each waits for the answer and
// then thinks.
func TestClosedModel(t *testing.T) {
	tests := []struct {
		name    string
		users   Users
		service time.Duration
		want    int // operations within 60 s
		off     int
		most    int64 // at once
	}{
		{"think and service", Users{10, 10, time.Second, time.Second}, time.Second, 300, 10, 10},
		{"no think time", Users{From: 4, To: 4}, 100 * time.Millisecond, 2400, 4, 4},
		{"random think time", Users{50, 50, 500 * time.Millisecond, 1500 * time.Millisecond}, 500 * time.Millisecond, 2000, 60, 50},
		{"ramp up", Users{0, 20, 500 * time.Millisecond, 500 * time.Millisecond}, 500 * time.Millisecond, 600, 20, 20},
		{"ramp down", Users{20, 0, 500 * time.Millisecond, 500 * time.Millisecond}, 500 * time.Millisecond, 600, 20, 20},
		{"nobody", Users{}, time.Second, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var now, most atomic.Int64
				b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
					n := now.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						continue
					}
					pause(r, tt.service)
					now.Add(-1)
				})
				b.Phases = []Phase{{Name: "p", For: time.Minute, Profile: Closed, Users: tt.users}}
				stats := b.drive(t.Context(), t)
				if got := int(stats.Offered); got < tt.want-tt.off || got > tt.want+tt.off {
					t.Errorf("%d operations, want about %d", got, tt.want)
				}
				if most.Load() > tt.most || stats.Planned != 0 || stats.Shed != 0 || stats.Completed != stats.Offered {
					t.Errorf("%d at once, want at most %d; stats %+v", most.Load(), tt.most, stats)
				}
				for _, e := range b.events(t) {
					if e.Sched > time.Minute {
						t.Errorf("an operation was due at %v", e.Sched)
					}
				}
			})
		})
	}
}

// TestClosedBesideOpen has phases of both models. No two operations have the
// same number, and an operation that goes on into the next phase keeps its user
// from sending there.
func TestClosedBesideOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) { pause(r, 700*time.Millisecond) })
		users := Users{From: 2, To: 2}
		b.Phases = []Phase{
			{Name: "open", For: 2 * time.Second, From: 5, To: 5},
			{Name: "closed", For: time.Second, Profile: Closed, Users: users},
			{Name: "again", For: time.Second, Profile: Closed, Users: users},
			{Name: "pause", For: time.Second},
			{Name: "end", For: 2 * time.Second, From: 5, To: 5},
		}
		b.Workload = &ops{next: writes}
		stats := b.drive(t.Context(), t)
		ids, sent := map[string]int{}, map[string][]time.Duration{}
		for _, e := range b.events(t) {
			if e.Kind != history.Invoke {
				ids[e.ID]++
				sent[e.Phase] = append(sent[e.Phase], e.Sched)
			}
		}
		for id, n := range ids {
			if n != 1 {
				t.Errorf("%s was recorded %d times", id, n)
			}
		}
		if len(sent["open"]) != 10 || len(sent["end"]) != 10 || stats.Planned != 20 || int(stats.Offered) != len(ids) {
			t.Errorf("%d and %d arrivals in the open phases, %+v; want 10 and 10", len(sent["open"]), len(sent["end"]), stats)
		}
		const s, ms = time.Second, time.Millisecond
		for phase, want := range map[string][]time.Duration{
			"closed": {2 * s, 2 * s, 2700 * ms, 2700 * ms}, "again": {3400 * ms, 3400 * ms},
		} {
			slices.Sort(sent[phase])
			if !slices.Equal(sent[phase], want) {
				t.Errorf("%s: sent at %v, want %v", phase, sent[phase], want)
			}
		}
	})
}

func TestClosedStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Second) })
		b.Phases = []Phase{{Name: "p", For: time.Hour, Profile: Closed, Users: Users{100, 100, time.Minute, time.Hour}}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Minute, cancel)
		began := time.Now()
		_, err := Drive(ctx, b.Config)
		if took := time.Since(began) - 30*time.Minute; !errors.Is(err, context.Canceled) || took > time.Second {
			t.Errorf("Drive = %v, %v after the stop; want at most the second of an answer", err, took)
		}
		for _, e := range b.events(t) {
			if e.Sched > 30*time.Minute {
				t.Errorf("an operation was due at %v, after the stop", e.Sched)
			}
		}
	})
}

// TestUsersAreShared has two engines with a share of the users each.
func TestUsersAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var total int64
		numbers := map[string]bool{}
		for index := range 2 {
			b := newBench(t, func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Second) })
			b.Phases = []Phase{{Name: "p", For: 10 * time.Second, Profile: Closed, Users: Users{From: 3, To: 3}}}
			b.Share, b.Workload = Share{index, 2}, &ops{next: writes}
			total += b.drive(t.Context(), t).Offered
			for _, e := range b.events(t) {
				numbers[e.ID] = true
			}
		}
		if total != 30 || len(numbers) != 30 {
			t.Errorf("%d operations with %d ids, want 30", total, len(numbers))
		}
	})
}

// TestUsersThatAreShed are not answered, but do not come again at once for that:
// nobody would be sending that often.
func TestUsersThatAreShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Second) })
		b.Phases = []Phase{{Name: "p", For: 10 * time.Second, Profile: Closed, Users: Users{From: 3, To: 3}}}
		b.MaxInFlight = 1
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.Workload = &ops{next: func(seq uint64) Operation {
			if seq > 1000 { // it would go on for ever
				cancel()
			}
			return reads(seq)
		}}
		stats, err := Drive(ctx, b.Config)
		b.events(t)
		if err != nil || stats.Sent < 8 || stats.Shed == 0 || stats.Shed > 25 {
			t.Errorf("%+v, %v; want one operation a second of each of three users", stats, err)
		}
	})
}
