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

// The bounds on mending one fault from its undo data, with all retries, and on
// seeing it gone.
const (
	healTimeout = 30 * time.Second
	goneTimeout = 30 * time.Second
)

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
	if err = mayBreak(ctx, journal, beside, undo); err != nil {
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
		return nil, errors.Join(err, healEntries(ctx, catalog, env, journal, []Entry{{ID: id, Undo: &undo}}))
	}
	journal.note("injected", undo, "")
	return &Active{Injection: injection, Undo: undo, journal: journal, id: id}, nil
}

// mayBreak returns nil if what is armed may be injected now.
func mayBreak(ctx context.Context, journal *Journal, beside []Entry, undo Undo) error {
	if err := journal.tell(string(Armed), undo, ""); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err := journal.permit(beside, undo)
	if err != nil {
		journal.note("refused", undo, err.Error())
	}
	return err
}

// Settle implements [Injection].
func (a *Active) Settle(ctx context.Context) (Evidence, error) {
	seen, err := a.look(ctx)
	a.noteSeen("settled", seen, err)
	return seen, err
}

// Recovered implements [Injection]. What it says is noted in the journal: a fault
// that was not seen to be gone is not healed.
func (a *Active) Recovered(ctx context.Context) (Evidence, error) {
	seen, err := a.Injection.Recovered(ctx)
	a.noteSeen("recovered", seen, err)
	return seen, errors.Join(err, a.journal.mark(a.id, err))
}

// noteSeen tells of an observation, or that there was none.
func (a *Active) noteSeen(what string, seen Evidence, err error) {
	if err != nil {
		a.journal.note("not seen "+what, a.Undo, err.Error())
		return
	}
	a.journal.note(what, a.Undo, seen.By+": "+seen.Saw)
}

// Recover undoes the fault and notes in the journal how that went. It stays pending
// until Recovered has seen it gone. The caller chooses the context, which had better
// not be the one that a cancelled run was cancelled through: see [Insist].
func (a *Active) Recover(ctx context.Context) error {
	if err := a.Injection.Recover(ctx); err != nil {
		return errors.Join(err, a.journal.mark(a.id, err))
	}
	return a.journal.markAs(a.id, Undone, "")
}

// HealAll mends everything that the journal has pending, last armed first,
// from the undo data alone, and sees it gone, whether or not ctx is done. It goes on
// after a failure; the error joins all of them and wraps [ErrLeft].
func HealAll(ctx context.Context, catalog Catalog, env sut.Environment, journal *Journal) error {
	return healEntries(ctx, catalog, env, journal, journal.Pending())
}

// HealAgain mends everything that was ever in the journal, as [HealAll] does.
// It is for faults that were perhaps injected after they had been healed, by a
// process that was thought dead and was not.
func HealAgain(ctx context.Context, catalog Catalog, env sut.Environment, journal *Journal) error {
	return healEntries(ctx, catalog, env, journal, journal.All())
}

// healEntries mends entries, and sees them gone once all are mended: what one breaks
// may not come back before another is.
func healEntries(ctx context.Context, catalog Catalog, env sut.Environment, journal *Journal, entries []Entry) error {
	errs := make([]error, len(entries))
	for i, e := range slices.Backward(entries) {
		errs[i] = Insist(ctx, healTimeout, func(ctx context.Context) error { return catalog.Heal(ctx, env, *e.Undo) })
	}
	for i, e := range slices.Backward(entries) {
		if errs[i] == nil {
			errs[i] = seeGone(ctx, catalog, env, *e.Undo)
		}
		noted := journal.mark(e.ID, errs[i])
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%w: %w", ErrLeft, errs[i])
		}
		errs[i] = errors.Join(errs[i], noted)
	}
	slices.Reverse(errs)
	return errors.Join(errs...)
}

// seeGone sees what was healed gone, whether or not ctx is done.
func seeGone(ctx context.Context, catalog Catalog, env sut.Environment, undo Undo) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goneTimeout)
	defer cancel()
	return catalog.Gone(ctx, env, undo)
}

// Insist calls do until it succeeds, with growing pauses, for as long as
// within, and returns its last error. The context that do gets is not done
// when ctx is, because what must be mended must be mended after a cancellation
// too. An error that wraps [sut.ErrUnsupported] or [sut.ErrNoSecret] is not tried
// again.
func Insist(ctx context.Context, within time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 100*time.Millisecond, 2*time.Second
	for tries := 1; ; tries++ {
		err := do(ctx)
		if err == nil || errors.Is(err, sut.ErrUnsupported) || errors.Is(err, sut.ErrNoSecret) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %s and %d tries: %w", within, tries, err)
		case <-time.After(pauses.NextBackOff()):
		}
	}
}
