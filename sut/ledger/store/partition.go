package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Postings are partitioned by the month, in UTC, in which they were made. A
// posting of a month that has no partition goes to the default one: a ledger
// whose months nobody prepares still works, only with less order.
//
// All months stay attached. A posting is a part of what the ledger proves:
// that each transfer has its two sides, that a balance is the opening one plus
// the postings, that a statement of any period can be built again. Taking a
// month away would take all three, unless its sums were carried forward into
// the opening balances in the same transaction, which would lock every account
// for as long as that takes. What the partitions give is that reads of a
// period touch its months alone, that the indexes being written stay small,
// and that what no longer changes need not be vacuumed again.

const (
	// partitionsLock keeps those apart that add partitions at the same time.
	partitionsLock = 0x6c65646765720001

	// A new partition has foreign keys, so the tables they lead to are locked
	// against writers until it is there. Waiting for that lock stops the
	// writers that come behind it, so the wait is short, and repeated.
	partitionLockTimeout = 200 * time.Millisecond
	partitionTries       = 50
)

// EnsurePartitions sees to it that the current month and the given number of
// months after it have a partition. It may be called at any time and by
// several at once. Writers wait at most for as long as an attempt to get the
// locks takes, a fifth of a second; attempts are repeated until ctx is done or
// about a minute has passed.
func (p *Primary) EnsurePartitions(ctx context.Context, months int) error {
	const doing = "ensure partitions"
	var w writer
	var now time.Time // by the clock of the database
	err := p.db.guard(ctx, func(ctx context.Context) (err error) {
		if w, err = p.db.acquireWriter(ctx); err != nil {
			return err
		}
		if err = w.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			w.release()
		}
		return err
	})
	if err != nil {
		return wrap(doing, err)
	}
	defer w.release()
	return wrap(doing, ensureMonths(ctx, w.Conn.Conn(), now, months+1))
}

// ensureMonthsFromNow sees to it that n months have a partition, the first
// being the current one by the clock of the database.
func ensureMonthsFromNow(ctx context.Context, conn *pgx.Conn, n int) error {
	var now time.Time
	if err := conn.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return err
	}
	return ensureMonths(ctx, conn, now, n)
}

// ensureMonths sees to it that n months have a partition, the first being that
// of the given time.
func ensureMonths(ctx context.Context, conn *pgx.Conn, from time.Time, n int) error {
	wanted := make([]time.Time, n)
	for i := range wanted {
		wanted[i] = monthOf(from).AddDate(0, i, 0)
	}
	missing, err := missingMonths(ctx, conn, wanted)
	if err != nil {
		return err
	}
	for _, month := range missing {
		pause := backoff.NewExponentialBackOff()
		pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, 2*time.Second
		_, err := backoff.Retry(ctx, func() (struct{}, error) {
			err := addMonth(ctx, conn, month)
			if err != nil && !isLocked(err) {
				err = backoff.Permanent(err)
			}
			return struct{}{}, err
		}, backoff.WithBackOff(pause), backoff.WithMaxTries(partitionTries), backoff.WithMaxElapsedTime(time.Minute))
		if err != nil {
			return fmt.Errorf("add partition %s: %w", partitionName(month), err)
		}
	}
	return nil
}

// monthOf returns the beginning of the month of a time, in UTC.
func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// partitionName returns the name of the partition of a month.
func partitionName(month time.Time) string { return "postings_" + month.Format("200601") }

// missingMonths returns those of the months that lack a partition and can get
// one. A month whose postings have begun to go to the default partition
// remains there.
func missingMonths(ctx context.Context, conn *pgx.Conn, wanted []time.Time) ([]time.Time, error) {
	rows, err := conn.Query(ctx, `
		SELECT month FROM unnest($1::timestamptz[]) AS month
		WHERE to_regclass('postings_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM')) IS NULL
		  AND NOT EXISTS (SELECT FROM postings_default
			WHERE created_at >= month AND created_at < ((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC')
		ORDER BY month`, wanted)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[time.Time])
}

// addMonth makes and attaches the partition of a month unless there is one.
//
// The commit does not wait for a standby, which might take for ever and would
// hold the locks. That is safe: a standby that has a posting of the month has
// the partition too, for it was logged before.
func addMonth(ctx context.Context, conn *pgx.Conn, month time.Time) error {
	name := partitionName(monthOf(month))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var exists bool
		b := &pgx.Batch{}
		b.Queue(`SET LOCAL synchronous_commit = local`)
		b.Queue(`SELECT set_config('lock_timeout', $1, true)`, partitionLockTimeout.String())
		b.Queue(`SELECT pg_advisory_xact_lock($1)`, int64(partitionsLock))
		// Not to_regclass, which may remember what was before the wait.
		b.Queue(`SELECT EXISTS (SELECT FROM pg_class c JOIN pg_class p USING (relnamespace)
			WHERE p.oid = 'postings'::regclass AND c.relname = $1)`, name).QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		if err := tx.SendBatch(ctx, b).Close(); err != nil || exists {
			return err
		}
		first, next := monthOf(month), monthOf(month).AddDate(0, 1, 0)
		table := pgx.Identifier{name}.Sanitize()
		b = &pgx.Batch{}
		b.Queue(`CREATE TABLE ` + table + ` (LIKE postings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`)
		b.Queue(`ALTER TABLE postings ATTACH PARTITION ` + table +
			` FOR VALUES FROM ('` + first.Format(time.RFC3339) + `') TO ('` + next.Format(time.RFC3339) + `')`)
		// The rules for each row it got with the attachment; this one it has not.
		b.Queue(`CREATE TRIGGER postings_stay_all BEFORE TRUNCATE ON ` + table + ` EXECUTE FUNCTION refuse()`)
		return tx.SendBatch(ctx, b).Close()
	})
}

// isLocked reports whether an attempt failed for a lock that it did not get.
func isLocked(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == codeLockTimeout || pgErr.Code == codeDeadlock)
}
