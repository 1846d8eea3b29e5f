package proc

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A mend undoes a fault of one node. It is idempotent.
type mend func(ctx context.Context, env sut.Environment, node string) error

// startNode starts a node if it is down.
func startNode(ctx context.Context, env sut.Environment, node string) error {
	killer, ok := env.(sut.Killer)
	if !ok {
		return fmt.Errorf("starting nodes: %w", sut.ErrUnsupported)
	}
	return killer.Start(ctx, node)
}

// startForGood starts a node and sees it run on for a while. What healed may
// have died in the middle of killing it, and the engine may do what it was told
// after the one who told it is gone.
func startForGood(ctx context.Context, env sut.Environment, node string) error {
	killer, ok := env.(sut.Killer)
	if !ok {
		return fmt.Errorf("starting nodes: %w", sut.ErrUnsupported)
	}
	var since time.Time
	return chaos.Watch(ctx, func(ctx context.Context) error {
		state, err := killer.State(ctx, node)
		switch {
		case err != nil:
			return err
		case state == sut.Down:
			since = time.Time{}
			if err := killer.Start(ctx, node); err != nil {
				return err
			}
			return fmt.Errorf("%s was %s", node, state)
		case since.IsZero():
			since = time.Now()
		}
		if runs := time.Since(since); runs < lateKill {
			return fmt.Errorf("%s has run for only %s", node, runs)
		}
		return nil
	})
}

// lateKill is how long after the death of who gave it an order to kill a node
// may take effect.
const lateKill = 500 * time.Millisecond

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
	Nodes   []string `json:"nodes"`
	Process string   `json:"process,omitempty"` // what was killed inside them; empty: they were themselves
}

// heal mends all nodes that undo data names and the environment has.
func heal(ctx context.Context, env sut.Environment, u chaos.Undo, mends mend) error {
	var data undoData
	if err := json.Unmarshal(u.Data, &data); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	return mendAll(ctx, env, data.Nodes, mends)
}

// isNot is an observation of [chaos.Kind.Gone]: no node that undo data names is in a
// state.
func isNot(broken sut.State) func(context.Context, sut.Environment, chaos.Undo) error {
	return func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
		var data undoData
		if err := json.Unmarshal(u.Data, &data); err != nil {
			return fmt.Errorf("read undo data: %w", err)
		}
		killer, ok := env.(sut.Killer)
		if !ok {
			return fmt.Errorf("looking at nodes: %w", sut.ErrUnsupported)
		}
		return chaos.Watch(ctx, func(ctx context.Context) error {
			return chaos.Each(data.Nodes, func(node string) error {
				if _, ok := env.Topology().Node(node); !ok {
					return nil // gone, and its fault with it
				}
				state, err := killer.State(ctx, node)
				if err != nil {
					return fmt.Errorf("observe %s: %w", node, err)
				}
				if state == broken {
					return fmt.Errorf("%s is %s", node, state)
				}
				return nil
			})
		})
	}
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
