package payments

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// RequestStatement asks for a statement, which a job then builds. It is
// idempotent by the statement's id.
func (l *Ledger) RequestStatement(ctx context.Context, s domain.Statement) (Written[domain.Statement], error) {
	return l.primary.RequestStatement(ctx, s, metaOf(ctx))
}

// DeleteStatement deletes a statement.
func (l *Ledger) DeleteStatement(ctx context.Context, id uuid.UUID) (domain.Origin, error) {
	origin, err := l.primary.DeleteStatement(ctx, id)
	if err == nil || errors.Is(err, domain.ErrUnknownOutcome) {
		l.invalidate(ctx, statementKey(id), origin, 0)
	}
	return origin, err
}

// Statement returns a statement with its lines. Only ready ones are cached:
// they never change again, and the others will be ready in a moment.
func (l *Ledger) Statement(ctx context.Context, id uuid.UUID, want domain.Reading) (domain.Statement, domain.Origin, error) {
	return l.statements.find(ctx, l, statementKey(id), want, func(ctx context.Context, n node) (f found[domain.Statement], err error) {
		f.value, f.origin, err = n.FindStatement(ctx, id)
		return f, err
	})
}

func versionOfStatement(s domain.Statement) (number int64, ok bool) {
	return 0, s.Status == domain.Ready
}

// Statements returns a page of the statements, without their lines.
func (l *Ledger) Statements(
	ctx context.Context, f domain.StatementFilter, p domain.Page, want domain.Reading,
) (List[domain.Statement], error) {
	return list(ctx, l, want, func(ctx context.Context, n node) ([]domain.Statement, *domain.Cursor, domain.Origin, error) {
		return n.ListStatements(ctx, f, p)
	})
}
