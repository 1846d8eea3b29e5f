package run

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
)

// abortInterval is how often the condition of an abort is judged.
const abortInterval = time.Second

// abortOn cancels the drill once the error share or the latency was over its
// limit in each second of the condition's duration. How many operations are
// under way says whether a second without an answer was one of a system that
// hangs. The returned function ends the watch.
func (r *Rig) abortOn(a *scenarios.Abort, inFlight func() int64, cancel context.CancelCauseFunc) (stop func()) {
	w := &abortWatch{limit: a.Errors, slow: a.P99, need: max(1, int(a.For/abortInterval))}
	remove := r.Recorder.Tap(func(e *history.Event) {
		if e.By == history.ByLoad && e.Kind != history.Invoke {
			w.add(e)
		}
	})
	over := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		tick := time.NewTicker(abortInterval)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if w.end(inFlight()) {
				cancel(fmt.Errorf("%w: %s for %s", errAborted, a.Condition(), a.For))
				return
			}
		}
	})
	return func() {
		remove()
		close(over)
		ticking.Wait()
	}
}

// An abortWatch counts consecutive bad seconds.
type abortWatch struct {
	limit float64       // percent of errors
	slow  time.Duration // latency that one in a hundred may exceed; 0: none
	need  int           // seconds in a row

	mu      sync.Mutex
	total   int // completions of this second
	bad     int
	late    int
	waiting int64 // operations that were under way when it began
	row     int   // bad seconds in a row before it
}

// add counts a completion.
func (w *abortWatch) add(e *history.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total++
	if e.Kind != history.OK {
		w.bad++
	}
	if w.slow > 0 && e.At-e.Sched > w.slow {
		w.late++
	}
}

// end ends a second, with so many operations under way, and reports whether the
// condition holds.
func (w *abortWatch) end(inFlight int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over() {
		w.row++
	} else {
		w.row = 0
	}
	w.total, w.bad, w.late, w.waiting = 0, 0, 0, inFlight
	return w.row >= w.need
}

// over reports whether the second was bad: too much of what ended had failed or
// was late, or nothing ended of what had been under way all the time. A system
// that hangs answers nothing that could be counted.
func (w *abortWatch) over() bool {
	if w.total == 0 {
		return w.waiting > 0
	}
	return 100*float64(w.bad)/float64(w.total) > w.limit || 100*w.late > w.total
}
