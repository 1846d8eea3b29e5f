package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// A TransferEvent tells of a new transfer. What is done about it goes by the
// transfer as the ledger has it; the message only says which.
type TransferEvent struct {
	Key         string    `json:"-"`
	TransferID  uuid.UUID `json:"transfer_id"`
	RefundOf    uuid.UUID `json:"refund_of"` // [uuid.Nil] unless it is a refund
	Timeline    int       `json:"timeline"`
	From        int64     `json:"from"`
	FromVersion int64     `json:"from_version"`
	To          int64     `json:"to"`
	ToVersion   int64     `json:"to_version"`
}

// The consumers of events that note what they have seen to.
const (
	consumerNotifications = "notifications"
	consumerProjection    = "projection"
)

// Settle settles transfers and returns the ids of those that do not exist.
// Settling one again changes nothing.
//
// A repeated settlement updates the row to itself rather than do nothing: the
// caller will drop the message once told that the settlement is there, so that
// must be as durable as a first one, and only a logged change makes the commit
// wait for the standby.
func (p *Primary) Settle(ctx context.Context, transfers []uuid.UUID) (unknown []uuid.UUID, err error) {
	missing := make(map[uuid.UUID]bool, len(transfers))
	for _, id := range transfers {
		missing[id] = true
	}
	_, err = p.db.inTx(ctx, "settle transfers", func(b *pgx.Batch) {
		b.Queue(`INSERT INTO settlements (transfer_id) SELECT id FROM transfers WHERE id = ANY($1) ORDER BY id
			ON CONFLICT (transfer_id) DO UPDATE SET transfer_id = excluded.transfer_id RETURNING transfer_id`, uuids(transfers)).
			Query(func(rows pgx.Rows) error {
				var id uuid.UUID
				_, rowsErr := pgx.ForEachRow(rows, []any{&id}, func() error {
					delete(missing, id)
					return nil
				})
				return rowsErr
			})
	})
	if err != nil {
		return nil, err
	}
	return slices.Collect(maps.Keys(missing)), nil
}

// EventsKept is how long it is known what a consumer has seen to, at least.
// What consumers do about events that are older does not depend on it.
const EventsKept = 7 * 24 * time.Hour

// Notify notes for the customers on both sides of transfers that they happened,
// and returns how many transfers were new to it. The error wraps
// [domain.ErrNotFound], and nothing is done, if any of them does not exist.
func (p *Primary) Notify(ctx context.Context, events []TransferEvent) (int, error) {
	return p.consume(ctx, consumerNotifications, events, NotificationsKept, notifySQL)
}

// Project adds transfers to the activity of their accounts, and returns how
// many were new to it. The error wraps [domain.ErrNotFound], and nothing is
// done, if any of them does not exist.
//
// Of a day that is longer ago than [EventsKept] it is not known which of its
// transfers were added. Such a day is over, so its activity is made anew.
func (p *Primary) Project(ctx context.Context, events []TransferEvent) (int, error) {
	return p.consume(ctx, consumerProjection, events, EventsKept, projectFreshSQL)
}

