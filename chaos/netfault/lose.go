package netfault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A loss is the fault of hosts that disappear: a partition, and then a kill
// whose FIN and RST packets nobody receives.
type loss struct {
	partition

	killer sut.Killer
}

// newLoss makes losses by the name of a kind.
func newLoss(kind string) func(sut.Environment, *chaos.Targets, chaos.Params) (chaos.Fault, error) {
	return func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		killer, ok := env.(sut.Killer)
		if !ok {
			return nil, fmt.Errorf("killing nodes: %w", sut.ErrUnsupported)
		}
		cutting, err := makePartition(env, targets, filterKind{Kind: chaos.Kind{Name: kind}, rules: all}, p)
		if err != nil {
			return nil, err
		}
		return &loss{partition: *cutting, killer: killer}, nil
	}
}

// Prepare implements [chaos.Fault].
func (l *loss) Prepare(ctx context.Context) (chaos.Undo, error) {
	undo, err := l.prepare(ctx, l.kind.Name)
	if err != nil {
		return chaos.Undo{}, err
	}
	for _, node := range l.cut.Nodes {
		undo.Manual = append(undo.Manual, "docker start CONTAINER_OF_"+node)
	}
	return undo, nil
}

// Inject implements [chaos.Fault]. A node is killed as soon as its rules are
// seen listed.
func (l *loss) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &lost{env: l.env, killer: l.killer, cut: l.cut, called: time.Now()}
	err := chaos.Each(in.cut.Nodes, func(node string) error {
		if err := in.cut.add(ctx, l.net, node, l.ttl); err != nil {
			return err
		}
		if err := l.killer.Kill(ctx, node); err != nil {
			return fmt.Errorf("kill %s: %w", node, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// A lost is a loss in effect.
type lost struct {
	env    sut.Environment
	killer sut.Killer
	cut    cut
	called time.Time // the last inject or recover call
}

// Settle implements [chaos.Injection]. That the rules were in effect before
// the kill was seen by Inject, which ends otherwise.
func (l *lost) Settle(ctx context.Context) (chaos.Evidence, error) {
	if err := chaos.AwaitState(ctx, l.killer, l.cut.Nodes, sut.Down); err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{
		By:   "packet filter listing, then supervisor",
		Saw:  chaos.JoinTargets(l.cut.Nodes) + ": rules listed before the kill, now down",
		Took: time.Since(l.called),
	}, nil
}

// Recover implements [chaos.Injection].
func (l *lost) Recover(ctx context.Context) error {
	l.called = time.Now()
	return l.cut.bringBack(ctx, l.env)
}

// Recovered implements [chaos.Injection].
func (l *lost) Recovered(ctx context.Context) (chaos.Evidence, error) {
	by, err := chaos.AwaitWhole(ctx, l.env, l.cut.Nodes)
	if err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{By: by, Saw: chaos.JoinTargets(l.cut.Nodes) + " running", Took: time.Since(l.called)}, nil
}

// healLose brings back the nodes that undo data names.
func healLose(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	c, err := readCut(u)
	if err != nil {
		return err
	}
	return c.bringBack(ctx, env)
}

// goneLoss is the observation of [chaos.Kind.Gone] that nodes are neither down nor
// cut off.
func goneLoss(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	c, err := readCut(u)
	if err != nil {
		return err
	}
	killer, ok := env.(sut.Killer)
	if !ok {
		return fmt.Errorf("starting nodes: %w", sut.ErrUnsupported)
	}
	there := slices.DeleteFunc(slices.Clone(c.Nodes), func(node string) bool {
		_, ok := env.Topology().Node(node)
		return !ok
	})
	if err := chaos.AwaitState(ctx, killer, there, sut.Running); err != nil {
		return err
	}
	return goneCut(ctx, env, u)
}

// bringBack starts the nodes and makes sure that none of the rules is left: a
// node that was down starts with a namespace of its own, without them, but one
// that was cut off and never killed still has them.
func (c cut) bringBack(ctx context.Context, env sut.Environment) error {
	killer, ok := env.(sut.Killer)
	if !ok {
		return fmt.Errorf("starting nodes: %w", sut.ErrUnsupported)
	}
	return chaos.Each(c.Nodes, func(node string) error {
		if _, ok := env.Topology().Node(node); !ok {
			return nil
		}
		down := chaos.IsDown(ctx, env, node)
		if err := killer.Start(ctx, node); err != nil {
			return fmt.Errorf("start %s: %w", node, err)
		}
		if down {
			return nil
		}
		return c.remove(ctx, env, node)
	})
}
