// Package proc breaks the processes of nodes: kill crashes them, stop ends them
// in an orderly way, pause freezes them.
//
// A killed process does not cut its node off: its peers see their connections
// end at once. The loss of a whole host, which nobody hears of, is lose in
// package netfault.
package proc

import (
	"context"
	"encoding/json"
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
			Name:    "kill",
			About:   "Crashes all processes of a node with SIGKILL; its peers see their connections end at once.",
			Needs:   "an environment that can kill and start nodes",
			Undone:  "The node is started; by the guard if the run died.",
			Touches: []string{chaos.TouchesProcess},
			New:     newKill,
			Check:   func(p chaos.Params) error { return needsNodes("kill", p) },
			Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
				return heal(ctx, env, u, startNode)
			},
		},
		{
			Name:    "stop",
			About:   "Ends a node in an orderly way with SIGTERM, as a deployment does: it may finish what it has begun and say goodbye.",
			Needs:   "an environment that can stop and start nodes",
			Undone:  "The node is started; by the guard if the run died.",
			Touches: []string{chaos.TouchesProcess},
			New:     newStop,
			Check:   func(p chaos.Params) error { return needsNodes("stop", p) },
			Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
				return heal(ctx, env, u, startNode)
			},
		},
		{
			Name:    "pause",
			About:   "Freezes all processes of a node: it accepts connections and answers nothing.",
			Needs:   "an environment that can pause nodes",
			Undone:  "The node goes on where it stopped; by the guard if the run died.",
			Touches: []string{chaos.TouchesProcess},
			New:     newPause,
			Check:   func(p chaos.Params) error { return needsNodes("pause", p) },
			Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
				return heal(ctx, env, u, resumeNode)
			},
		},
	}
}

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

	broken sut.State // what the supervisor says of a broken node
	breaks func(ctx context.Context, node string) error
	mends  mend
	manual string // how to mend one node by hand
}

// A mend undoes a fault of one node. It is idempotent.
type mend func(ctx context.Context, env sut.Environment, node string) error

func newKill(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
	killer, ok := env.(sut.Killer)
	if !ok {
		return nil, fmt.Errorf("killing nodes: %w", sut.ErrUnsupported)
	}
	return &fault{
		kind: "kill", env: env, killer: killer, targets: targets, target: p.Target,
		broken: sut.Down, breaks: killer.Kill, mends: startNode, manual: "docker start CONTAINER_OF_%s",
	}, nil
}

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
		broken: sut.Down, mends: startNode, manual: "docker start CONTAINER_OF_%s",
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
		broken: sut.Paused, breaks: pauser.Pause, mends: resumeNode, manual: "docker unpause CONTAINER_OF_%s",
	}, nil
}

// startNode starts a node if it is down.
func startNode(ctx context.Context, env sut.Environment, node string) error {
	killer, ok := env.(sut.Killer)
	if !ok {
		return fmt.Errorf("starting nodes: %w", sut.ErrUnsupported)
	}
	return killer.Start(ctx, node)
}

// resumeNode lets a node go on if it is paused. One that was killed meanwhile
// is not paused any more.
func resumeNode(ctx context.Context, env sut.Environment, node string) error {
	pauser, canResume := env.(sut.Pauser)
	killer, canObserve := env.(sut.Killer)
	if !canResume || !canObserve {
		return fmt.Errorf("resuming nodes: %w", sut.ErrUnsupported)
	}
	state, err := killer.State(ctx, node)
	if err != nil || state != sut.Paused {
		return err
	}
	return pauser.Resume(ctx, node)
}

// undoData is what mending needs to know.
type undoData struct {
	Nodes []string `json:"nodes"`
}

// heal mends all nodes that undo data names and the environment has.
func heal(ctx context.Context, env sut.Environment, u chaos.Undo, mends mend) error {
	var data undoData
	if err := json.Unmarshal(u.Data, &data); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	return mendAll(ctx, env, data.Nodes, mends)
}

func mendAll(ctx context.Context, env sut.Environment, nodes []string, mends mend) error {
	return chaos.Each(nodes, func(node string) error {
		if _, ok := env.Topology().Node(node); !ok {
			return nil // gone, and its fault with it
		}
		if err := mends(ctx, env, node); err != nil {
			return fmt.Errorf("mend %s: %w", node, err)
		}
		return nil
	})
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
	data, err := json.Marshal(undoData{Nodes: f.nodes})
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

// An injection is a fault in effect on some nodes.
type injection struct {
	fault  fault
	nodes  []string
	called time.Time // the last inject or recover call
}

// Settle implements [chaos.Injection].
func (i *injection) Settle(ctx context.Context) (chaos.Evidence, error) {
	if err := chaos.AwaitState(ctx, i.fault.killer, i.nodes, i.fault.broken); err != nil {
		return chaos.Evidence{}, err
	}
	return i.evidence("supervisor", i.fault.broken), nil
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
	saw := fmt.Sprintf("%s %s", chaos.JoinTargets(i.nodes), state)
	return chaos.Evidence{By: by, Saw: saw, Took: time.Since(i.called)}
}
