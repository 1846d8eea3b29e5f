package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const (
	rollbackTimeout = time.Second

	// commitTimeout is how long a commit may keep its connection, whoever is
	// still waiting for it.
	commitTimeout = 30 * time.Second
)

// database is a pool and the bounds of its use.
type database struct {
	pool *pgxpool.Pool
	opts Options

	// writers has a place for each connection that may write at once. There
	// are fewer than connections, so that while commits wait for a standby the
	// reads go on.
	writers chan struct{}
}

func newDatabase(pool *pgxpool.Pool, opts Options) database {
	return database{pool: pool, opts: opts, writers: make(chan struct{}, max(1, opts.MaxConns*3/4))}
}

// acquire takes a connection of the pool, waiting no longer than the pool's
// bound. Nothing has happened when it fails.
func (d database) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.AcquireTimeout)
	defer cancel()
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquire connection: %w: %w", domain.ErrUnavailable, err)
	}
	// What a former user of the connection was warned of is none of ours.
	_ = takeWarning(conn.Conn().PgConn())
	return conn, nil
}

// A writer is a connection on which to change something. It ends with either
// release or commit.
type writer struct {
	*pgxpool.Conn
	places chan struct{}
}

// acquireWriter takes a connection to write on, bounded like acquire.
func (d database) acquireWriter(ctx context.Context) (writer, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.AcquireTimeout)
	defer cancel()
	select {
	case d.writers <- struct{}{}:
	case <-ctx.Done():
		return writer{}, fmt.Errorf("wait for other writers: %w: %w", domain.ErrUnavailable, ctx.Err())
	}
	conn, err := d.acquire(ctx)
	if err != nil {
		<-d.writers
		return writer{}, err
	}
	return writer{Conn: conn, places: d.writers}, nil
}

// release gives the connection back; if a transaction is still open on it, the
// connection is destroyed.
func (w writer) release() {
	w.Release()
	<-w.places
}

// inTx runs the queued statements in one transaction: all of them in one round
// trip, COMMIT in a second. Their results are read by the functions given with
// them, before COMMIT is sent; an error of any of them rolls back.
func (d database) inTx(ctx context.Context, doing string, queue func(*pgx.Batch)) error {
	w, err := d.acquireWriter(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	b := d.begin()
	queue(b)
	if err := w.SendBatch(ctx, b).Close(); err != nil {
		defer w.release()
		return wrap(doing, errors.Join(err, w.rollback(ctx)))
	}
	return w.commit(ctx, doing, "COMMIT")
}

// begin returns a batch that opens a transaction. Its limits are the server's
// own: they free the locks of a client that was cut off before its COMMIT.
func (d database) begin() *pgx.Batch {
	ms := strconv.FormatInt(d.opts.TxTimeout.Milliseconds(), 10)
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	b.Queue(`SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $1, true)`, ms)
	return b
}

// rollback ends a transaction that failed. It also works when ctx is done. A
// connection on which it fails is of no further use and destroyed on release.
func (w writer) rollback(ctx context.Context) error {
	if w.Conn.Conn().IsClosed() || w.Conn.Conn().PgConn().TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if _, err := w.Exec(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// commit executes a statement that commits, COMMIT or one outside of a
// transaction, and releases the connection.
//
// Every failure has an unknown outcome, because the statement was sent: an
// error, a broken connection, the end of ctx, and also a success with a
// warning, which is how the server says that it committed on this node alone
// and stopped waiting for the standby.
//
// The end of ctx ends only the wait of the caller. The connection is kept for
// the server's answer, which bounds how many commits can wait for a standby.
// If each were abandoned for a new connection, a stall of replication would
// fill the server with backends that nobody hears.
func (w writer) commit(ctx context.Context, doing, sql string, args ...any) error {
	done := make(chan error, 1)
	go func() { // owned by the pool, whose Close waits for the connection
		defer w.release()
		patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		defer cancel()
		done <- w.durable(patient, sql, args...)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: commit: %w: %w", doing, domain.ErrUnknownOutcome, err)
	}
	return nil
}

// durable executes a statement and returns nil only if what it committed is as
// durable as the server is configured to make it.
func (w writer) durable(ctx context.Context, sql string, args ...any) error {
	tag, err := w.Exec(ctx, sql, args...)
	if err == nil && sql == "COMMIT" && tag.String() != "COMMIT" {
		err = fmt.Errorf("server answered %s", tag)
	}
	return errors.Join(err, takeWarning(w.Conn.Conn().PgConn()))
}
