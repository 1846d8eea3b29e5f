package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

// gate asks whether to go on and waits for the answer. Its error ends the
// drill: somebody said no, or nobody said anything in time.
func (t *timeline) gate(ctx context.Context, s plan.Step) error {
	g := Gate{ID: s.Entry.Name, Drill: t.drill.N, Text: s.Text, For: s.Entry.For}
	t.noteGate(g, "open: "+g.Text)
	if t.rig.Ask == nil {
		return t.closed(g, "there is nobody to answer")
	}
	asking, cancel := context.WithTimeout(ctx, g.For)
	defer cancel()
	answer, err := t.rig.Ask(asking, g)
	switch by := cmp.Or(answer.By, "somebody"); {
	case ctx.Err() != nil:
		return ctx.Err() // the drill is over
	case errors.Is(err, context.DeadlineExceeded):
		return t.closed(g, fmt.Sprintf("nobody answered within %s", g.For))
	case err != nil:
		return t.closed(g, err.Error())
	case !answer.GoOn:
		return t.closed(g, "refused by "+by)
	default:
		t.noteGate(g, "passed by "+by)
		return nil
	}
}

// closed records that a gate was not passed.
func (t *timeline) closed(g Gate, why string) error {
	t.noteGate(g, why)
	return fmt.Errorf("%w: %s (%s): %s", errGate, g.ID, g.Text, why)
}

func (t *timeline) noteGate(g Gate, text string) {
	t.rig.Recorder.Record(history.Event{
		Kind: history.Info, By: history.ByRun, Op: history.RunGate, ID: g.ID, Drill: g.Drill, Text: g.ID + " " + text,
	})
}
