package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	pool   *pgxpool.Pool
	opts   Options
	tracer *tracer

	// writers has a place for each connection that may write at once. There
	// are fewer than connections, so that while commits wait for a standby the
	// reads go on.
	writers chan struct{}
}

// openDatabase returns the database behind a URL. No connection is made yet.
func openDatabase(ctx context.Context, url string, opts Options) (database, error) {
	t := newTracer(opts.Spans, opts.SlowQuery, opts.Log)
	pool, err := openPool(ctx, url, opts, t)
	if err != nil {
		return database{}, err
	}
	return database{pool: pool, opts: opts, tracer: t, writers: make(chan struct{}, max(1, opts.MaxConns*3/4))}, nil
}

// acquire takes a connection of the pool, waiting no longer than the pool's
// bound. Nothing has happened when it fails.
func (d database) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.AcquireTimeout)
	defer cancel()
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		if d.pool.Stat().AcquiredConns() == d.opts.MaxConns {
			err = fmt.Errorf("%w: %w", errContended, err)
		}
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
	tracer *tracer
}

// acquireWriter takes a connection to write on, bounded like acquire.
func (d database) acquireWriter(ctx context.Context) (writer, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.AcquireTimeout)
	defer cancel()
	if err := d.awaitPlace(ctx); err != nil {
		return writer{}, fmt.Errorf("wait for other writers: %w: %w: %w", domain.ErrUnavailable, errContended, err)
	}
	conn, err := d.acquire(ctx)
	if err != nil {
		<-d.writers
		return writer{}, err
	}
	return writer{Conn: conn, places: d.writers, tracer: d.tracer}, nil
}

