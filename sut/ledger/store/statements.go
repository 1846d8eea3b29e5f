package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// topicStatement is the topic of the event that asks for a statement.
const topicStatement = "statement.requested"

const (
	statementsKey     = "statements_pkey"
	statementsAccount = "statements_account"

	// MaxLines is how many lines a statement may have; a longer one fails.
	MaxLines = 10_000
)

const statementColumns = `s.id, s.account_id, s.period_from, s.period_to, s.status, s.opening, s.closing, s.line_count,
	s.created_at, s.updated_at`

func scanStatement(row pgx.Row) (s domain.Statement, err error) {
	err = row.Scan(&s.ID, &s.Account, &s.From, &s.To, &s.Status, &s.Opening, &s.Closing, &s.Count, &s.CreatedAt, &s.UpdatedAt)
	return s, err
}

// linesColumn has the lines of statement s as the domain writes them in JSON.
const linesColumn = `(SELECT coalesce(jsonb_agg(jsonb_build_object(
		'transfer', l.transfer_id, 'amount', l.amount, 'other', l.other, 'at', l.posted_at) ORDER BY l.line), '[]')
	FROM statement_lines l WHERE l.statement_id = s.id)`

// scanWhole scans a statement and its lines.
func scanWhole(row pgx.Row) (s domain.Statement, err error) {
	err = row.Scan(&s.ID, &s.Account, &s.From, &s.To, &s.Status, &s.Opening, &s.Closing, &s.Count, &s.CreatedAt, &s.UpdatedAt, &s.Lines)
	return s, err
}

// RequestStatement records that a statement is wanted, and the event that has
// it built. It is idempotent by the statement's id.
//
// A statement covers what has happened when it is built. Of a period that is
// not over by then it has the part that is.
func (p *Primary) RequestStatement(ctx context.Context, s domain.Statement, m Meta) (w Written[domain.Statement], err error) {
	w.Origin, err = p.db.inTx(ctx, "request statement", func(b *pgx.Batch) {
		b.Queue(`INSERT INTO statements AS s (id, account_id, period_from, period_to, request_hash) VALUES ($1, $2, $3, $4, $5)
			RETURNING `+statementColumns, s.ID, s.Account, s.From, s.To, s.RequestHash()).
			QueryRow(func(row pgx.Row) (err error) {
				w.Value, err = scanStatement(row)
				return err
			})
		b.Queue(`INSERT INTO outbox (event_key, topic, correlation_id, traceparent, payload)
			VALUES ($2::text || ':' || $1::uuid, $2, $3, $4, jsonb_build_object('statement_id', $1::uuid))`,
			s.ID, topicStatement, m.Correlation, m.Traceparent)
	})
	switch {
	case violates(err, codeForeignKey, statementsAccount):
		return w, fmt.Errorf("account %d: %w", s.Account, domain.ErrUnknownAccount)
	case violates(err, codeUnique, statementsKey):
		return replay(ctx, p, "statement", `SELECT `+statementColumns+`, s.request_hash FROM statements s WHERE s.id = $1 FOR SHARE`,
			s.ID, s.RequestHash(), scanStatement)
	}
	return w, err
}

// DeleteStatement deletes a statement, whether or not it was built.
func (p *Primary) DeleteStatement(ctx context.Context, id uuid.UUID) (domain.Origin, error) {
	w, err := change(ctx, p, "delete statement", `DELETE FROM statements WHERE id = $1 RETURNING 1::bigint`, []any{id}, scanID)
	if errors.Is(err, pgx.ErrNoRows) {
		return w.Origin, fmt.Errorf("statement %s: %w", id, domain.ErrNotFound)
	}
	return w.Origin, err
}

// FindStatement reads a statement with its lines.
func (n node) FindStatement(ctx context.Context, id uuid.UUID) (domain.Statement, domain.Origin, error) {
	return readOne(ctx, n, "statement", `SELECT `+statementColumns+`, `+linesColumn+` FROM statements s WHERE s.id = $1`, id, scanWhole)
}

