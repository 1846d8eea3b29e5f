package proc

import (
	"context"
	"fmt"
	"sync"
	"time"

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
		Ends:    chaos.Always,
		New:     newRestart,
		Check:   func(p chaos.Params) error { return needsNodes(kindRestart, p) },
		Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
			return heal(ctx, env, u, startForGood)
		},
		Gone: isNot(sut.Down),
	}
}

func newRestart(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
	stopper, canStop := env.(sut.Stopper)
	killer, canStart := env.(sut.Killer)
	if !canStop || !canStart {
		return nil, fmt.Errorf("restarting nodes: %w", sut.ErrUnsupported)
	}
	down := &latest{}
	return &fault{
		kind: kindRestart, env: env, killer: killer, targets: targets, target: p.Target,
		broken: sut.Running, saw: "seen down, then running again", mends: startNode, manual: startByHand, seen: down,
		breaks: func(ctx context.Context, node string) error {
			if err := stopper.Stop(ctx, node, grace); err != nil {
				return err
			}
			if err := chaos.AwaitState(ctx, killer, []string{node}, sut.Down); err != nil {
				return err
			}
			down.note()
			return killer.Start(ctx, node)
		},
	}, nil
}

// A latest is the last moment of several that come at about the same time.
type latest struct {
	mu sync.Mutex
	at time.Time
}

func (l *latest) note() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = time.Now()
}

// since returns how long after another moment it was.
func (l *latest) since(then time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at.Sub(then)
}
