package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// TestQuantilesOfAnOutage has 0.9 % of 200,000 answers take the 3 s of an
// outage, which is just not the 99th percentile. What is reported is within 1 %
// of the exact value, where an estimator that interpolates between the two
// heaps of such a distribution is off by a factor.
func TestQuantilesOfAnOutage(t *testing.T) {
	const n = 200_000
	tally := history.NewTally()
	exact := make([]time.Duration, n)
	for i := range exact {
		exact[i] = 5*time.Millisecond + time.Duration(i*7919%n)*13*time.Millisecond/n // 5 to 18 ms in no order
		if i%1000 < 9 {
			exact[i] = 3 * time.Second
		}
		tally.Observe(&history.Event{Kind: history.OK, By: history.ByLoad, Op: "read", Phase: "p", At: exact[i], Sent: 1})
	}
	slices.Sort(exact)
	cell := tally.Cell("p", "read")
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.991, 0.995, 0.999, 1} {
		want := exact[int(math.Ceil(q*n))-1]
		got := cell.Latency(history.OK, q)
		if off := math.Abs(float64(got-want)) / float64(want); off > 0.01 {
			t.Errorf("quantile %g = %v, want %v within 1 %%", q, got, want)
		}
	}
}

// TestStopAtAnyRate stops the load in the middle: no operation is begun after
// that, however many were due.
func TestStopAtAnyRate(t *testing.T) {
	for _, rate := range []float64{0.25, 10, 1000, 20_000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(http.ResponseWriter, *http.Request) {})
				b.Phases = []Phase{{Name: "p", For: time.Hour, From: rate, To: rate}}
				ctx, cancel := context.WithCancelCause(t.Context())
				stopped := errors.New("kill switch")
				after := time.Duration(2.5 / rate * float64(time.Second)) // between two arrivals
				time.AfterFunc(after, func() { cancel(stopped) })
				began := time.Now()
				stats, err := Drive(ctx, b.Config)
				if took := time.Since(began) - after; !errors.Is(err, stopped) || took >= 100*time.Millisecond {
					t.Errorf("Drive = %v, %v after the stop; want %v within 100 ms", err, took, stopped)
				}
				want := int64(math.Round(after.Seconds() * rate))
				if n := int64(len(b.events(t))); n != stats.Offered || n > want || n < want-1 {
					t.Errorf("%d operations recorded, %d counted; want the %d that were due", n, stats.Offered, want)
				}
			})
		})
	}
}

// TestStopOfALoadThatIsBehind stops a load that has everything due at once.
func TestStopOfALoadThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		b.MaxLag = -1
		b.Phases = []Phase{{Name: "p", For: time.Second, From: 50_000, To: 50_000}}
		b.Start = 1
		time.AfterFunc(time.Minute, cancel)
		<-ctx.Done() // everything is due, and the load is stopped before it begins
		stats, err := Drive(ctx, b.Config)
		seen := len(b.events(t))
		if !errors.Is(err, context.Canceled) || seen != 0 || stats.Offered != 0 {
			t.Errorf("Drive = %v with %d operations, want none", err, seen)
		}
	})
}

// TestNoCatchUpBurst holds the generator itself up for 3 s. What it could not
// send in time is shed and not sent in a burst.
func TestNoCatchUpBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		held := false
		b.Workload = &ops{next: func(seq uint64) Operation {
			if seq == 400 && !held { // the pacer makes operations: this stops all sends
				held = true
				wait(t.Context().Done(), 3*time.Second)
			}
			return reads(seq)
		}}
		b.Phases = []Phase{{Name: "steady", For: 10 * time.Second, From: 200, To: 200}}
		stats := b.drive(t.Context(), t)
		sends := map[int64]int{} // by tenth of a second
		arrived := 0
		for _, e := range b.events(t) {
			arrived++
			if e.Class == ClassShed {
				if e.At-e.Sched <= DefaultMaxLag {
					t.Errorf("operation of %v was shed at %v, in time", e.Sched, e.At)
				}
				continue
			}
			sends[e.Sent.Milliseconds()/100]++
			if e.Sent-e.Sched > DefaultMaxLag {
				t.Errorf("operation of %v was sent at %v", e.Sched, e.Sent)
			}
		}
		burst := int(200 * DefaultMaxLag.Seconds())
		for at, n := range sends {
			if n > 20+burst {
				t.Errorf("%d sends within 100 ms from %d00 ms on, want at most %d", n, at, 20+burst)
			}
		}
		if arrived != 2000 || stats.Late != stats.Shed || max(stats.Shed-int64(600-burst), int64(600-burst)-stats.Shed) > 10 {
			t.Errorf("%d arrivals, %d shed, %d of them late; want 2000, about %d", arrived, stats.Shed, stats.Late, 600-burst)
		}
	})
}

