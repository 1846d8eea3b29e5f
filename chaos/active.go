package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/proofload/proofload/sut"
)

// injectTimeout bounds the inject call.
const injectTimeout = 30 * time.Second

// healTimeout bounds mending one fault from its undo data, with all retries.
const healTimeout = 30 * time.Second

// ErrLeft is wrapped by errors after which a fault may still be in effect.
var ErrLeft = errors.New("a fault may still be in effect")

// An Active fault is in effect and in the journal.
type Active struct {
	Injection

	Undo Undo // as journalled

	journal *Journal
	id      string
}

// Arm prepares a fault, journals how to undo it and injects it, in that order.
// If injecting is not nil it is called when the journal is on the disk, right
// before the inject call is made.
//
// When ctx is done before the inject call, nothing is injected; afterwards that
// does not matter any more. If injecting fails, what was done so far is healed
// at once, and the error says so if that fails too: see [ErrLeft].
func Arm(
	ctx context.Context, journal *Journal, catalog Catalog, env sut.Environment, fault Fault, injecting func(Undo),
) (*Active, error) {
	undo, err := fault.Prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", fault, err)
	}
	id, err := journal.arm(undo)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", fault, err)
	}
	if ctx.Err() != nil {
		return nil, errors.Join(fmt.Errorf("inject %s: %w", fault, context.Cause(ctx)), journal.mark(id, nil))
	}
	if injecting != nil {
		injecting(undo)
	}
	// An inject call that was begun is waited for. One that is abandoned may
	// still take effect later, after it was healed.
	injectCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), injectTimeout)
	defer cancel()
	injection, err := fault.Inject(injectCtx)
	if err != nil {
		err = fmt.Errorf("inject %s: %w", fault, err)
		return nil, errors.Join(err, heal(ctx, catalog, env, journal, id, undo))
	}
	return &Active{Injection: injection, Undo: undo, journal: journal, id: id}, nil
}

// Recover undoes the fault and notes in the journal how that went. The caller
// chooses the context, which had better not be the one that a cancelled run
// was cancelled through: see [Insist].
func (a *Active) Recover(ctx context.Context) error {
	err := a.Injection.Recover(ctx)
	return errors.Join(err, a.journal.mark(a.id, err))
}

// HealAll mends everything that the journal has pending, last armed first,
// from the undo data alone, whether or not ctx is done. It goes on after a
// failure; the error joins all of them and wraps [ErrLeft].
func HealAll(ctx context.Context, catalog Catalog, env sut.Environment, journal *Journal) error {
	var errs []error
	for _, e := range slices.Backward(journal.Pending()) {
		errs = append(errs, heal(ctx, catalog, env, journal, e.ID, *e.Undo))
	}
	return errors.Join(errs...)
}

// heal mends one entry of the journal and notes how that went.
func heal(ctx context.Context, catalog Catalog, env sut.Environment, journal *Journal, id string, undo Undo) error {
	err := Insist(ctx, healTimeout, func(ctx context.Context) error { return catalog.Heal(ctx, env, undo) })
	noted := journal.mark(id, err)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrLeft, err)
	}
	return errors.Join(err, noted)
}

// Insist calls do until it succeeds, with growing pauses, for as long as
// within, and returns its last error. The context that do gets is not done
// when ctx is, because what must be mended must be mended after a cancellation
// too. An error that wraps [sut.ErrUnsupported] is not tried again.
func Insist(ctx context.Context, within time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 100*time.Millisecond, 2*time.Second
	for tries := 1; ; tries++ {
		err := do(ctx)
		if err == nil || errors.Is(err, sut.ErrUnsupported) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %s and %d tries: %w", within, tries, err)
		case <-time.After(pauses.NextBackOff()):
		}
	}
}
