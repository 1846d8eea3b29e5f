package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// errContended says that a wait was in vain for which others may be the reason,
// who have the connections or a lock, and not the database.
var errContended = errors.New("others may be in the way")

// ask sends statements that read, and has their results read by the functions
// given with them.
func (d database) ask(ctx context.Context, b *pgx.Batch) error {
	return d.guard(ctx, func(ctx context.Context) error {
		conn, err := d.acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return conn.SendBatch(ctx, b).Close()
	})
}

// guard makes a call under the breaker of the database: the first round trip of
// whatever is done. A commit is left out, for it waits for a standby, which
// says nothing of the node itself.
func (d database) guard(ctx context.Context, call func(context.Context) error) error {
	var err error
	refused := d.opts.Breaker.Do(ctx, func(ctx context.Context) error {
		err = call(ctx)
		return evidence(err)
	})
	if err == nil && refused != nil {
		return refused // the call was not made
	}
	return err
}

// evidence returns what the error of a call says of the database: nil that it
// works, [context.Canceled] nothing, and any other error that it does not.
func evidence(err error) error {
	pgErr, isPg := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil, errors.Is(err, domain.ErrBehind), errors.Is(err, domain.ErrNotFound), errors.Is(err, pgx.ErrNoRows),
		isPg && !isUnavailable(pgErr.Code):
		return nil
	case errors.Is(err, errContended):
		return context.Canceled
	}
	return err
}
