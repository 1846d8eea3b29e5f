package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/proofload/proofload/sut"
)

// lookInterval is the pause between two looks at a node or a link.
const lookInterval = 50 * time.Millisecond

// Each does something to all items at the same time and joins the errors.
func Each[T any](items []T, do func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { errs[i] = do(item) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Watch looks again and again until a look finds nothing to complain of. When
// ctx is done it returns the last complaint, other than that a look was cut
// short by that.
func Watch(ctx context.Context, look func(context.Context) error) error {
	var complaint error
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		if complaint == nil || ctx.Err() == nil {
			complaint = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), complaint)
		case <-time.After(lookInterval):
		}
	}
}

// Names returns the names of the nodes that sel stands for now, at least one.
func (t *Targets) Names(ctx context.Context, sel sut.Selection) ([]string, error) {
	nodes, err := t.Nodes(ctx, sel)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("resolve %s: there is no such node now", sel.Ref)
	}
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return names, nil
}

// Indices lists the indices of a slice, for [Each].
func Indices[T any](of []T) []int {
	list := make([]int, len(of))
	for i := range of {
		list[i] = i
	}
	return list
}

// IsDown reports whether the supervisor of a node says that it is down. Without a
// supervisor, or an answer of it, it is not known to be.
func IsDown(ctx context.Context, env sut.Environment, node string) bool {
	killer, ok := env.(sut.Killer)
	if !ok {
		return false
	}
	state, err := killer.State(ctx, node)
	return err == nil && state == sut.Down
}

// JoinTargets is the form in which an [Undo] names several targets.
func JoinTargets(names []string) string { return strings.Join(names, ",") }

// AwaitState blocks until the supervisor reports all nodes in a state.
func AwaitState(ctx context.Context, killer sut.Killer, nodes []string, want sut.State) error {
	return Each(nodes, func(node string) error {
		return Watch(ctx, func(ctx context.Context) error {
			state, err := killer.State(ctx, node)
			switch {
			case err != nil:
				return fmt.Errorf("observe %s: %w", node, err)
			case state != want:
				return fmt.Errorf("%s is %s, not %s", node, state, want)
			}
			return nil
		})
	})
}

// AwaitWhole blocks until the supervisor reports all nodes running and, if the
// environment can tell, they serve again. It returns what it went by.
func AwaitWhole(ctx context.Context, env sut.Environment, nodes []string) (by string, err error) {
	by = "supervisor"
	if killer, ok := env.(sut.Killer); ok {
		if err := AwaitState(ctx, killer, nodes, sut.Running); err != nil {
			return by, err
		}
	}
	waiter, ok := env.(sut.Waiter)
	if !ok {
		return by, nil
	}
	return by + " and readiness", Each(nodes, func(node string) error {
		if err := waiter.WaitReady(ctx, node); err != nil {
			return fmt.Errorf("wait for %s: %w", node, err)
		}
		return nil
	})
}
