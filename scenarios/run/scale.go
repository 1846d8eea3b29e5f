package run

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// kindStop is the fault by which nodes are taken out: its undo is in the journal,
// so that they run again whatever becomes of the run.
const kindStop = "stop"

// scale leaves so many nodes of a role running as a step says: it ends the others
// in an orderly way, and starts those that an earlier one has ended. A node that
// something else took down is left to that.
func (t *timeline) scale(ctx context.Context, s plan.Step) error {
	killer, ok := t.rig.Env.(sut.Killer)
	want, err := strconv.Atoi(s.Params.Values[scenarios.WithNodes])
	if !ok || err != nil {
		return t.fail(s, "scale", sut.ErrUnsupported)
	}
	nodes := s.Params.Target.Nodes
	t.noteTarget(s, history.FaultInject, joined(nodes[min(want, len(nodes)):]))
	t.rig.Journal.Note(s.Verb, s.Entry.Target, fmt.Sprintf("to %d nodes", want))
	var gone []*fault
	for i, n := range nodes {
		state, err := killer.State(ctx, n.Name)
		if err == nil {
			gone, err = t.scaleNode(ctx, s, n, i < want, state == sut.Down, gone)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // cut short by the end of the drill
		}
		if err != nil {
			return t.fail(s, "scale", err)
		}
	}
	t.note(s, history.FaultSettled, history.OK, fmt.Sprintf("%d of %d %s nodes are to run", want, len(nodes), s.Entry.Target))
	if s.Entry.For > 0 && t.rig.sleepUntil(ctx, t.rig.Recorder.Now()+s.Entry.For) {
		for _, f := range gone {
			t.recover(ctx, f)
		}
	}
	return nil
}

// scaleNode has one node run, or not, and returns the nodes that were taken out
// with it.
func (t *timeline) scaleNode(ctx context.Context, s plan.Step, n sut.Node, runs, down bool, gone []*fault) ([]*fault, error) {
	switch f := t.downed(n.Name); {
	case runs && down && f == nil:
		return gone, startNode(ctx, t.rig.Env, n.Name)
	case runs && f != nil && f.step.Verb == scenarios.VerbScale:
		t.recover(ctx, f)
	case !runs && !down && f == nil:
		f, err := t.takeOut(ctx, s, n)
		if err != nil {
			return gone, err
		}
		return append(gone, f), nil
	}
	return gone, nil
}

// takeOut ends a node in an orderly way.
func (t *timeline) takeOut(ctx context.Context, s plan.Step, n sut.Node) (*fault, error) {
	p := chaos.Params{Target: sut.Selection{Ref: n.Name, Nodes: []sut.Node{n}}, For: s.Entry.For}
	stop, err := t.rig.Catalog.New(kindStop, t.rig.Env, t.targets, p)
	if err != nil {
		return nil, err
	}
	active, err := chaos.Arm(ctx, t.rig.Journal, t.rig.Catalog, t.rig.Env, stop, nil)
	if err != nil {
		return nil, err
	}
	f := &fault{step: s, active: active}
	f.holding, f.release = context.WithCancel(ctx)
	t.mu.Lock()
	t.faults = append(t.faults, f)
	t.mu.Unlock()
	settling, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	_, err = active.Settle(settling)
	return f, err
}

// joined names nodes as the targets of faults are.
func joined(nodes []sut.Node) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return strings.Join(names, ",")
}
