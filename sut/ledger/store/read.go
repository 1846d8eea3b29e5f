package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// Check reports whether the node can be reached and has the schema.
func (n node) Check(ctx context.Context) error {
	_, _, err := read(ctx, n, "check database", `SELECT id FROM accounts ORDER BY id LIMIT 1`, nil, scanID)
	return err
}

func scanID(row pgx.Row) (id int64, err error) {
	err = row.Scan(&id)
	return id, err
}

// read runs a query on a node, in one round trip. The first column must not be
// null. The statement that reads also tells the origin, even of no rows.
func read[T any](
	ctx context.Context, n node, doing, sql string, args []any, scan func(pgx.Row) (T, error),
) ([]T, domain.Origin, error) {
	var (
		items  []T
		origin domain.Origin
		b      pgx.Batch
	)
	var behind error // told in the end: see inTxIf
	if !n.after.IsZero() {
		b.Queue(replayedSQL).QueryRow(func(row pgx.Row) (err error) {
			behind, err = n.isBehind(row)
			return err
		})
	}
	b.Queue(n.origin+`, found AS (`+sql+`) SELECT o.timeline, o.replica, found.* FROM origin o LEFT JOIN found ON true`, args...).
		Query(func(rows pgx.Rows) error {
			for rows.Next() {
				row := foundRow{rows: rows, origin: &origin}
				if rows.RawValues()[originColumns] == nil {
					return row.Scan(make([]any, len(rows.RawValues())-originColumns)...)
				}
				item, err := scan(row)
				if err != nil {
					return err
				}
				items = append(items, item)
			}
			return rows.Err()
		})
	if err := errors.Join(n.db.ask(ctx, &b), behind); err != nil {
		return nil, origin, wrap(doing, err)
	}
	return items, origin, nil
}

// readOne reads what has an id.
func readOne[T any](ctx context.Context, n node, what, sql string, id any, scan func(pgx.Row) (T, error)) (value T, origin domain.Origin, err error) {
	items, origin, err := read(ctx, n, "find "+what, sql, []any{id}, scan)
	switch {
	case err != nil:
		return value, origin, err
	case len(items) == 0:
		return value, origin, fmt.Errorf("%s %v: %w", what, id, domain.ErrNotFound)
	}
	return items[0], origin, nil
}

// A foundRow is a row of a query, which the origin precedes.
type foundRow struct {
	rows   pgx.Rows
	origin *domain.Origin
}

const originColumns = 2

// Scan implements [pgx.Row] for the columns of the query.
func (r foundRow) Scan(dest ...any) error {
	var replica bool
	err := r.rows.Scan(append([]any{&r.origin.Timeline, &replica}, dest...)...)
	r.origin.Source = domain.Primary
	if replica {
		r.origin.Source = domain.Replica
	}
	return err
}

// isBehind scans the answer to replayedSQL and compares it with what is asked
// for.
func (n node) isBehind(row pgx.Row) (behind, err error) {
	var at domain.Position
	var lsn int64
	if err := row.Scan(&at.Timeline, &lsn); err != nil {
		return nil, err
	}
	at.LSN = uint64(max(lsn, 0))
	if at.Timeline < n.after.Timeline || at.LSN < n.after.LSN {
		behind = fmt.Errorf("%w: at %s, not %s", domain.ErrBehind, at, n.after)
	}
	return behind, nil
}

// A column is what a list may be ordered by.
type column struct {
	sql   string // an expression that an index has
	kind  string // SQL type
	tie   string // the id column that breaks ties, "" if there are none
	tieAs string // SQL type of that
}

// A listing builds the query for one page of a list.
type listing struct {
	conditions []string
	args       []any
}

// arg adds an argument and returns how the query names it.
func (l *listing) arg(value any) string {
	l.args = append(l.args, value)
	return "$" + strconv.Itoa(len(l.args))
}

// where adds a condition, in which %s is the value.
func (l *listing) where(condition string, value any) {
	l.conditions = append(l.conditions, fmt.Sprintf(condition, l.arg(value)))
}

// is adds the condition that a column has one of a few values. The value is
// written into the statement, so that each has a plan of its own: a prepared
// one that suits them all would look through the many that are open to find
// the few that are frozen. Anything but letters stays a parameter.
func (l *listing) is(column, value string) {
	if strings.ContainsFunc(value, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
		l.where(column+" = %s", value)
		return
	}
	l.conditions = append(l.conditions, column+" = '"+value+"'")
}

// page adds what restricts the list to a page and returns WHERE, ORDER BY and
// LIMIT. One entry more than wanted is asked for, to see whether there is one.
//
// The entry behind which the page begins is compared as a row, by value and
// id, which an index on both answers from the right place on, whatever was
// inserted since.
func (l *listing) page(by column, p domain.Page) string {
	direction, comparison := "", ">"
	if p.Descending {
		direction, comparison = " DESC", "<"
	}
	left, order := by.sql, by.sql+direction
	if by.tie != "" {
		left, order = "("+by.sql+", "+by.tie+")", order+", "+by.tie+direction
	}
	if p.After != nil {
		right := l.arg(p.After.Value) + "::text::" + by.kind
		if by.tie != "" {
			right = "(" + right + ", " + l.arg(p.After.ID) + "::text::" + by.tieAs + ")"
		}
		l.conditions = append(l.conditions, left+" "+comparison+" "+right)
	}
	var where string
	if len(l.conditions) > 0 {
		where = " WHERE " + strings.Join(l.conditions, " AND ")
	}
	return where + " ORDER BY " + order + " LIMIT " + l.arg(p.Limit+1)
}

// sortColumn returns the column of a page's sort key, which is the first of
// those offered unless the page names one. It refuses pages that cannot be.
func sortColumn(what string, p domain.Page, offered []domain.SortKey, columns map[domain.SortKey]column) (column, error) {
	if p.Limit < 1 {
		return column{}, fmt.Errorf("list %s: no page of %d entries", what, p.Limit)
	}
	key := p.Sort
	if key == "" {
		key = offered[0]
	}
	if !slices.Contains(offered, key) {
		return column{}, fmt.Errorf("list %s: no order by %q", what, key)
	}
	return columns[key], nil
}

// A listed is an entry of a list with its cursor.
type listed[T any] struct {
	value  T
	cursor domain.Cursor
}

// entry scans an entry: the columns of the thing, and behind them the value it
// is sorted by and its id.
func entry[T any](scan func(pgx.Row) (T, error)) func(pgx.Row) (listed[T], error) {
	return func(row pgx.Row) (l listed[T], err error) {
		l.value, err = scan(extendedRow{Row: row, behind: []any{&l.cursor.Value, &l.cursor.ID}})
		return l, err
	}
}

// readPage reads a page with one query, and returns where the next one begins,
// nil if there is none.
func readPage[T any](
	ctx context.Context, n node, what, sql string, l *listing, p domain.Page, scan func(pgx.Row) (T, error),
) ([]T, *domain.Cursor, domain.Origin, error) {
	entries, origin, err := read(ctx, n, "list "+what, sql, l.args, entry(scan))
	if pgErr := refusal(err); pgErr != nil && p.After != nil && strings.HasPrefix(pgErr.Code, classData) {
		return nil, nil, origin, fmt.Errorf("list %s: %w", what, domain.ErrBadCursor)
	}
	if err != nil {
		return nil, nil, origin, err
	}
	var next *domain.Cursor
	if len(entries) > p.Limit {
		entries = entries[:p.Limit]
		next = &entries[p.Limit-1].cursor
	}
	items := make([]T, len(entries))
	for i, e := range entries {
		items[i] = e.value
	}
	return items, next, origin, nil
}
