package store

import (
	"context"
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
	originOfPrimary = `WITH origin AS (SELECT ` + timelineOfPrimary + ` AS timeline, false AS replica)`
	originOfReplica = `WITH origin AS (SELECT pg_is_in_recovery() AS replica, CASE WHEN pg_is_in_recovery()
		THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
		ELSE ` + timelineOfPrimary + ` END AS timeline)`
)

// replayedSQL tells how far a node has come. It has to be a statement of its
// own, before the one that reads: a statement that does both takes its view of
// the data first and the position later, and may claim to include what it does
// not show.
const replayedSQL = originOfReplica + `
	SELECT timeline, (CASE WHEN replica THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0')::bigint
	FROM origin`

// node reads from a database node, whichever it is.
type node struct {
	db     database
	origin string          // one of the origin constants
	after  domain.Position // what reads have to include
}

// A Primary reads and writes the ledger through the path to the primary.
type Primary struct{ node }

// A Replica reads the ledger through the path to the replicas.
type Replica struct{ node }

// OpenPrimary returns the ledger behind a URL that leads to the primary. No
// connection is made yet.
func OpenPrimary(ctx context.Context, url string, opts Options) (*Primary, error) {
	db, err := openDatabase(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	return &Primary{node{db: db, origin: originOfPrimary}}, nil
}

// OpenReplica returns the ledger behind a URL that leads to replicas. No
// connection is made yet. Where there is only a primary the URL may lead
// there; its answers then say so.
func OpenReplica(ctx context.Context, url string, opts Options) (*Replica, error) {
	db, err := openDatabase(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	return &Replica{node{db: db, origin: originOfReplica}}, nil
}

// After returns a view of the replica whose reads include everything up to the
// position. They are [domain.ErrBehind] while the node that answers has not
// come that far.
//
// A node on a later timeline has what was kept of the position's. What was not
// kept is gone, and no node will ever have it.
func (r *Replica) After(p domain.Position) *Replica {
	view := *r
	view.after = p
	return &view
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
