package run

import (
	"context"
	"fmt"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports/history"
)

// recover mends a fault, whether or not ctx is done, and sees that it is gone.
func (t *timeline) recover(ctx context.Context, f *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.undo(ctx, f) {
		t.seeRecovered(ctx, f)
	}
}

// undo makes the recover call of a fault that was not mended yet and reports
// whether it did.
func (t *timeline) undo(ctx context.Context, f *fault) bool {
	if f.done {
		return false
	}
	f.release()
	f.watched.Wait()
	t.seeHeld(ctx, f)
	t.noteTarget(f.step, history.FaultRecover, f.active.Undo.Target)
	if err := chaos.Insist(ctx, recoverTimeout, f.active.Recover); err != nil {
		_ = t.fail(f.step, "recover", err) // it stays in the journal
		return false
	}
	f.done = true
	return true
}

// seeHeld looks at a fault for the last time. One that is not in effect any more,
// or that was met by nothing, proves nothing, and the verdict of the run is
// inconclusive.
func (t *timeline) seeHeld(ctx context.Context, f *fault) {
	if !f.settled || f.ended {
		return // not seen in effect, which is noted
	}
	met, err := f.active.Last(ctx)
	switch {
	case ctx.Err() != nil: // cut short
	case err != nil:
		t.note(f.step, history.FaultFailed, history.Fail, fmt.Sprintf("hold %s: %v", f.step.Entry.Name, err))
	case !met:
		t.note(f.step, history.FaultFailed, history.Fail, fmt.Sprintf("hold %s: no traffic met it, so it had no effect", f.step.Entry.Name))
	}
}

func (t *timeline) seeRecovered(ctx context.Context, f *fault) {
	watching, cancel := context.WithTimeout(context.WithoutCancel(ctx), wholeTimeout)
	defer cancel()
	seen, err := f.active.Recovered(watching)
	if err != nil {
		_ = t.fail(f.step, "see recovered", err) // it stays in the journal
		return
	}
	f.whole = true
	t.note(f.step, history.FaultRecovered, history.OK, evidence(seen))
}