// awaitPlace takes a place of a writer. A wait for one is a span of its own.
func (d database) awaitPlace(ctx context.Context) (err error) {
	select {
	case d.writers <- struct{}{}:
		return nil
	default:
	}
	ctx, op := d.tracer.wait(ctx, "wait for other writers")
	defer func() { op.end(ctx, err) }()
	select {
	case d.writers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
//
// The origin tells the timeline as soon as the primary was met, also with an
// error.
func (d database) inTx(ctx context.Context, doing string, queue func(*pgx.Batch)) (domain.Origin, error) {
	return d.inTxIf(ctx, doing, queue, func() error { return nil })
}

// inTxIf is [database.inTx] and rolls back if, once all results are read,
// refused has something against them.
//
// A function that reads results and finds what it does not want should say so
// in this way. Were it to return an error, the driver would take the statements
// for the reason, give up what it has prepared, and prepare it again: two round
// trips more for whoever has the connection next.
func (d database) inTxIf(ctx context.Context, doing string, queue func(*pgx.Batch), refused func() error) (domain.Origin, error) {
	origin := domain.Origin{Source: domain.Primary}
	b := d.begin(&origin.Timeline, d.opts.TxTimeout)
	queue(b)
	w, err := d.open(ctx, b)
	if err != nil {
		return origin, wrap(doing, err)
	}
	if err = refused(); err != nil {
		defer w.release()
		return origin, wrap(doing, errors.Join(err, w.rollback(ctx)))
	}
	lsn, err := w.commit(ctx, doing)
	if lsn != 0 {
		origin.Position = domain.Position{Timeline: origin.Timeline, LSN: lsn}
	}
	return origin, err
}

// peek runs the queued statements in one transaction and rolls it back: for
// locks that are to be had, not held.
func (d database) peek(ctx context.Context, doing string, queue func(*pgx.Batch)) error {
	var timeline int
	b := d.begin(&timeline, d.opts.TxTimeout)
	queue(b)
	w, err := d.open(ctx, b)
	if err != nil {
		return wrap(doing, err)
	}
	defer w.release()
	return wrap(doing, w.rollback(ctx))
}

// open opens a transaction with the statements of a batch that begin returned.
// With an error there is no transaction.
func (d database) open(ctx context.Context, b *pgx.Batch) (w writer, err error) {
	err = d.guard(ctx, func(ctx context.Context) error {
		if w, err = d.acquireWriter(ctx); err != nil {
			return err
		}
		err = w.SendBatch(ctx, b).Close()
		if err == nil {
			return nil
		}
		defer w.release()
		if errors.Is(err, context.DeadlineExceeded) { // somebody may hold a lock
			err = fmt.Errorf("%w: %w", errContended, err)
		}
		return errors.Join(err, w.rollback(ctx))
	})
	return w, err
}

// begin returns a batch that opens a transaction and tells its timeline; on a
// standby it fails. The limit of a silence and of a wait for a lock is the
// server's own: it frees the locks of a client that was cut off before its
// COMMIT.
func (d database) begin(timeline *int, limit time.Duration) *pgx.Batch {
	ms := strconv.FormatInt(limit.Milliseconds(), 10)
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	b.Queue(`SELECT `+timelineOfPrimary+`, set_config('lock_timeout', $1, true),
			set_config('idle_in_transaction_session_timeout', $1, true)`, ms).
		QueryRow(func(row pgx.Row) error { return row.Scan(timeline, nil, nil) })
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

// commit commits the transaction and releases the connection. It returns the
// position of the primary afterwards, which includes the commit; 0 if that
// could not be learned.
//
// Every failure has an unknown outcome, because COMMIT was sent: an error, a
// broken connection, the end of ctx, and also a success with a warning, which
// is how the server says that it committed on this node alone and stopped
// waiting for the standby.
//
// The end of ctx ends only the wait of the caller. The connection is kept for
// the server's answer, which bounds how many commits can wait for a standby.
// If each were abandoned for a new connection, a stall of replication would
// fill the server with backends that nobody hears.
func (w writer) commit(ctx context.Context, doing string) (lsn uint64, err error) {
	type outcome struct {
		lsn uint64
		err error
	}
	done := make(chan outcome, 1)
	go func() { // owned by the pool, whose Close waits for the connection
		defer w.release()
		patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		defer cancel()
		lsn, err := w.durable(patient)
		done <- outcome{lsn, err}
	}()
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		o.err = ctx.Err()
	}
	if o.err != nil {
		return 0, fmt.Errorf("%s: commit: %w: %w", doing, domain.ErrUnknownOutcome, o.err)
	}
	return o.lsn, nil
}

// What commits, and then asks how far a replica has to be to have the commit.
// Only what is flushed reaches a replica, and the commit is.
const (
	commitSQL  = `COMMIT`
	flushedSQL = `SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint`
)

// durable commits and returns nil only if what was committed is as durable as
// the server is configured to make it.
//
// Both statements go in one round trip. Once the first is answered the second
// does not matter: without the position the change is acknowledged all the
// same.
func (w writer) durable(ctx context.Context) (lsn uint64, err error) {
	ctx, op := w.tracer.begin(ctx, commitSQL, flushedSQL)
	defer func() { op.end(ctx, err) }()
	conn := w.Conn.Conn().PgConn()
	results, err := conn.Exec(ctx, commitSQL+"; "+flushedSQL).ReadAll()
	warning := takeWarning(conn)
	switch {
	case len(results) == 0 && err == nil:
		return 0, errors.Join(errors.New("the server did not answer"), warning)
	case len(results) == 0 || results[0].Err != nil:
		return 0, errors.Join(err, warning)
	case results[0].CommandTag.String() != commitSQL:
		return 0, errors.Join(fmt.Errorf("server answered %s", results[0].CommandTag), err, warning)
	case warning != nil:
		return 0, warning
	}
	return flushed(results[1:]), nil
}

// flushed reads the answer to flushedSQL.
func flushed(results []*pgconn.Result) uint64 {
	if len(results) == 0 || len(results[0].Rows) != 1 {
		return 0
	}
	lsn, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 64)
	if err != nil {
		return 0
	}
	return lsn
}
