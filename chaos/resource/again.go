package resource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// lateOrder is how long after the death of who gave it an order to limit a node
// may take effect.
const lateOrder = time.Second

// giveBack gives a node back what it had and sees that this stays for a while.
// What healed may have died in the middle of limiting it, and the engine does
// what it was told after the one who told it is gone. What a node has is asked
// of its kernel, because that is what the engine comes to last.
func giveBack(ctx context.Context, env sut.Environment, node string, set func(context.Context) error, has func(context.Context) (bool, error)) error {
	if err := set(ctx); err != nil {
		return err
	}
	var since time.Time
	return chaos.Watch(ctx, func(ctx context.Context) error {
		if chaos.IsDown(ctx, env, node) {
			return nil // nothing runs there that could be limited
		}
		whole, err := has(ctx)
		switch {
		case err != nil:
			return err
		case !whole:
			since = time.Time{}
			return errors.Join(fmt.Errorf("%s has another limit than before", node), set(ctx))
		case since.IsZero():
			since = time.Now()
		}
		if so := time.Since(since); so < lateOrder {
			return fmt.Errorf("%s has its limit back for only %s", node, so)
		}
		return nil
	})
}

// there lists the nodes of undo data that the environment has.
func there[T any](env sut.Environment, before map[string]T) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(before)), func(node string) bool {
		_, ok := env.Topology().Node(node)
		return !ok
	})
}
