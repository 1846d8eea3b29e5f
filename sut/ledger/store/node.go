package store

import (
	"context"
	"fmt"
	"time"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// timelineOfPrimary is an SQL expression for the timeline a primary writes. It
// is read off the name of the WAL file being written, because
// pg_control_checkpoint still tells the old timeline until the first
// checkpoint after a promotion. On a standby it is an error, so that a
// statement with it cannot be answered by one.
const timelineOfPrimary = `('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int`

// The first part of every read: where it is answered.
//
// A standby tells the timeline it receives; the role needs pg_read_all_stats
// to see it. Without, or while nothing is received, there is only the timeline
// of the last restart point, which lags behind a promotion.
const (
	originOfPrimary = `WITH origin AS (SELECT ` + timelineOfPrimary + ` AS timeline, false AS replica) `
	originOfReplica = `WITH origin AS (SELECT pg_is_in_recovery() AS replica, CASE WHEN pg_is_in_recovery()
		THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
		ELSE ` + timelineOfPrimary + ` END AS timeline) `
)

// node reads from a database node, whichever it is.
type node struct {
	db     database
	origin string // one of the origin constants
}

// A Primary reads and writes the ledger through the path to the primary.
type Primary struct{ node }

// A Replica reads the ledger through the path to the replicas.
type Replica struct{ node }

// OpenPrimary returns the ledger behind a URL that leads to the primary. No
// connection is made yet.
func OpenPrimary(ctx context.Context, url string, opts Options) (*Primary, error) {
	pool, err := openPool(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	return &Primary{node{db: newDatabase(pool, opts), origin: originOfPrimary}}, nil
}

// OpenReplica returns the ledger behind a URL that leads to replicas. No
// connection is made yet. Where there is only a primary the URL may lead
// there; its answers then say so.
func OpenReplica(ctx context.Context, url string, opts Options) (*Replica, error) {
	pool, err := openPool(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	return &Replica{node{db: newDatabase(pool, opts), origin: originOfReplica}}, nil
}

// Close closes all connections. It waits for those in use, but not as long as
// a commit may wait for a standby.
func (n node) Close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		n.db.pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeTimeout):
	}
}

const closeTimeout = 2 * time.Second

// Check reports whether the node can be reached and has the schema.
func (n node) Check(ctx context.Context) error {
	var origin domain.Origin
	var one int
	return n.readRow(ctx, "check database", &origin,
		`SELECT o.timeline, o.replica, $1::int FROM origin o LEFT JOIN (SELECT id FROM accounts LIMIT 1) a ON true`, 1, &one)
}

// FindAccount reads an account.
func (n node) FindAccount(ctx context.Context, id int64) (domain.Account, domain.Origin, error) {
	var (
		origin           domain.Origin
		currency         *string
		balance, version *int64
	)
	err := n.readRow(ctx, "find account", &origin, `
		SELECT o.timeline, o.replica, a.currency, a.balance, a.version
		FROM origin o LEFT JOIN accounts a ON a.id = $1`, id, &currency, &balance, &version)
	if err != nil {
		return domain.Account{}, origin, err
	}
	if currency == nil {
		return domain.Account{}, origin, fmt.Errorf("account %d: %w", id, domain.ErrNotFound)
	}
	return domain.Account{ID: id, Currency: *currency, Balance: *balance, Version: *version}, origin, nil
}

// readRow runs a query of one argument and one row, whose first two columns
// are those of the relation origin.
func (n node) readRow(ctx context.Context, doing string, origin *domain.Origin, sql string, arg any, dest ...any) error {
	conn, err := n.db.acquire(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	defer conn.Release()
	var replica bool
	dest = append([]any{&origin.Timeline, &replica}, dest...)
	if err := conn.QueryRow(ctx, n.origin+sql, arg).Scan(dest...); err != nil {
		return wrap(doing, err)
	}
	origin.Source = domain.Primary
	if replica {
		origin.Source = domain.Replica
	}
	return nil
}
