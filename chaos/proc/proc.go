// Package proc breaks the processes of nodes: kill crashes them, crash-loop does
// so again and again, stop ends them in an orderly way, restart does so and
// starts them at once, pause freezes them.
//
// A killed process does not cut its node off: its peers see their connections
// end at once. The loss of a whole host, which nobody hears of, is lose in
// package netfault.
package proc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return []chaos.Kind{
		{
			Name:    kindKill,
			About:   "Crashes all processes of a node, or those of a name inside it, with SIGKILL; its peers see their connections end at once.",
			Needs:   "an environment that can kill and start nodes; one that runs commands inside them, for the processes of a name",
			Undone:  "The node is started, or its processes are by what supervises them; by the guard if the run died.",
			Params:  []chaos.Param{whichProcess(), pointParam()},
			Touches: []string{chaos.TouchesProcess},
			Ends:    func(p chaos.Params) bool { return processName(p) == "" },
			Down:    true,
			New:     newKill,
			Check: func(p chaos.Params) error {
				return errors.Join(needsNodes(kindKill, p), checkPoint(kindKill, p), checkProcess(kindKill, p))
			},
			Heal: healKill,
			Gone: isNot(sut.Down),
		},
		restartKind(),
		crashLoopKind(),
		{
			Name:    "stop",
			About:   "Ends a node in an orderly way with SIGTERM, as a deployment does: it may finish what it has begun and say goodbye.",
			Needs:   "an environment that can stop and start nodes",
			Undone:  "The node is started; by the guard if the run died.",
			Touches: []string{chaos.TouchesProcess},
			Ends:    chaos.Always,
			Down:    true,
			New:     newStop,
			Check:   func(p chaos.Params) error { return needsNodes("stop", p) },
			Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
				return heal(ctx, env, u, startNode)
			},
			Gone: isNot(sut.Down),
		},
		{
			Name:    "pause",
			About:   "Freezes all processes of a node: it accepts connections and answers nothing.",
			Needs:   "an environment that can pause nodes",
			Undone:  "The node goes on where it stopped; by the guard if the run died.",
			Touches: []string{chaos.TouchesProcess},
			Freezes: true,
			New:     newPause,
			Check:   func(p chaos.Params) error { return needsNodes("pause", p) },
			Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
				return heal(ctx, env, u, resumeNode)
			},
			Gone:  isNot(sut.Paused),
			Marks: paused,
		},
	}
}

const kindKill = "kill"

// needsNodes reports that a target has no nodes, and what to write instead.
func needsNodes(kind string, p chaos.Params) error {
	if len(p.Target.Nodes) == 0 {
		return fmt.Errorf("%s acts on nodes, and %q has none: write for example %s: postgres.primary, %[1]s: app[1] or %[1]s: zone:b",
			kind, p.Target.Ref, kind)
	}
	return nil
}

// A fault breaks and mends nodes one by one.
type fault struct {
	kind    string
	env     sut.Environment
	killer  sut.Killer
	targets *chaos.Targets
	target  sut.Selection
	nodes   []string // as resolved by Prepare

	process string // the name of what is broken inside the nodes; empty: they are themselves

	broken sut.State // what the supervisor says of a broken node; empty: that does not matter
	saw    string    // what that means; empty: the state
	seen   *latest   // when Inject itself saw all nodes broken; nil: Settle does
	point  *point    // at which it is broken; nil: at once
	breaks func(ctx context.Context, node string) error
	mends  mend
	manual string // how to mend one node by hand
}

func newKill(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
	killer, ok := env.(sut.Killer)
	if !ok {
		return nil, fmt.Errorf("killing nodes: %w", sut.ErrUnsupported)
	}
	point, err := newPoint(env, p)
	if err != nil {
		return nil, err
	}
	if processName(p) != "" {
		return newProcessKill(env, targets, p, point)
	}
	return &fault{
		kind: kindKill, env: env, killer: killer, targets: targets, target: p.Target, point: point,
		broken: sut.Down, breaks: point.at(killer.Kill), mends: startNode, manual: startByHand,
	}, nil
}

// startByHand starts a node.
const startByHand = "docker start CONTAINER_OF_%s"

// grace is how long a node that is stopped may take before it is killed.
const grace = 10 * time.Second

func newStop(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
	stopper, canStop := env.(sut.Stopper)
	killer, canStart := env.(sut.Killer)
	if !canStop || !canStart {
		return nil, fmt.Errorf("stopping nodes: %w", sut.ErrUnsupported)
	}
	return &fault{
		kind: "stop", env: env, killer: killer, targets: targets, target: p.Target,
		broken: sut.Down, mends: startNode, manual: startByHand,
		breaks: func(ctx context.Context, node string) error { return stopper.Stop(ctx, node, grace) },
	}, nil
}

