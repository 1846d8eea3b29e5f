package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// An Event is an entry of the outbox.
type Event struct {
	ID          int64
	Key         string // tells a consumer which event it is, however often it comes
	Topic       string
	Payload     []byte // JSON
	Correlation string
	Traceparent string // "" if the request had no trace
}

const (
	// relaySilence is how long the transaction of a relay may be silent, while
	// its events are published. A slow broker takes longer than any request
	// may, and if the server gives up first the events are published twice.
	relaySilence = 10 * time.Second

	// markTimeout bounds the marking of what was published, however long that
	// took.
	markTimeout = 2 * time.Second
)

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
	var events []Event
	var timeline int
	b := p.db.begin(&timeline, relaySilence)
	b.Queue(`SELECT id, event_key, topic, payload::text, correlation_id, traceparent FROM outbox
		WHERE published_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`, limit).
		Query(func(rows pgx.Rows) (err error) {
			events, err = pgx.CollectRows(rows, scanEvent)
			return err
		})
	w, err := p.db.open(ctx, b)
	if err != nil {
		return 0, wrap(doing, err)
	}
	confirmed, publishErr, err := publishAndMark(ctx, w, events, publish)
	if err != nil || len(confirmed) == 0 {
		defer w.release()
		return 0, wrap(doing, errors.Join(publishErr, err, w.rollback(ctx)))
	}
	if _, err := w.commit(ctx, doing); err != nil {
		return 0, errors.Join(publishErr, err)
	}
	return len(confirmed), publishErr
}

// publishAndMark has events published and marks those that were.
func publishAndMark(
	ctx context.Context, w writer, events []Event, publish func(context.Context, []Event) ([]int64, error),
) (confirmed []int64, publishErr, err error) {
	if len(events) == 0 {
		return nil, nil, nil
	}
	if confirmed, publishErr = publish(ctx, events); len(confirmed) == 0 {
		return nil, publishErr, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	_, err = w.Exec(ctx, `UPDATE outbox SET published_at = now() WHERE id = ANY($1)`, confirmed)
	return confirmed, publishErr, err
}

func scanEvent(row pgx.CollectableRow) (Event, error) {
	var e Event
	err := row.Scan(&e.ID, &e.Key, &e.Topic, &e.Payload, &e.Correlation, &e.Traceparent)
	return e, err
}

// PurgeEvents deletes up to limit events that were published more than age ago,
// and as many notes of consumers that have seen to one. It returns how many
// rows it deleted, and is to be called again while they are as many as limit.
//
// With an age below [EventsKept] events that are delivered once more may take
// effect once more.
func (p *Primary) PurgeEvents(ctx context.Context, age time.Duration, limit int) (int64, error) {
	var deleted int64
	_, err := p.db.inTx(ctx, "purge events", func(b *pgx.Batch) {
		for _, sql := range []string{purgeOutboxSQL, purgeConsumedSQL} {
			b.Queue(sql, age.Microseconds(), limit).Exec(func(tag pgconn.CommandTag) error {
				deleted += tag.RowsAffected()
				return nil
			})
		}
	})
	return deleted, err
}

// Materialized, because rows are chosen once and not again for each that is
// deleted.
const (
	purgeOutboxSQL = `WITH old AS MATERIALIZED (SELECT id FROM outbox
			WHERE published_at IS NOT NULL AND created_at < now() - $1::bigint * interval '1 microsecond'
			ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
		DELETE FROM outbox o USING old WHERE o.id = old.id`

	purgeConsumedSQL = `WITH old AS MATERIALIZED (SELECT consumer, event_key FROM consumed_events
			WHERE consumed_at < now() - $1::bigint * interval '1 microsecond'
			ORDER BY consumed_at LIMIT $2 FOR UPDATE SKIP LOCKED)
		DELETE FROM consumed_events c USING old WHERE c.consumer = old.consumer AND c.event_key = old.event_key`
)
