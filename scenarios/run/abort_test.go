package run

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
)

// A second is what happened in one second of a load.
type second struct {
	ended, bad, late int
	inFlight         int64 // at its end
}

func TestAbortWatch(t *testing.T) {
	well, bad, late, hangs := second{ended: 10}, second{ended: 10, bad: 9}, second{ended: 10, late: 1}, second{inFlight: 3}
	for _, tt := range []struct {
		name    string
		seconds []second
		want    int // second in which it fires, -1 for never
	}{
		{"quiet", []second{well, {ended: 10, bad: 1}, well, {ended: 10, bad: 2}}, -1},
		{"one bad second", []second{well, bad, well, well, bad, well}, -1},
		{"three in a row", []second{well, bad, bad, bad, well}, 3},
		{"just at the limit", []second{{ended: 10, bad: 5}, {ended: 10, bad: 5}, {ended: 10, bad: 5}}, -1},
		{"slow for three seconds", []second{well, late, {ended: 10, late: 5}, late}, 3},
		{"slow for two", []second{well, late, late, well, late, late}, -1},
		{"slow, then failing", []second{well, late, bad, late}, 3},
		{"hangs", []second{{ended: 10, inFlight: 3}, hangs, hangs, hangs}, 3},
		{"hangs, then fails", []second{{ended: 10, inFlight: 3}, hangs, hangs, bad}, 3},
		{"hangs for two seconds", []second{{ended: 10, inFlight: 3}, hangs, hangs, well, {inFlight: 3}, hangs}, -1},
		{"begins to wait", []second{hangs, hangs, hangs, hangs}, 3}, // of the first, nobody knows since when
		{"nothing to do", []second{well, {}, {}, {}, {}}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &abortWatch{limit: 50, slow: time.Second, need: 3}
			fired := -1
			for n, s := range tt.seconds {
				for i := range s.ended {
					e := history.Event{At: time.Minute, Sched: time.Minute - time.Millisecond, Kind: history.OK}
					if i < s.bad {
						e.Kind = history.Fail
					}
					if i < s.late {
						e.Sched = e.At - 2*time.Second
					}
					w.add(&e)
				}
				if w.end(s.inFlight) && fired < 0 {
					fired = n
				}
			}
			if fired != tt.want {
				t.Errorf("fired in second %d, want %d", fired, tt.want)
			}
		})
	}
}

// TestAbortOfWhatHangs has a system that answers nothing: no operation ends, and
// so none can fail. The run is stopped all the same.
func TestAbortOfWhatHangs(t *testing.T) {
	for _, tt := range []struct {
		inFlight int64
		aborts   bool
	}{{5, true}, {0, false}} {
		synctest.Test(t, func(t *testing.T) {
			rig, _ := newTestRig(t, &fakeFault{})
			ctx, cancel := context.WithCancelCause(t.Context())
			stop := rig.abortOn(&scenarios.Abort{Errors: 50, For: 3 * time.Second}, func() int64 { return tt.inFlight }, cancel)
			defer stop()
			<-time.After(4500 * time.Millisecond)
			if aborted := errors.Is(context.Cause(ctx), errAborted); aborted != tt.aborts {
				t.Errorf("%d operations under way and none ended in 4.5 s: aborted %t, want %t", tt.inFlight, aborted, tt.aborts)
			}
		})
	}
}