const (
	unknownSQL = `SELECT e.id FROM unnest($1::uuid[]) AS e (id) WHERE NOT EXISTS (SELECT FROM transfers t WHERE t.id = e.id)`

	// consumeSQL begins a statement that brings about the effect of those
	// events that were not seen before, which are fresh. To count the others
	// makes them as durable as the first time, see [Primary.Settle].
	consumeSQL = `WITH event AS (SELECT * FROM unnest($2::text[], $3::uuid[]) AS e (key, transfer_id)),
		seen AS (INSERT INTO consumed_events AS c (consumer, event_key) SELECT $1, key FROM event ORDER BY key
			ON CONFLICT (consumer, event_key) DO UPDATE SET deliveries = c.deliveries + 1 RETURNING event_key, deliveries),
		fresh AS (SELECT event.transfer_id FROM event JOIN seen ON seen.event_key = event.key WHERE seen.deliveries = 1),
		`
	consumeEndSQL = ` SELECT count(*) FROM fresh`

	freshPostings = `fresh JOIN transfers t ON t.id = fresh.transfer_id
		JOIN postings p ON p.transfer_id = t.id AND p.created_at = t.created_at`

	notifySQL = `effect AS (INSERT INTO notifications (customer_id, account_id, transfer_id, amount)
		SELECT a.customer_id, a.id, p.transfer_id, p.amount
		FROM ` + freshPostings + ` JOIN accounts a ON a.id = p.account_id
		WHERE p.created_at >= now() - $4::bigint * interval '1 microsecond' ORDER BY p.transfer_id, a.id
		ON CONFLICT (transfer_id, account_id) DO NOTHING)`

	// Of the days from this time on it is known what was added.
	knownSince = `date_trunc('day', now() - $4::bigint * interval '1 microsecond', 'UTC') + interval '24 hours'`

	projectFreshSQL = `moved AS (SELECT p.account_id, p.amount, p.created_at FROM ` + freshPostings + `),
		added AS (` + projectSQL + `moved p WHERE p.created_at >= ` + knownSince + projectGroupSQL + projectMergeSQL + `),
		remade AS (INSERT INTO account_activity AS a (account_id, day, transfers, debited, credited)
			SELECT old.account_id, old.day, sums.* FROM (
				SELECT DISTINCT p.account_id, (p.created_at AT TIME ZONE 'UTC')::date AS day
				FROM moved p WHERE p.created_at < ` + knownSince + `) AS old
			CROSS JOIN LATERAL (SELECT ` + sumsSQL + ` FROM postings p WHERE p.account_id = old.account_id
				AND p.created_at >= old.day::timestamp AT TIME ZONE 'UTC'
				AND p.created_at < (old.day + 1)::timestamp AT TIME ZONE 'UTC') AS sums
			ORDER BY old.account_id, old.day
			ON CONFLICT (account_id, day) DO UPDATE SET transfers = excluded.transfers,
				debited = excluded.debited, credited = excluded.credited, updated_at = now())`

	sumsSQL = `count(*), -coalesce(sum(p.amount) FILTER (WHERE p.amount < 0), 0), coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0)`

	// Between the first two parts stands where postings p are to be found.
	projectSQL = `INSERT INTO account_activity AS a (account_id, day, transfers, debited, credited)
		SELECT p.account_id, (p.created_at AT TIME ZONE 'UTC')::date AS day, ` + sumsSQL + ` FROM `
	projectGroupSQL = ` GROUP BY p.account_id, day ORDER BY p.account_id, day`
	projectMergeSQL = `
		ON CONFLICT (account_id, day) DO UPDATE SET transfers = a.transfers + excluded.transfers,
			debited = a.debited + excluded.debited, credited = a.credited + excluded.credited, updated_at = now()`
)

// consume brings about the effect of events that a consumer has not seen, and
// returns how many those were.
// The effect may depend on how old an event is by means of the age.
func (p *Primary) consume(
	ctx context.Context, consumer string, events []TransferEvent, age time.Duration, effect string,
) (fresh int, err error) {
	byKey := make(map[string]uuid.UUID, len(events))
	for _, e := range events {
		byKey[e.Key] = e.TransferID
	}
	keys, ids := make([]string, 0, len(byKey)), make([]uuid.UUID, 0, len(byKey))
	for key, id := range byKey {
		keys, ids = append(keys, key), append(ids, id)
	}
	_, err = p.db.inTx(ctx, "consume events for "+consumer, func(b *pgx.Batch) {
		b.Queue(unknownSQL, uuids(ids)).Query(func(rows pgx.Rows) error {
			unknown, rowsErr := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			if len(unknown) > 0 {
				return fmt.Errorf("transfer %s: %w", unknown[0], domain.ErrNotFound)
			}
			return rowsErr
		})
		b.Queue(consumeSQL+effect+consumeEndSQL, consumer, keys, uuids(ids), age.Microseconds()).
			QueryRow(func(row pgx.Row) error { return row.Scan(&fresh) })
	})
	return fresh, err
}

// uuids returns ids as the driver can send a list of them.
func uuids(ids []uuid.UUID) []pgtype.UUID {
	list := make([]pgtype.UUID, len(ids))
	for i, id := range ids {
		list[i] = pgtype.UUID{Bytes: id, Valid: true}
	}
	return list
}
