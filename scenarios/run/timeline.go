package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// The bounds on the steps of a fault's life. Recovery has the longest: a
// database node may have to be rewound before it is whole again.
const (
	settleTimeout  = 15 * time.Second
	recoverTimeout = 30 * time.Second
	wholeTimeout   = 90 * time.Second
)

// A timeline carries out the entries of one drill.
type timeline struct {
	rig     *Rig
	drill   plan.Drill
	steps   []plan.Step
	pauses  []*pause // of steps
	bounds  []*bound // of phases
	cuts    chan loadgen.Cut
	targets *chaos.Targets

	wg     sync.WaitGroup
	mu     sync.Mutex
	faults []*fault // in the order of injection
	errs   []error
	made   map[string]chaos.Fault // by entry name

	marks   map[string]time.Duration // by entry name, on the recorder's clock
	backups chan struct{}            // holds something while one is taken
}

// A fault is a fault of the timeline that was injected.
type fault struct {
	step   plan.Step
	active *chaos.Active

	holding context.Context //nolint:containedctx // done when the fault is about to be undone, or the drill ends
	release context.CancelFunc
	watched sync.WaitGroup // the hold
	settled bool           // and held
	ended   bool           // before its time, by something else

	mu    sync.Mutex // one recovery at a time; the second finds it done
	done  bool
	whole bool // seen to be
}

func newTimeline(r *Rig, d plan.Drill, steps []plan.Step) *timeline {
	return &timeline{
		rig: r, drill: d, steps: steps, pauses: pauses(steps, d),
		targets: chaos.NewTargets(r.Env), made: map[string]chaos.Fault{}, marks: map[string]time.Duration{},
		backups: make(chan struct{}, 1),
	}
}

// warm makes all faults and prepares them once, ahead of their time, so that
// what takes long (auxiliary containers) is there when the moment comes. They
// are prepared again at the moment itself, when the primary may be another.
//
// Its error says what the environment turns out not to have the means for: the
// load need not begin.
func (t *timeline) warm(ctx context.Context) error {
	var errs []error
	for _, s := range t.steps {
		if !s.Fault {
			continue
		}
		f, err := t.rig.Catalog.New(s.Verb, t.rig.Env, t.targets, s.Params)
		if err != nil {
			errs = append(errs, t.fail(s, "make", err))
			continue
		}
		t.made[s.Entry.Name] = f
		// A target that cannot be resolved yet, such as the old primary, is
		// not an error before its time.
		_, err = f.Prepare(ctx)
		switch {
		case errors.Is(err, sut.ErrUnsupported):
			errs = append(errs, t.fail(s, "make", err))
		case err != nil:
			t.rig.record(history.RunNote, t.drill.N, fmt.Sprintf("%s: prepared only at its time: %v", f, err))
		}
	}
	return errors.Join(errs...)
}

// begin starts one goroutine an entry. The drill's phases begin at start. An
// entry that cannot be carried out ends the drill through cancel.
func (t *timeline) begin(ctx context.Context, start time.Duration, cancel func(error)) {
	for _, b := range t.bounds {
		t.wg.Go(func() { t.end(ctx, b, start) })
	}
	for i, s := range t.steps {
		t.wg.Go(func() {
			later, ok := t.shift(ctx, i)
			if !ok {
				return
			}
			if err := t.carryOut(ctx, i, start+s.Entry.At+t.drill.Jitter+later); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
}

// wait returns when all entries are over.
func (t *timeline) wait() { t.wg.Wait() }

// carryOut does what one entry says when its moment comes. Its error means that
// the drill makes no sense any more.
func (t *timeline) carryOut(ctx context.Context, step int, at time.Duration) error {
	s := t.steps[step]
	if s.Verb == scenarios.VerbGate {
		return t.stop(ctx, step, s, at)
	}
	if !t.rig.sleepUntil(ctx, at) {
		return nil
	}
	switch {
	case s.Fault:
		return t.inject(ctx, s)
	case s.Verb == "heal":
		return t.heal(ctx, s)
	case s.Verb == "start":
		return t.start(ctx, s)
	case s.Verb == scenarios.VerbSQL:
		return t.statement(ctx, s)
	case s.Verb == scenarios.VerbExec:
		return t.command(ctx, s)
	case s.Verb == scenarios.VerbScale:
		return t.scale(ctx, s)
	case s.Verb == scenarios.VerbHTTP:
		return t.request(ctx, s)
	case s.Verb == scenarios.VerbBackup:
		return t.backup(ctx, s)
	case s.Verb == scenarios.VerbRestore:
		return t.restore(ctx, s)
	case s.Verb == "mark":
		t.mark(s)
		t.say(s, history.RunMark)
		return nil
	default:
		t.say(s, history.RunNote)
		return nil
	}
}

// inject breaks something, sees that it is broken, and mends it after its time.
func (t *timeline) inject(ctx context.Context, s plan.Step) error {
	active, err := chaos.Arm(ctx, t.rig.Journal, t.rig.Catalog, t.rig.Env, t.made[s.Entry.Name], func(u chaos.Undo) {
		t.noteTarget(s, history.FaultInject, u.Target)
	})
	if cutShort(ctx, err) {
		return nil // nothing was broken yet
	}
	if err != nil {
		return t.fail(s, "inject", err)
	}
	f := &fault{step: s, active: active}
	f.holding, f.release = context.WithCancel(ctx)
	t.mu.Lock()
	t.faults = append(t.faults, f)
	t.mu.Unlock()
	t.noteTarget(s, history.FaultInjected, active.Undo.Target)

	injected := t.rig.Recorder.Now()
	if t.settle(ctx, f) {
		t.hold(f)
	}
	// Without a time of its own it ends with the drill, or by another entry,
	// but not even a drill may go on for longer than any fault may last.
	if t.rig.sleepUntil(f.holding, injected+s.Params.TTL()) { //nolint:contextcheck // it was made from ctx
		t.recover(ctx, f)
	}
	return nil
}

// hold watches a fault in effect beside its time. If it ends early, the run
// goes on and its verdict is inconclusive.
func (t *timeline) hold(f *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return
	}
	f.settled = true
	f.watched.Go(func() {
		if err := f.active.Hold(f.holding); err != nil {
			f.ended = true
			t.note(f.step, history.FaultFailed, history.Fail, fmt.Sprintf("hold %s: %v", f.step.Entry.Name, err))
		}
	})
}

// cutShort reports whether err says no more than that ctx was done.
func cutShort(ctx context.Context, err error) bool {
	if ctx.Err() == nil || errors.Is(err, chaos.ErrLeft) {
		return false
	}
	return errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))
}

