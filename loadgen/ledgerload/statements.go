package ledgerload

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/reports/history"
)

// statementsSQL lists what the database has spent most of its time on. Texts are
// without their values, one line each. What this audit itself asks has few calls
// and falls to the limit of the checker.
const statementsSQL = `
SELECT left(regexp_replace(query, '\s+', ' ', 'g'), 300), calls, min_exec_time,
       (shared_blks_hit + shared_blks_read) / calls, rows / calls
  FROM pg_stat_statements
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND calls > 0
 ORDER BY total_exec_time DESC LIMIT 20`

// scansSQL lists the tables that are read from end to end, the most rows first.
const scansSQL = `
SELECT relname, seq_scan, seq_tup_read / seq_scan, n_live_tup
  FROM pg_stat_user_tables WHERE seq_scan > 0
 ORDER BY seq_tup_read DESC LIMIT 10`

// costs records what the statements of a node cost, where it counts that, and
// which tables were read from end to end, both since its database was started.
func (a *audit) costs(ctx context.Context, conn *pgx.Conn, node string) error {
	if err := a.statements(ctx, conn, node); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, scansSQL)
	if err != nil {
		return fmt.Errorf("ask for scans: %w", err)
	}
	e := history.Event{Kind: history.Info, Op: history.AuditScan, Node: node}
	_, err = pgx.ForEachRow(rows, []any{&e.Target, &e.Count, &e.Value, &e.Amount}, func() error {
		a.record(e)
		return nil
	})
	return err
}

// statements records nothing without the extension pg_stat_statements, or if the
// server was not started with it.
func (a *audit) statements(ctx context.Context, conn *pgx.Conn, node string) error {
	var able bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')`).Scan(&able); err != nil || !able {
		return err
	}
	rows, err := conn.Query(ctx, statementsSQL)
	if err != nil {
		return fmt.Errorf("ask for statements: %w", err)
	}
	e := history.Event{Kind: history.Info, Op: history.AuditStatement, Node: node}
	var fastest float64 // in ms
	var pages, answers int64
	_, err = pgx.ForEachRow(rows, []any{&e.Text, &e.Count, &fastest, &pages, &answers}, func() error {
		e.Value, e.Amount, e.Jobs = int64(fastest*1e3), pages, answers
		a.record(e)
		return nil
	})
	if refused, is := errors.AsType[*pgconn.PgError](err); is && refused.Code == "55000" { // object_not_in_prerequisite_state
		return nil
	}
	return err
}
