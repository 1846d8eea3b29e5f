package ledgerload

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// thorough is up to which size of a table, in bytes, its rows are looked for in
// its indexes. Beyond, only the structure of the indexes is looked at.
const thorough = 64 << 20

// maxDamages bounds the examples of what is damaged.
const maxDamages = 5

// filesSQL lists tables, and those of their indexes that amcheck knows. What is
// not logged is empty on a replica and says nothing.
const filesSQL = `
SELECT c.oid::regclass::text, c.relkind = 'i', pg_table_size(coalesce(i.indrelid, c.oid)) <= $1
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_am m ON m.oid = c.relam
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence = 'p'
   AND (c.relkind = 'r' OR c.relkind = 'i' AND m.amname = 'btree' AND i.indisvalid)
 ORDER BY 1`

// The looks that are taken into one file, by its name.
const (
	lookIndexSQL = `SELECT coalesce(bt_index_check($1::text::regclass, $2)::text, '')`
	lookTableSQL = `SELECT coalesce(string_agg(msg, '; '), '') FROM (SELECT msg FROM verify_heapam($1::text::regclass) LIMIT 3) AS found`
)

// A file is a table or an index on disk.
type file struct {
	name         string
	index, small bool
}

// intact records whether the files of a node are damaged: whether tables are
// sound, and each of their rows is where its indexes say. A checksum of the rows
// sees neither. Without the extension amcheck nothing is recorded.
func (a *audit) intact(ctx context.Context, conn *pgx.Conn, node string) error {
	var able bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck')`).Scan(&able); err != nil || !able {
		return err
	}
	rows, err := conn.Query(ctx, filesSQL, thorough)
	if err != nil {
		return err
	}
	files, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f file, err error) {
		return f, row.Scan(&f.name, &f.index, &f.small)
	})
	if err != nil {
		return err
	}
	e := history.Event{Kind: history.Info, Op: history.AuditIntact, Node: node}
	var examples []string
	for _, f := range files {
		if !f.index && !f.small {
			continue
		}
		wrong, err := f.look(ctx, conn)
		if err != nil {
			return fmt.Errorf("look into %s: %w", f.name, err)
		}
		e.Count++
		if wrong != "" {
			e.Amount++
			examples = append(examples, f.name+": "+wrong)
		}
	}
	e.Text = strings.Join(examples[:min(len(examples), maxDamages)], "; ")
	a.record(e)
	return nil
}

// look returns what is wrong with a file, empty if nothing is. It tries again
// where it stands in the way of replay.
func (f file) look(ctx context.Context, conn *pgx.Conn) (wrong string, err error) {
	for try := 1; ; try++ {
		if f.index {
			err = conn.QueryRow(ctx, lookIndexSQL, f.name, f.small).Scan(&wrong)
		} else {
			err = conn.QueryRow(ctx, lookTableSQL, f.name).Scan(&wrong)
		}
		if damage, is := errors.AsType[*pgconn.PgError](err); is && strings.HasPrefix(damage.Code, "XX00") {
			return damage.Message, nil // data_corrupted, index_corrupted
		}
		if err == nil || !isConflict(err) || try == conflictRetries || !loadgen.Wait(ctx, pollEvery) {
			return wrong, err
		}
	}
}
