package proc

import (
	"context"
	"fmt"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

const kindRestart = "restart"

// restartKind is the catalogue entry of restarts.
func restartKind() chaos.Kind {
	return chaos.Kind{
		Name:    kindRestart,
		About:   "Ends a node in an orderly way and starts it again at once, as a deployment does; it is in effect until the node serves again.",
		Needs:   "an environment that can stop and start nodes",
		Undone:  "The node is started if it is down; by the guard if the run died.",
		Touches: []string{chaos.TouchesProcess},
		New:     newRestart,
		Check:   func(p chaos.Params) error { return needsNodes(kindRestart, p) },
		Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
			return heal(ctx, env, u, startForGood)
		},
	}
}

func newRestart(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
	stopper, canStop := env.(sut.Stopper)
	killer, canStart := env.(sut.Killer)
	if !canStop || !canStart {
		return nil, fmt.Errorf("restarting nodes: %w", sut.ErrUnsupported)
	}
	return &fault{
		kind: kindRestart, env: env, killer: killer, targets: targets, target: p.Target,
		broken: sut.Running, saw: "seen down, then running again", mends: startNode, manual: startByHand,
		breaks: func(ctx context.Context, node string) error {
			if err := stopper.Stop(ctx, node, grace); err != nil {
				return err
			}
			if err := chaos.AwaitState(ctx, killer, []string{node}, sut.Down); err != nil {
				return err
			}
			return killer.Start(ctx, node)
		},
	}, nil
}
