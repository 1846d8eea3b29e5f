package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/payments"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	batchMost     = publishBatch           // deliveries that take effect in one commit; what fails goes onward together
	urgentLinger  = 100 * time.Millisecond // wait for a batch to fill
	patientLinger = 250 * time.Millisecond
	effectTimeout = 5 * time.Second // of a batch
	checkTimeout  = time.Second
)

// A Job says what is done with the messages of a queue. There is one for each
// queue: [Settlement], [Notifications], [Projection] and [Statements].
type Job struct {
	queue   string
	workers int // consumers beside each other
	batch   int // deliveries that take effect together, at most
	linger  time.Duration
	timeout time.Duration // of an effect

	// effect brings about what the messages ask for. It returns for each what
	// is wrong with it, nil if it took effect, or else one error for them all,
	// in which case none needs to have taken effect. It must be idempotent.
	effect func(ctx context.Context, bodies [][]byte) (verdicts []error, err error)
}

// Settlement settles the transfers that were accepted and makes the cache
// forget how their accounts were before, and what they refund, should whoever
// placed them have died in between.
func Settlement(ledger *store.Primary, c *cache.Cache) Job {
	settle := func(ctx context.Context, events []store.TransferEvent) ([]error, error) {
		ids := make([]uuid.UUID, len(events))
		for i, e := range events {
			ids[i] = e.TransferID
		}
		unknown, err := ledger.Settle(ctx, ids)
		if err != nil {
			return nil, err
		}
		verdicts := missing(ids, unknown)
		invalidate(ctx, c, events, verdicts)
		return verdicts, nil
	}
	return Job{
		queue: SettlementQueue, workers: 1, batch: batchMost, linger: urgentLinger, timeout: effectTimeout,
		effect: decoded(decodeTransfer, settle),
	}
}

// Notifications notifies the customers on both sides of a transfer.
func Notifications(ledger *store.Primary) Job {
	return transferJob(NotificationsQueue, ledger.Notify)
}

// Projection adds transfers up to the activity of each account and day.
func Projection(ledger *store.Primary) Job {
	return transferJob(ProjectionQueue, ledger.Project)
}

func transferJob(queue string, effect func(context.Context, []store.TransferEvent) (int, error)) Job {
	return Job{
		queue: queue, workers: 1, batch: batchMost, linger: patientLinger, timeout: effectTimeout,
		effect: decoded(decodeTransfer, func(ctx context.Context, events []store.TransferEvent) ([]error, error) {
			_, err := effect(ctx, events)
			return make([]error, len(events)), err
		}),
	}
}

// Statements builds the statements that were requested. Each is heavy, so no
// more than workers are built at once, and each has timeout to itself.
func Statements(ledger *store.Primary, workers int, timeout time.Duration) Job {
	build := func(ctx context.Context, ids []uuid.UUID) ([]error, error) {
		verdicts := make([]error, len(ids))
		for i, id := range ids {
			err := ledger.BuildStatement(ctx, id)
			if err = blame(ctx, ledger, err); isEnvironment(err) {
				return nil, err
			}
			verdicts[i] = err
		}
		return verdicts, nil
	}
	return Job{
		queue: StatementsQueue, workers: workers, batch: 1, timeout: timeout,
		effect: decoded(decodeStatement, build),
	}
}

// errTooSlow says that an effect took longer than it may, though the database
// answers.
var errTooSlow = errors.New("it takes too long")

// blame finds out what to make of an effect that ran out of time. If the
// database still answers it is the effect that is too heavy.
func blame(ctx context.Context, ledger *store.Primary, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, domain.ErrUnknownOutcome) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	if checkErr := ledger.Check(ctx); checkErr != nil {
		return fmt.Errorf("%w: %w", domain.ErrUnavailable, checkErr)
	}
	return errTooSlow
}

// missing returns a verdict for each id: those that are unknown are not found.
func missing(ids, unknown []uuid.UUID) []error {
	verdicts := make([]error, len(ids))
	if len(unknown) == 0 {
		return verdicts
	}
	lost := make(map[uuid.UUID]bool, len(unknown))
	for _, id := range unknown {
		lost[id] = true
	}
	for i, id := range ids {
		if lost[id] {
			verdicts[i] = fmt.Errorf("transfer %s: %w", id, domain.ErrNotFound)
		}
	}
	return verdicts
}

// invalidate makes the cache forget what is older than the events that took
// effect, with one call or two for each timeline, of which there is rarely more
// than one.
func invalidate(ctx context.Context, c *cache.Cache, events []store.TransferEvent, verdicts []error) {
	type changes struct {
		accounts map[int64]int64 // newest versions
		refunded []uuid.UUID     // transfers
	}
	of := map[int]*changes{}
	for i, e := range events {
		if verdicts[i] != nil {
			continue
		}
		changed := of[e.Timeline]
		if changed == nil {
			changed = &changes{accounts: map[int64]int64{}}
			of[e.Timeline] = changed
		}
		changed.accounts[e.From] = max(changed.accounts[e.From], e.FromVersion)
		changed.accounts[e.To] = max(changed.accounts[e.To], e.ToVersion)
		if e.RefundOf != uuid.Nil {
			changed.refunded = append(changed.refunded, e.RefundOf)
		}
	}
	for timeline, changed := range of {
		accounts := make([]store.AccountVersion, 0, len(changed.accounts))
		for account, version := range changed.accounts {
			accounts = append(accounts, store.AccountVersion{Account: account, Version: version})
		}
		payments.Invalidate(ctx, c, timeline, accounts...)
		payments.InvalidateTransfers(ctx, c, timeline, changed.refunded...)
	}
}
