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

// A MissedError is the error of an inject call that waited for a moment to strike
// at, and broke nothing because it did not come.
type MissedError struct {
	Moment string // what did not happen, and for how long that was waited for
}

func (e *MissedError) Error() string { return "its moment never came: " + e.Moment }

// ErrLeft is wrapped by errors after which a fault may still be in effect.
var ErrLeft = errors.New("a fault may still be in effect")

// An Active fault is in effect and in the journal.
type Active struct {
	Injection

	Undo Undo // as journalled

	met     bool          // by something that it has an effect on
	took    time.Duration // the last look that saw it in effect
	journal *Journal
	id      string
}

// Arm prepares a fault, journals how to undo it and injects it, in that order.
// If injecting is not nil it is called when the journal is on the disk, right
// before the inject call is made.
//
// A fault that conflicts with one that is pending in the journal is refused, as
// is one that the journal's permits do not allow: see [Journal.Require].
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
	undo.Manual = byHand(env, undo.Manual)
	id, beside, err := journal.arm(undo, func(pending []Entry) error { return catalog.conflict(pending, undo) })
	if err != nil {
		if errors.Is(err, ErrConflict) {
			journal.note("refused", undo, err.Error())
		}
		return nil, fmt.Errorf("prepare %s: %w", fault, err)
	}
	if ctx.Err() != nil {
		return nil, errors.Join(fmt.Errorf("inject %s: %w", fault, context.Cause(ctx)), journal.mark(id, nil))
	}
	if err = journal.permit(beside, undo); err != nil {
		journal.note("refused", undo, err.Error())
		return nil, errors.Join(fmt.Errorf("inject %s: %w", fault, err), journal.mark(id, nil))
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
		journal.note("inject failed", undo, err.Error())
		return nil, errors.Join(err, heal(ctx, catalog, env, journal, id, undo))
	}
	journal.note("injected", undo, "")
	return &Active{Injection: injection, Undo: undo, journal: journal, id: id}, nil
}

// Settle implements [Injection].
func (a *Active) Settle(ctx context.Context) (Evidence, error) {
	seen, err := a.look(ctx)
	a.noteSeen("settled", seen, err)
	return seen, err
}

// Recovered implements [Injection].
func (a *Active) Recovered(ctx context.Context) (Evidence, error) {
	seen, err := a.Injection.Recovered(ctx)
	a.noteSeen("recovered", seen, err)
	return seen, err
}

// noteSeen tells of an observation, or that there was none.
func (a *Active) noteSeen(what string, seen Evidence, err error) {
	if err != nil {
		a.journal.note("not seen "+what, a.Undo, err.Error())
		return
	}
	a.journal.note(what, a.Undo, seen.By+": "+seen.Saw)
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
	return healEntries(ctx, catalog, env, journal, journal.Pending())
}

// HealAgain mends everything that was ever in the journal, as [HealAll] does.
// It is for faults that were perhaps injected after they had been healed, by a
// process that was thought dead and was not.
func HealAgain(ctx context.Context, catalog Catalog, env sut.Environment, journal *Journal) error {
	return healEntries(ctx, catalog, env, journal, journal.All())
}

func healEntries(ctx context.Context, catalog Catalog, env sut.Environment, journal *Journal, entries []Entry) error {
	var errs []error
	for _, e := range slices.Backward(entries) {
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
