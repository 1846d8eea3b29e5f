package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// A pause is the time at a gate, in which the clock of the drill stands still.
type pause struct {
	step int                // of the plan
	at   time.Duration      // on that clock, counted from the start of the phases
	over chan time.Duration // tells the load when it goes on

	passed chan struct{} // closed when it is over
	lasted time.Duration // from then on
}

// pauses lists the gates of a drill.
func pauses(steps []plan.Step, d plan.Drill) []*pause {
	var all []*pause
	for i, s := range steps {
		if s.Verb == scenarios.VerbGate {
			all = append(all, &pause{step: i, at: s.Entry.At + d.Jitter, over: make(chan time.Duration, 1), passed: make(chan struct{})})
		}
	}
	return all
}

// holds tells the load where it stands still.
func (t *timeline) holds() []loadgen.Hold {
	var all []loadgen.Hold
	for _, p := range t.pauses {
		all = append(all, loadgen.Hold{At: p.at, Over: p.over})
	}
	return all
}

// shift returns by how much a step of the plan is later than planned: by all the
// time that passed at the gates before it, less what phases before its own ended
// early. It waits until that is known and reports whether it was before ctx was
// done.
func (t *timeline) shift(ctx context.Context, step int) (by time.Duration, ok bool) {
	held, ok := t.held(ctx, step)
	if !ok {
		return 0, false
	}
	saved, ok := t.saved(ctx, step)
	return held - saved, ok
}

// held returns how long the gates before a step of the plan were open. It waits
// until they are passed and reports whether they were before ctx was done.
func (t *timeline) held(ctx context.Context, step int) (by time.Duration, ok bool) {
	for _, p := range t.pauses {
		if p.step >= step {
			break
		}
		select {
		case <-p.passed:
			by += p.lasted
		case <-ctx.Done():
			return 0, false
		}
	}
	return by, true
}

// stop has the clock of the drill stand still at a moment, on which the gate of
// a step opens, asks there whether to go on, and lets it go on. That it does so
// is announced ahead, as the beginning of a drill is: whoever holds the load
// against the phases has to know it first.
func (t *timeline) stop(ctx context.Context, step int, s plan.Step, at time.Duration) error {
	i := slices.IndexFunc(t.pauses, func(p *pause) bool { return p.step == step })
	p := t.pauses[i]
	if !t.rig.sleepUntil(ctx, at-leadIn) {
		return ctx.Err()
	}
	t.turn(history.RunHold, s, at)
	if !t.rig.sleepUntil(ctx, at) {
		return ctx.Err()
	}
	if err := t.gate(ctx, s); err != nil {
		return err
	}
	now := t.rig.Recorder.Now()
	t.turn(history.RunGoOn, s, now)
	p.lasted = now - at
	p.over <- now
	close(p.passed)
	t.over(s.Entry.Name)
	return nil
}

// turn records that the clock of the drill stands still, or goes on.
func (t *timeline) turn(op string, s plan.Step, at time.Duration) {
	t.rig.Recorder.Record(history.Event{At: at, Kind: history.Info, By: history.ByRun, Op: op, ID: s.Entry.Name, Drill: t.drill.N})
}

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
