package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How often a fault in effect is looked at again, and how much longer than the
// last look that saw it one may take before the fault counts as ended.
const (
	holdInterval = 2 * time.Second
	holdPatience = 3 * time.Second
)

// ErrEnded is wrapped by the error of [Active.Hold] and [Active.Last] when a fault
// is no longer in effect although nobody recovered it.
var ErrEnded = errors.New("the fault ended early")

// look observes that the fault is in effect, and remembers if anything met it.
func (a *Active) look(ctx context.Context) (Evidence, error) {
	began := time.Now()
	seen, err := a.Injection.Settle(ctx)
	if err == nil {
		a.took = time.Since(began)
		a.met = a.met || !seen.Idle
	}
	return seen, err
}

// again looks at a fault that was seen in effect. A look waits for what it wants to
// see, so that one which takes long is the sign that there is nothing to see.
func (a *Active) again(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, a.took+holdPatience)
	defer cancel()
	_, err := a.look(looking)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	a.journal.note("ended early", a.Undo, err.Error())
	return fmt.Errorf("%w: %w", ErrEnded, err)
}

// Hold looks at the fault again and again, by the observation that it settled
// with, until ctx is done. Its error wraps [ErrEnded] and says what was seen
// instead: something else undid the fault, or the target is not the one any
// more that was broken. It must not run beside [Active.Last] or [Active.Recover].
//
// A look that is under way when ctx is done says nothing: Last does.
func (a *Active) Hold(ctx context.Context) error {
	tick := time.NewTicker(holdInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.again(ctx); err != nil {
			return err
		}
	}
}

// Last looks once more, right before the fault is undone, and reports whether
// anything has met it since it was injected. Its error is as that of
// [Active.Hold]; if ctx is done, nothing is known.
func (a *Active) Last(ctx context.Context) (met bool, err error) {
	err = a.again(ctx)
	return a.met, err
}
