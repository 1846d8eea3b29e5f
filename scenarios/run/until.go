package run

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// A bound is the end of a phase that lasts until an entry of it is over, and no
// longer than it may.
type bound struct {
	check.Phase

	index int    // of the phase
	step  int    // the entry, as a step of the plan
	waits string // the step that is seen to be over: of a heal, the fault that it ends

	met  chan struct{} // closed when that is over
	once sync.Once

	passed chan struct{} // closed when it is known when the phase ends
	saved  time.Duration // from then on: how much of it was cut off
}

// bound has the phases of a plan end early that may.
func (t *timeline) bound(p *plan.Plan) {
	for i, f := range p.Spec.Phases {
		step := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return f.Until != "" && s.Entry.Name == f.Until })
		if step < 0 {
			continue
		}
		b := &bound{Phase: f, index: i, step: step, waits: f.Until, met: make(chan struct{}), passed: make(chan struct{})}
		if s := p.Steps[step]; s.Verb == scenarios.VerbHeal {
			b.waits = s.Entry.Target
		}
		t.bounds = append(t.bounds, b)
	}
	t.cuts = make(chan loadgen.Cut, len(t.bounds))
}

// over tells the phases that wait for an entry that it is over.
func (t *timeline) over(entry string) {
	for _, b := range t.bounds {
		if b.waits == entry {
			b.once.Do(func() { close(b.met) })
		}
	}
}

// saved returns by how much a step of the plan is earlier than planned, because
// phases before its own ended early. It waits until that is known, and reports
// whether it was before ctx was done.
func (t *timeline) saved(ctx context.Context, step int) (by time.Duration, ok bool) {
	for _, b := range t.bounds {
		if b.step >= step {
			break
		}
		select {
		case <-b.passed:
			by += b.saved
		case <-ctx.Done():
			return 0, false
		}
	}
	return by, true
}

// end ends a phase when the entry that it waits for is over, or notes that it was
// not. The drill's phases begin at start. The end is announced ahead, as the
// beginning of a drill is: whoever holds the load against the phases has to know
// it first.
func (t *timeline) end(ctx context.Context, b *bound, start time.Duration) {
	held, ok := t.held(ctx, b.step+1) // with a gate that is waited for
	if !ok {
		return
	}
	saved, ok := t.saved(ctx, b.step)
	if !ok {
		return
	}
	end := start + b.Start + b.For + held - saved
	timer := time.NewTimer(end - t.rig.Recorder.Now())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
		t.rig.record(history.RunNote, t.drill.N, fmt.Sprintf("phase %s has lasted all of its %s, and %s is not over", b.Name, scenarios.FormatDuration(b.For), b.Until))
	case <-b.met:
		at := min(t.rig.Recorder.Now()+leadIn, end)
		b.saved = end - at
		t.rig.Recorder.Record(history.Event{
			At: at, Kind: history.Info, By: history.ByRun, Op: history.RunCut, ID: b.Until, Drill: t.drill.N, Phase: b.Name, Value: int64(b.Start + b.For),
			Text: fmt.Sprintf("phase %s ends %s before its time: %s is over", b.Name, scenarios.FormatDuration(b.saved.Round(time.Millisecond)), b.Until),
		})
		t.cuts <- loadgen.Cut{Phase: b.index, At: at}
	}
	close(b.passed)
}
