package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/reports/history"
)

// The roles of a database node.
const (
	Primary = "primary"
	Replica = "replica"
)

// A Status is what a database node says about itself.
type Status struct {
	Role     string // [Primary] or [Replica]
	Timeline int    // of the WAL that it writes or receives
	LSN      int64  // its WAL position in bytes: written by a primary, replayed by a replica
}

// statusSQL reads a Status. A replica that receives nothing tells the timeline
// it has recovered to.
const statusSQL = `
SELECT pg_is_in_recovery(),
       CASE WHEN pg_is_in_recovery()
            THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver LIMIT 1),
                          nullif((SELECT min_recovery_end_timeline FROM pg_control_recovery()), 0),
                          (SELECT timeline_id FROM pg_control_checkpoint()))
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
       END,
       (CASE WHEN pg_is_in_recovery()
             THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
             ELSE pg_current_wal_lsn()
        END - '0/0')::bigint`

// ReadStatus asks a database node what it is.
func ReadStatus(ctx context.Context, conn *pgx.Conn) (Status, error) {
	var recovering bool
	s := Status{Role: Primary}
	if err := conn.QueryRow(ctx, statusSQL).Scan(&recovering, &s.Timeline, &s.LSN); err != nil {
		return Status{}, fmt.Errorf("read status: %w", err)
	}
	if recovering {
		s.Role = Replica
	}
	return s, nil
}

// Connect opens a connection on which every statement travels in one round
// trip and leaves nothing prepared behind, as a pooler in transaction mode
// requires. Text of values does not depend on the server's settings.
func Connect(ctx context.Context, url string) (*pgx.Conn, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// A database asks one database, over a connection that it keeps while it is
// good.
type database struct {
	url  string
	ask  func(ctx context.Context, conn *pgx.Conn, e *history.Event) error
	conn *pgx.Conn // nil: connect first
}

// readNode asks what a node is.
func readNode(ctx context.Context, conn *pgx.Conn, e *history.Event) error {
	s, err := ReadStatus(ctx, conn)
	e.Role, e.Timeline, e.Value = s.Role, s.Timeline, s.LSN
	return err
}

// booksSQL takes a snapshot of all accounts. Money only moves between them, so
// that they have in sum what they were opened with, at every moment.
const booksSQL = `SELECT coalesce(sum(balance - opening), 0)::bigint, count(*) FILTER (WHERE balance < 0) FROM accounts`

// readBooks asks whether the accounts balance.
func readBooks(ctx context.Context, conn *pgx.Conn, e *history.Event) error {
	if err := conn.QueryRow(ctx, booksSQL).Scan(&e.Value, &e.Count); err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	return nil
}

func (d *database) observe(ctx context.Context, e *history.Event) error {
	if d.conn == nil {
		conn, err := Connect(ctx, d.url)
		if err != nil {
			if _, refused := errors.AsType[*pgconn.PgError](err); !refused {
				e.Class = history.ClassUnreached
			}
			return err
		}
		d.conn = conn
	}
	if err := d.ask(ctx, d.conn, e); err != nil {
		d.close(context.WithoutCancel(ctx))
		return err
	}
	return nil
}

func (d *database) close(ctx context.Context) {
	if d.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_ = d.conn.Close(ctx) // it is given up in any case
	d.conn = nil
}

// reason says in few words why an observation failed. Of the same failure it
// is always the same text: no ports, no times.
func reason(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Message
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", timeout)
	}
	return innermost(err).Error()
}

// innermost returns the first error of the chain that wraps no other.
func innermost(err error) error {
	for {
		switch w := err.(type) { //nolint:errorlint // this is what walks the chain
		case interface{ Unwrap() error }:
			if w.Unwrap() == nil {
				return err
			}
			err = w.Unwrap()
		case interface{ Unwrap() []error }:
			if len(w.Unwrap()) == 0 {
				return err
			}
			err = w.Unwrap()[0]
		default:
			return err
		}
	}
}