func newPause(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
	pauser, canPause := env.(sut.Pauser)
	killer, canObserve := env.(sut.Killer)
	if !canPause || !canObserve {
		return nil, fmt.Errorf("pausing nodes: %w", sut.ErrUnsupported)
	}
	return &fault{
		kind: "pause", env: env, killer: killer, targets: targets, target: p.Target,
		broken: sut.Paused, breaks: pauser.Pause, mends: resumeNode, manual: resumeByHand,
	}, nil
}

// resumeByHand lets a node go on.
const resumeByHand = "docker unpause CONTAINER_OF_%s"

// paused lists the nodes that are frozen: nothing but a pause does that.
func paused(ctx context.Context, env sut.Environment) []chaos.Undo {
	killer, ok := env.(sut.Killer)
	if !ok {
		return nil
	}
	nodes := env.Topology().Nodes
	frozen := make([]bool, len(nodes))
	_ = chaos.Each(chaos.Indices(nodes), func(i int) error {
		state, err := killer.State(ctx, nodes[i].Name)
		frozen[i] = err == nil && state == sut.Paused
		return nil
	})
	var left []chaos.Undo
	for i, n := range nodes {
		if frozen[i] {
			left = append(left, chaos.Undo{Kind: "pause", Target: n.Name, Manual: []string{fmt.Sprintf(resumeByHand, n.Name)}})
		}
	}
	return left
}

// String implements [chaos.Fault].
func (f *fault) String() string { return f.kind + " " + f.target.Ref }

// Prepare implements [chaos.Fault].
func (f *fault) Prepare(ctx context.Context) (chaos.Undo, error) {
	nodes, err := f.targets.Names(ctx, f.target)
	if err != nil {
		return chaos.Undo{}, err
	}
	f.nodes = nodes
	data, err := json.Marshal(undoData{Nodes: f.nodes, Process: f.process})
	if err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	undo := chaos.Undo{Kind: f.kind, Target: chaos.JoinTargets(f.nodes), Data: data}
	for _, node := range f.nodes {
		undo.Manual = append(undo.Manual, fmt.Sprintf(f.manual, node))
	}
	return undo, nil
}

// Inject implements [chaos.Fault].
func (f *fault) Inject(ctx context.Context) (chaos.Injection, error) {
	in, err := f.inject(ctx)
	if err != nil {
		return nil, err
	}
	return in, nil
}

func (f *fault) inject(ctx context.Context) (*injection, error) {
	in := &injection{fault: *f, nodes: slices.Clone(f.nodes), called: time.Now()}
	err := chaos.Each(in.nodes, func(node string) error {
		if err := f.breaks(ctx, node); err != nil {
			return fmt.Errorf("%s %s: %w", f.kind, node, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// What says how a node is, and what there is of processes inside it.
const (
	supervisor   = "supervisor"
	processTable = "process table of the node"
)

// An injection is a fault in effect on some nodes.
type injection struct {
	fault  fault
	nodes  []string
	called time.Time // the last inject or recover call
}

// Settle implements [chaos.Injection].
func (i *injection) Settle(ctx context.Context) (chaos.Evidence, error) {
	by := processTable
	if i.fault.broken != "" {
		by = supervisor
		if err := chaos.AwaitState(ctx, i.fault.killer, i.nodes, i.fault.broken); err != nil {
			return chaos.Evidence{}, err
		}
	}
	e := i.evidence(by, i.fault.broken)
	if i.fault.seen != nil {
		e.Took = i.fault.seen.since(i.called)
	}
	return e, nil
}

// Recover implements [chaos.Injection].
func (i *injection) Recover(ctx context.Context) error {
	i.called = time.Now()
	return mendAll(ctx, i.fault.env, i.nodes, i.fault.mends)
}

// Recovered implements [chaos.Injection]. A node that was paused and then
// killed is not paused any more, and bringing it back is up to who killed it.
func (i *injection) Recovered(ctx context.Context) (chaos.Evidence, error) {
	back := i.nodes
	if i.fault.broken == sut.Paused {
		back = nil
		for _, node := range i.nodes {
			state, err := i.fault.killer.State(ctx, node)
			if err != nil {
				return chaos.Evidence{}, fmt.Errorf("observe %s: %w", node, err)
			}
			if state != sut.Down {
				back = append(back, node)
			}
		}
	}
	by, err := chaos.AwaitWhole(ctx, i.fault.env, back)
	if err != nil {
		return chaos.Evidence{}, err
	}
	if len(back) < len(i.nodes) {
		return i.evidence(by, "no longer "+sut.Paused), nil
	}
	return i.evidence(by, sut.Running), nil
}

func (i *injection) evidence(by string, state sut.State) chaos.Evidence {
	saw := chaos.JoinTargets(i.nodes) + " " + string(state)
	if i.fault.saw != "" && state == i.fault.broken && (by == supervisor || by == processTable) {
		saw = chaos.JoinTargets(i.nodes) + " " + i.fault.saw
	}
	if i.fault.point != nil && state == i.fault.broken {
		saw += i.fault.point.said()
	}
	return chaos.Evidence{By: by, Saw: saw, Took: time.Since(i.called)}
}
