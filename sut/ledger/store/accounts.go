package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const (
	accountColumns = `a.id, a.customer_id, a.currency, a.status, a.balance, a.version, a.created_at, a.updated_at`

	accountsRequestKey  = "accounts_request_key"
	accountsClosedEmpty = "accounts_closed_empty"
	accountsStayClosed  = "accounts_stay_closed"
)

func scanAccount(row pgx.Row) (a domain.Account, err error) {
	err = row.Scan(&a.ID, &a.CustomerID, &a.Currency, &a.Status, &a.Balance, &a.Version, &a.CreatedAt, &a.UpdatedAt)
	return a, err
}

func versionOfAccount(a domain.Account) int64 { return a.Version }

// OpenAccount opens an account. It is idempotent by the key: a second call with
// the same request reports the account as it is now.
func (p *Primary) OpenAccount(ctx context.Context, a domain.NewAccount) (Written[domain.Account], error) {
	w, err := change(ctx, p, "open account", `
		INSERT INTO accounts AS a (request_key, request_hash, customer_id, currency, status) VALUES ($1, $2, $3, $4, 'open')
		RETURNING `+accountColumns, []any{a.Key, a.RequestHash(), a.CustomerID, a.Currency}, scanAccount)
	switch {
	case violates(err, codeForeignKey, accountsCustomer):
		return w, fmt.Errorf("customer %d: %w", a.CustomerID, domain.ErrUnknownCustomer)
	case violates(err, codeUnique, accountsRequestKey):
		return replay(ctx, p, "account", `SELECT `+accountColumns+`, a.request_hash FROM accounts a WHERE a.request_key = $1 FOR SHARE`,
			a.Key, a.RequestHash(), scanAccount)
	}
	return w, err
}

// SetAccountStatus freezes, reopens or closes an account, if it has one of
// the versions. A status that the account has already changes nothing, but
// is answered no sooner than the change would be.
func (p *Primary) SetAccountStatus(
	ctx context.Context, id int64, ifVersion domain.Versions, status domain.AccountStatus,
) (Written[domain.Account], error) {
	const doing = "set status of account"
	w, err := change(ctx, p, doing, `
		UPDATE accounts a SET status = $3::text, version = a.version + (a.status <> $3::text)::int,
			updated_at = CASE WHEN a.status = $3::text THEN a.updated_at ELSE now() END
		WHERE a.id = $1 AND ($2::bigint[] IS NULL OR a.version = ANY($2)) RETURNING `+accountColumns,
		[]any{id, []int64(ifVersion), string(status)}, scanAccount)
	switch {
	case violates(err, codeCheck, accountsClosedEmpty):
		return w, fmt.Errorf("account %d: %w", id, domain.ErrNotEmpty)
	case violates(err, codeRestrict, accountsStayClosed):
		return w, fmt.Errorf("account %d is closed: %w", id, domain.ErrAccountNotOpen)
	case errors.Is(err, pgx.ErrNoRows):
		w.Origin, err = whyUnchanged(ctx, doing, func(ctx context.Context) (domain.Account, domain.Origin, error) {
			return p.FindAccount(ctx, id)
		}, versionOfAccount, ifVersion)
	}
	return w, err
}

// FindAccount reads an account.
func (n node) FindAccount(ctx context.Context, id int64) (domain.Account, domain.Origin, error) {
	return readOne(ctx, n, "account", `SELECT `+accountColumns+` FROM accounts a WHERE a.id = $1`, id, scanAccount)
}

// ListAccounts reads a page of the accounts.
func (n node) ListAccounts(
	ctx context.Context, f domain.AccountFilter, p domain.Page,
) ([]domain.Account, *domain.Cursor, domain.Origin, error) {
	const what = "accounts"
	by, err := sortColumn(what, p, domain.AccountSorts(), map[domain.SortKey]column{
		domain.ByID:      {sql: "a.id", kind: "bigint"},
		domain.ByCreated: {sql: "a.created_at", kind: "timestamptz", tie: "a.id", tieAs: "bigint"},
	})
	if err != nil {
		return nil, nil, domain.Origin{}, err
	}
	var l listing
	if f.Customer != 0 {
		l.where("a.customer_id = %s", f.Customer)
	}
	if f.Currency != "" {
		l.is("a.currency", f.Currency)
	}
	if f.Status != "" {
		l.is("a.status", string(f.Status))
	}
	sql := `SELECT ` + accountColumns + `, ` + by.sql + `::text, a.id::text FROM accounts a` + l.page(by, p)
	return readPage(ctx, n, what, sql, &l, p, scanAccount)
}
