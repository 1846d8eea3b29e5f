package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

// gate asks whether to go on. The load goes on meanwhile; whatever is no yes in
// time stops the run, as a condition of abort: does.
func (t *timeline) gate(ctx context.Context, s plan.Step) error {
	asked := t.rig.Recorder.Now()
	say := func(text string) { t.rig.record(history.RunNote, t.drill.N, "gate "+s.Entry.Name+": "+text) }
	say(s.Text)
	asking, cancel := context.WithTimeout(ctx, s.Within)
	defer cancel()
	yes, err := false, errors.New("there is nobody to ask")
	if t.rig.Ask != nil {
		yes, err = t.rig.Ask(asking, s.Entry.Name, s.Text)
	}
	took := (t.rig.Recorder.Now() - asked).Round(time.Second)
	switch {
	case ctx.Err() != nil:
		return nil // the drill is over, or was interrupted
	case asking.Err() != nil:
		err = fmt.Errorf("nobody answered within %s", s.Within)
	case err == nil && !yes:
		err = fmt.Errorf("the answer was no, after %s", took)
	case err == nil:
		say(fmt.Sprintf("yes, after %s", took))
		return nil
	}
	say(err.Error())
	return fmt.Errorf("%w: gate %s: %w", errAborted, s.Entry.Name, err)
}