// ListStatements reads a page of the statements, without their lines.
func (n node) ListStatements(
	ctx context.Context, f domain.StatementFilter, p domain.Page,
) ([]domain.Statement, *domain.Cursor, domain.Origin, error) {
	const what = "statements"
	by, err := sortColumn(what, p, domain.StatementSorts(), map[domain.SortKey]column{
		domain.ByCreated: {sql: "s.created_at", kind: "timestamptz", tie: "s.id", tieAs: "uuid"},
	})
	if err != nil {
		return nil, nil, domain.Origin{}, err
	}
	var l listing
	if f.Account != 0 {
		l.where("s.account_id = %s", f.Account)
	}
	if f.Status != "" {
		l.is("s.status", string(f.Status))
	}
	sql := `SELECT ` + statementColumns + `, ` + by.sql + `::text, s.id::text FROM statements s` + l.page(by, p)
	return readPage(ctx, n, what, sql, &l, p, scanStatement)
}

// BuildStatement fills a statement that was requested with what happened on the
// account, and makes it ready, or failed if that is more than [MaxLines].
// Building it again changes nothing. The error wraps [domain.ErrNotFound] if
// there never was such a statement; one that was deleted since needs nothing.
func (p *Primary) BuildStatement(ctx context.Context, id uuid.UUID) error {
	const doing = "build statement"
	// Transfers that are under way may have times in the period already. Each
	// of them holds the lock of the account, so once this one had it, they are
	// there to be seen.
	err := p.db.peek(ctx, doing, func(b *pgx.Batch) {
		b.Queue(`SELECT a.id FROM accounts a JOIN statements s ON s.account_id = a.id WHERE s.id = $1 FOR NO KEY UPDATE OF a`, id)
	})
	if err != nil {
		return err
	}
	_, err = p.db.inTx(ctx, doing, func(b *pgx.Batch) {
		// Of the jobs that build the same, one does. The lock is logged, so
		// that nothing is answered that a standby might not have.
		b.Queue(`SELECT 1 FROM statements WHERE id = $1 FOR UPDATE`, id).QueryRow(func(row pgx.Row) error { return row.Scan(nil) })
		b.Queue(buildLinesSQL, id, MaxLines)
		b.Queue(finishStatementSQL, id, MaxLines)
		b.Queue(`DELETE FROM statement_lines l USING statements s WHERE l.statement_id = $1 AND s.id = $1 AND s.status = 'failed'`, id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return p.whyNoStatement(ctx, id)
	}
	return err
}

const (
	buildLinesSQL = `INSERT INTO statement_lines (statement_id, line, transfer_id, amount, other, posted_at)
		SELECT s.id, row_number() OVER (ORDER BY p.created_at, p.transfer_id), p.transfer_id, p.amount,
			t.from_account + t.to_account - s.account_id, p.created_at
		FROM statements s CROSS JOIN LATERAL (
			SELECT transfer_id, amount, created_at FROM postings
			WHERE account_id = s.account_id AND created_at >= s.period_from AND created_at < s.period_to
			ORDER BY created_at, transfer_id LIMIT $2::bigint + 1) AS p
		JOIN transfers t ON t.id = p.transfer_id
		WHERE s.id = $1 AND s.status = 'requested'`

	finishStatementSQL = `WITH lines AS (
			SELECT count(*) AS n, coalesce(sum(amount), 0)::bigint AS sum FROM statement_lines WHERE statement_id = $1),
		before AS (
			SELECT a.opening + coalesce((SELECT sum(amount) FROM postings
				WHERE account_id = s.account_id AND created_at < s.period_from), 0)::bigint AS balance
			FROM statements s JOIN accounts a ON a.id = s.account_id WHERE s.id = $1)
		UPDATE statements s SET updated_at = now(), status = CASE WHEN n > $2::bigint THEN 'failed' ELSE 'ready' END,
			opening = before.balance, closing = before.balance + lines.sum,
			line_count = CASE WHEN n > $2::bigint THEN 0 ELSE n END
		FROM lines, before WHERE s.id = $1 AND s.status = 'requested'`
)

// whyNoStatement finds the reason why there is no statement to build.
func (p *Primary) whyNoStatement(ctx context.Context, id uuid.UUID) error {
	events, _, err := read(ctx, p.node, "look for request of statement", `SELECT id FROM outbox WHERE event_key = $1`,
		[]any{topicStatement + ":" + id.String()}, scanID)
	if err == nil && len(events) == 0 {
		err = fmt.Errorf("statement %s: %w", id, domain.ErrNotFound)
	}
	return err
}