// TestMemoryIsFlat sends many operations and samples what is in use. Buffers
// come and go, so a sample says little; but if every operation left something
// behind, the lowest of the last quarter would be above the highest of the
// second one by what they left.
func TestMemoryIsFlat(t *testing.T) {
	const (
		n       = 20_000
		every   = n / 20
		allowed = 100 // bytes an operation; the smallest thing to keep is larger
	)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 100)) })
		rec, err := history.NewRecorder(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		var ops int
		var inUse []uint64 // after each `every` operations
		rec.Tap(func(*history.Event) {
			ops++
			if ops%every != 0 {
				return
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			inUse = append(inUse, m.HeapAlloc)
		})
		_ = b.Recorder.Close() // it keeps all in memory
		b.Recorder, b.Workload = rec, stateless{}
		b.Phases = []Phase{{Name: "p", For: 10 * time.Second, From: n / 10, To: n / 10}}
		b.drive(t.Context(), t)
		if ops != n {
			t.Fatalf("%d operations, want %d", ops, n)
		}
		before, after := slices.Max(inUse[5:10]), slices.Min(inUse[15:])
		if after > before+allowed*n/4 {
			t.Errorf("at most %d bytes in use after a half, at least %d in the last quarter: %d", before, after, inUse)
		}
	})
}

// TestWorkersEnd has a server stall, which takes a worker for each operation.
// They are gone when it answers at once again.
func TestWorkersEnd(t *testing.T) {
	const stalled = 200
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
			if asked.Add(1) <= stalled {
				pause(r, 500*time.Millisecond)
			}
		})
		_ = b.Recorder.Close() // it keeps all in memory
		rec, err := history.NewRecorder(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		most, last := 0, 0
		rec.Tap(func(e *history.Event) {
			if e.Seq == stalled || e.Seq == stalled*99 {
				last = workers()
				most = max(most, last)
			}
		})
		b.Recorder, b.Workload = rec, stateless{}
		b.Phases = []Phase{{Name: "p", For: 10 * time.Second, From: stalled * 10, To: stalled * 10}}
		b.drive(t.Context(), t)
		if most < stalled*9/10 || last > stalled/4 {
			t.Errorf("%d workers in the stall, %d long after it; want about %d, and few", most, last, stalled)
		}
	})
}

// workers counts the workers of Vegeta.
func workers() int {
	stacks := make([]byte, 4<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "lib.(*Attacker).attack(")
}

// stateless is a workload that remembers nothing.
type stateless struct{}

func (stateless) Ops() []string                    { return []string{"read"} }
func (stateless) Next(_ int, seq uint64) Operation { return reads(seq) }
func (stateless) Observe(*Operation, bool)         {}

// TestEnginesMergeExactly has three engines send the shares of one schedule.
// What they count and record together is what one engine does that sends all.
func TestEnginesMergeExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		phases := []Phase{{Name: "up", For: 4 * time.Second, From: 10, To: 50}, {Name: "p", For: 4 * time.Second, From: 50, To: 50}}
		run := func(share Share) (Stats, *history.Tally, []string) {
			b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
				at, _ := time.ParseDuration(r.Header.Get("X-At"))
				pause(r, at) // each operation its own time, whoever sends it
			})
			b.Workload = &ops{next: func(seq uint64) Operation {
				op := writes(seq)
				op.Header = http.Header{"X-At": {(time.Duration(seq%17) * 10 * time.Millisecond).String()}}
				return op
			}}
			b.Phases = phases
			b.Arrivals, b.Share, b.Seed = Poisson, share, 5
			stats := b.drive(t.Context(), t)
			tally := history.NewTally()
			var log []string
			for _, e := range b.events(t) {
				tally.Observe(&e)
				log = append(log, fmt.Sprint(e.Kind, e.ID, e.Phase, e.Sched, e.At))
			}
			return stats, tally, log
		}
		want, wantTally, wantLog := run(Share{})
		if schedule := newSchedule(t, phases, Poisson, 5); want.Schedule != schedule.Hash() {
			t.Errorf("arrivals have the hash %s, want the schedule's %s", want.Schedule, schedule.Hash())
		}
		var got Stats
		tally := history.NewTally()
		var log []string
		for i := range 3 {
			stats, part, partLog := run(Share{i, 3})
			tally.Merge(part)
			log = append(log, partLog...)
			if i == 0 {
				got = stats
			} else if err := got.Merge(&stats); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(log)
		slices.Sort(wantLog)
		if diff := cmp.Diff(wantLog, log); diff != "" {
			t.Errorf("histories (-one +three):\n%s", diff)
		}
		want.Self, got.Self = Self{}, Self{} // what this machine had to do for it
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("statistics (-one +three):\n%s", diff)
		}
		for _, phase := range wantTally.Phases() {
			one, err := wantTally.Cell(phase, "write").HDR(history.OK)
			three, err2 := tally.Cell(phase, "write").HDR(history.OK)
			if err = errors.Join(err, err2); err != nil || one != three || one == "" {
				t.Errorf("%s: histograms differ: %v", phase, err)
			}
		}
		other := Stats{Schedule: "another"}
		if err := got.Merge(&other); err == nil {
			t.Error("statistics of different arrivals were merged")
		}
	})
}

func TestBadShares(t *testing.T) {
	rec, err := history.NewRecorder(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	for _, share := range []Share{{3, 3}, {-1, 3}, {1, 0}} {
		c := Config{BaseURL: "http://127.0.0.1", Workload: stateless{}, Recorder: rec, Share: share}
		if _, err := Drive(t.Context(), c); err == nil || !strings.Contains(err.Error(), "share of arrivals") {
			t.Errorf("Drive of %+v = %v, want an error of the share", share, err)
		}
	}
}
