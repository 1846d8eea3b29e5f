package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// An Event is an entry of the outbox.
type Event struct {
	ID          int64
	Topic       string
	Payload     []byte // JSON
	Correlation string
}

// Relay takes up to limit unpublished events, oldest first, hands them to
// publish and marks those that it reports as confirmed, even if it also
// reports an error. It returns how many were marked.
//
// The events stay locked while they are published, so that several relays
// share the outbox without waiting for each other. If the marks cannot be
// committed the events are published again: consumers must be idempotent.
func (p *Primary) Relay(
	ctx context.Context, limit int, publish func(context.Context, []Event) (confirmed []int64, err error),
) (int, error) {
	const doing = "relay outbox"
	w, err := p.db.acquireWriter(ctx)
	if err != nil {
		return 0, wrap(doing, err)
	}
	confirmed, publishErr, err := p.lockAndPublish(ctx, w, limit, publish)
	if err != nil || len(confirmed) == 0 {
		defer w.release()
		return 0, wrap(doing, errors.Join(publishErr, err, w.rollback(ctx)))
	}
	if err := w.commit(ctx, doing, "COMMIT"); err != nil {
		return 0, errors.Join(publishErr, err)
	}
	return len(confirmed), publishErr
}

// lockAndPublish does what [Primary.Relay] does, up to the commit.
func (p *Primary) lockAndPublish(
	ctx context.Context, w writer, limit int, publish func(context.Context, []Event) ([]int64, error),
) (confirmed []int64, publishErr, err error) {
	var events []Event
	b := p.db.begin()
	b.Queue(`SELECT id, topic, payload::text, correlation_id FROM outbox
		WHERE published_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`, limit).
		Query(func(rows pgx.Rows) (err error) {
			events, err = pgx.CollectRows(rows, scanEvent)
			return err
		})
	if err = w.SendBatch(ctx, b).Close(); err != nil || len(events) == 0 {
		return nil, nil, err
	}
	if confirmed, publishErr = publish(ctx, events); len(confirmed) == 0 {
		return nil, publishErr, nil
	}
	_, err = w.Exec(ctx, `UPDATE outbox SET published_at = now() WHERE id = ANY($1)`, confirmed)
	return confirmed, publishErr, err
}

func scanEvent(row pgx.CollectableRow) (Event, error) {
	var e Event
	err := row.Scan(&e.ID, &e.Topic, &e.Payload, &e.Correlation)
	return e, err
}

// Settle settles a transfer. Settling it again changes nothing. The error
// wraps [domain.ErrNotFound] if there is no such transfer.
//
// A repeated settlement updates the row to itself rather than do nothing:
// the caller will drop the message once told that the settlement is there, so
// that must be as durable as a first one, and only a logged change makes the
// commit wait for the standby.
func (p *Primary) Settle(ctx context.Context, transfer uuid.UUID) error {
	const doing = "settle transfer"
	w, err := p.db.acquireWriter(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	err = w.commit(ctx, doing, `INSERT INTO settlements (transfer_id) VALUES ($1)
		ON CONFLICT (transfer_id) DO UPDATE SET transfer_id = excluded.transfer_id`, transfer)
	if violates(err, codeForeignKey, constraintSettled) {
		return fmt.Errorf("settle transfer %s: %w", transfer, domain.ErrNotFound)
	}
	return err
}
