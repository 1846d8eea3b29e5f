package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// A Written is the answer to a change. With an unknown outcome it holds what
// would have been answered, as far as it is known.
type Written[T any] struct {
	Value    T
	Replayed bool // an earlier request had made the change
	Origin   domain.Origin
}

// Meta is what the events of a change carry of the request that made it.
type Meta struct {
	Correlation string
	Traceparent string // as of W3C Trace Context; "" if there is no trace
}

// replay answers a request whose key is in use: with what the first request
// made, as it is now. The query gets the key, and returns the columns of the
// thing and the hash of the request that made it.
//
// The answer acknowledges the change once more, so it has to be as durable as
// the first. That the row can be read does not prove it: a primary that crashed
// and restarted also shows commits which no standby has received. So the query
// locks the row, FOR SHARE. The lock is logged, which makes the commit here
// wait for the standby, and a standby that has the lock has everything before
// it.
func replay[T any](
	ctx context.Context, p *Primary, what, sql string, key any, hash []byte, scan func(pgx.Row) (T, error),
) (Written[T], error) {
	doing := "replay " + what
	var first []byte
	w, err := change(ctx, p, doing, sql, []any{key}, func(row pgx.Row) (T, error) {
		return scan(extendedRow{Row: row, behind: []any{&first}})
	})
	w.Replayed = true
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		// It was deleted since, or between the two transactions another node
		// became primary, and that never had it.
		return Written[T]{Origin: w.Origin}, fmt.Errorf("%s: it vanished: %w: %w", doing, domain.ErrUnavailable, err)
	case err != nil:
		return Written[T]{}, err
	case !bytes.Equal(first, hash):
		return Written[T]{Origin: w.Origin}, domain.ErrConflict
	}
	return w, nil
}

// An extendedRow is a row that has more columns around those that are scanned.
type extendedRow struct {
	pgx.Row

	before, behind []any
}

// Scan implements [pgx.Row] for the columns in between.
func (r extendedRow) Scan(dest ...any) error {
	return r.Row.Scan(slices.Concat(r.before, dest, r.behind)...)
}

// change runs one statement that returns the thing it changed. The error is
// [pgx.ErrNoRows] if it changed nothing.
func change[T any](
	ctx context.Context, p *Primary, doing, sql string, args []any, scan func(pgx.Row) (T, error),
) (w Written[T], err error) {
	changed := false
	w.Origin, err = p.db.inTxIf(ctx, doing, func(b *pgx.Batch) {
		b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
			for rows.Next() {
				changed = true
				if w.Value, err = scan(rows); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	}, func() error {
		if !changed {
			return pgx.ErrNoRows
		}
		return nil
	})
	return w, err
}

// whyUnchanged finds out why a change of a thing with an id found nothing to
// change: there is no such thing, or it has none of the versions.
func whyUnchanged[T any](
	ctx context.Context, doing string, find func(context.Context) (T, domain.Origin, error), version func(T) int64,
	ifVersion domain.Versions,
) (domain.Origin, error) {
	value, origin, err := find(ctx)
	switch {
	case err != nil:
		return origin, err
	case !ifVersion.Allow(version(value)):
		return origin, fmt.Errorf("%s: %w: it has version %d", doing, domain.ErrVersion, version(value))
	}
	return origin, fmt.Errorf("%s: %w: it appeared meanwhile", doing, domain.ErrUnavailable)
}
