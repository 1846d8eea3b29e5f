package payments

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// Place places a transfer. It is idempotent by the transfer's id.
//
// The accounts are invalidated once the commit was answered, and before the
// caller is: whoever learns of the transfer and then reads finds it. They are
// also invalidated when the outcome is unknown, for the commit may have
// happened. Should this process die in between, the settlement does it.
func (l *Ledger) Place(ctx context.Context, t domain.Transfer) (Written[domain.Transfer], error) {
	placed, err := twice(ctx, func() (store.Placement, error) { return l.primary.Place(ctx, t, metaOf(ctx)) })
	if err == nil || errors.Is(err, domain.ErrUnknownOutcome) {
		Invalidate(ctx, l.cache, l.observe(placed.Origin), placed.Changed...)
	}
	return written(placed), err
}

// Refund places a refund. It is idempotent by the refund's id. Besides the
// accounts it changes what was refunded of the original transfer.
func (l *Ledger) Refund(ctx context.Context, r domain.Refund) (Written[domain.Transfer], error) {
	placed, err := twice(ctx, func() (store.Placement, error) { return l.primary.Refund(ctx, r, metaOf(ctx)) })
	if err == nil && !placed.Replayed || errors.Is(err, domain.ErrUnknownOutcome) {
		timeline := l.observe(placed.Origin)
		Invalidate(ctx, l.cache, timeline, placed.Changed...)
		InvalidateTransfers(ctx, l.cache, timeline, r.Of)
	}
	return written(placed), err
}

func written(p store.Placement) Written[domain.Transfer] {
	return Written[domain.Transfer]{Value: p.Transfer, Replayed: p.Replayed, Origin: p.Origin}
}

// Transfer returns a transfer.
//
// Only settled ones are cached: nothing but a refund changes them any more,
// and the others will be settled in a moment.
func (l *Ledger) Transfer(ctx context.Context, id uuid.UUID, want domain.Reading) (domain.Transfer, domain.Origin, error) {
	return l.transfers.find(ctx, l, transferKey(id), want, func(ctx context.Context, n node) (f found[domain.Transfer], err error) {
		f.value, f.origin, err = n.FindTransfer(ctx, id)
		return f, err
	})
}

// versionOfTransfer counts by what was refunded, which only grows.
func versionOfTransfer(t domain.Transfer) (number int64, ok bool) {
	return t.Refunded, t.Status == domain.Settled
}

// Transfers returns a page of the transfers.
func (l *Ledger) Transfers(
	ctx context.Context, f domain.TransferFilter, p domain.Page, want domain.Reading,
) (List[domain.Transfer], error) {
	return list(ctx, l, want, func(ctx context.Context, n node) ([]domain.Transfer, *domain.Cursor, domain.Origin, error) {
		return n.ListTransfers(ctx, f, p)
	})
}