// settle waits until the fault was seen in effect, and reports whether it was.
// If not, the run goes on and its verdict is inconclusive.
func (t *timeline) settle(ctx context.Context, f *fault) bool {
	settling, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	seen, err := f.active.Settle(settling)
	if cutShort(ctx, err) {
		return false
	}
	if err != nil {
		t.note(f.step, history.FaultFailed, history.Fail, fmt.Sprintf("settle %s: %v", f.step.Entry.Name, err))
		return false
	}
	t.note(f.step, history.FaultSettled, history.OK, evidence(seen))
	return true
}

// heal ends the fault that the entry names.
func (t *timeline) heal(ctx context.Context, s plan.Step) error {
	for _, f := range t.injected() {
		if f.step.Entry.Name == s.Entry.Target {
			t.recover(ctx, f)
			return nil
		}
	}
	return t.fail(s, "heal", fmt.Errorf("%s was not injected", s.Entry.Target))
}

// start brings a node back: by mending the fault that took it down, or by
// starting it if nothing of ours did.
func (t *timeline) start(ctx context.Context, s plan.Step) error {
	nodes, err := t.targets.Nodes(ctx, s.Params.Target)
	if cutShort(ctx, err) {
		return nil
	}
	if err != nil {
		return t.fail(s, "start", err)
	}
	for _, n := range nodes {
		t.noteTarget(s, history.FaultInject, n.Name)
		t.rig.Journal.Note(s.Verb, n.Name, "")
		if f := t.downed(n.Name); f != nil {
			t.recover(ctx, f)
		} else if err := startNode(ctx, t.rig.Env, n.Name); cutShort(ctx, err) {
			return nil
		} else if err != nil {
			return t.fail(s, "start", err)
		}
		t.noteTarget(s, history.FaultInjected, n.Name)
	}
	t.note(s, history.FaultSettled, history.OK, "started and whole")
	return nil
}

// startNode starts a node that no fault of this run took down.
func startNode(ctx context.Context, env sut.Environment, node string) error {
	killer, ok := env.(sut.Killer)
	if !ok {
		return fmt.Errorf("start %s: %w", node, sut.ErrUnsupported)
	}
	if err := killer.Start(ctx, node); err != nil {
		return err
	}
	if w, ok := env.(sut.Waiter); ok {
		return w.WaitReady(ctx, node)
	}
	return nil
}

// downed returns the fault in effect that acts on a node, or nil.
func (t *timeline) downed(node string) *fault {
	for _, f := range slices.Backward(t.injected()) {
		if slices.Contains(strings.Split(f.active.Undo.Target, ","), node) && !f.isDone() {
			return f
		}
	}
	return nil
}

func (t *timeline) injected() []*fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.faults)
}

func (f *fault) isDone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// mend recovers what is still in effect, last injected first, and returns all
// that went wrong in the drill. What cannot be mended stays in the journal. All
// entries are over by then, so nobody else recovers anything.
//
// All calls are made before any of them is seen to have helped: a node that was
// lost cannot come back whole while the link to its new primary is stalled.
func (t *timeline) mend(ctx context.Context) error {
	var gone []*fault
	for _, f := range slices.Backward(t.injected()) {
		if t.undo(ctx, f) || f.done && !f.whole { // it may have waited for another one
			gone = append(gone, f)
		}
	}
	for _, f := range gone {
		t.seeRecovered(ctx, f)
	}
	return errors.Join(t.errs...)
}

// fail records that a step of an entry failed.
func (t *timeline) fail(s plan.Step, step string, err error) error {
	err = &StepError{Step: step, Entry: s.Entry, Err: err}
	t.note(s, history.FaultFailed, history.Fail, err.Error())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, err)
	return err
}

// sleepUntil waits for a moment on the recorder's clock and reports whether it
// came before ctx was done.
func (r *Rig) sleepUntil(ctx context.Context, at time.Duration) bool {
	timer := time.NewTimer(at - r.Recorder.Now())
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
