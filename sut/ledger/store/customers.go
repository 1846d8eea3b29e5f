package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const (
	customerColumns = `c.id, c.name, c.email, c.status, c.version, c.created_at, c.updated_at`

	customersRequestKey = "customers_request_key"
	customersEmail      = "customers_email"
	accountsCustomer    = "accounts_customer"
)

func scanCustomer(row pgx.Row) (c domain.Customer, err error) {
	err = row.Scan(&c.ID, &c.Name, &c.Email, &c.Status, &c.Version, &c.CreatedAt, &c.UpdatedAt)
	return c, err
}

func versionOfCustomer(c domain.Customer) int64 { return c.Version }

// CreateCustomer creates a customer. It is idempotent by the key: a second call
// with the same request reports the customer as it is now.
func (p *Primary) CreateCustomer(ctx context.Context, c domain.NewCustomer) (Written[domain.Customer], error) {
	w, err := change(ctx, p, "create customer", `
		INSERT INTO customers AS c (request_key, request_hash, name, email, status) VALUES ($1, $2, $3, $4, $5)
		RETURNING `+customerColumns, []any{c.Key, c.RequestHash(), c.Name, c.Email, string(c.Status)}, scanCustomer)
	taken := violates(err, codeUnique, customersEmail)
	if !taken && !violates(err, codeUnique, customersRequestKey) {
		return w, err
	}
	// A repeated request repeats the address too, and either may be noticed
	// first.
	w, err = replay(ctx, p, "customer", `SELECT `+customerColumns+`, c.request_hash FROM customers c WHERE c.request_key = $1 FOR SHARE`,
		c.Key, c.RequestHash(), scanCustomer)
	if taken && errors.Is(err, pgx.ErrNoRows) {
		return Written[domain.Customer]{Origin: w.Origin}, domain.ErrEmailTaken
	}
	return w, err
}

// ReplaceCustomer replaces what a customer says of itself, if it has one of
// the versions.
func (p *Primary) ReplaceCustomer(ctx context.Context, id int64, ifVersion domain.Versions, f domain.CustomerFields) (Written[domain.Customer], error) {
	return p.ChangeCustomer(ctx, id, ifVersion, domain.CustomerChange{Name: &f.Name, Email: &f.Email, Status: &f.Status})
}

// ChangeCustomer changes some of what a customer says of itself, if it has
// one of the versions.
func (p *Primary) ChangeCustomer(ctx context.Context, id int64, ifVersion domain.Versions, c domain.CustomerChange) (Written[domain.Customer], error) {
	const doing = "change customer"
	w, err := change(ctx, p, doing, `
		UPDATE customers c SET name = coalesce($3::text, c.name), email = coalesce($4::text, c.email),
			status = coalesce($5::text, c.status), version = c.version + 1, updated_at = now()
		WHERE c.id = $1 AND ($2::bigint[] IS NULL OR c.version = ANY($2)) RETURNING `+customerColumns,
		[]any{id, []int64(ifVersion), c.Name, c.Email, (*string)(c.Status)}, scanCustomer)
	switch {
	case violates(err, codeUnique, customersEmail):
		return w, domain.ErrEmailTaken
	case errors.Is(err, pgx.ErrNoRows):
		w.Origin, err = p.whyNoCustomer(ctx, doing, id, ifVersion)
	}
	return w, err
}

// DeleteCustomer deletes a customer without accounts, if it has one of
// the versions.
func (p *Primary) DeleteCustomer(ctx context.Context, id int64, ifVersion domain.Versions) (domain.Origin, error) {
	const doing = "delete customer"
	w, err := change(ctx, p, doing,
		`DELETE FROM customers WHERE id = $1 AND ($2::bigint[] IS NULL OR version = ANY($2)) RETURNING id`, []any{id, []int64(ifVersion)}, scanID)
	switch {
	case violates(err, codeForeignKey, accountsCustomer):
		return w.Origin, fmt.Errorf("customer %d: %w", id, domain.ErrInUse)
	case errors.Is(err, pgx.ErrNoRows):
		return p.whyNoCustomer(ctx, doing, id, ifVersion)
	}
	return w.Origin, err
}

// whyNoCustomer finds the reason why a customer could not be changed.
func (p *Primary) whyNoCustomer(ctx context.Context, doing string, id int64, ifVersion domain.Versions) (domain.Origin, error) {
	return whyUnchanged(ctx, doing, func(ctx context.Context) (domain.Customer, domain.Origin, error) {
		return p.FindCustomer(ctx, id)
	}, versionOfCustomer, ifVersion)
}

// FindCustomer reads a customer.
func (n node) FindCustomer(ctx context.Context, id int64) (domain.Customer, domain.Origin, error) {
	return readOne(ctx, n, "customer", `SELECT `+customerColumns+` FROM customers c WHERE c.id = $1`, id, scanCustomer)
}

// ListCustomers reads a page of the customers.
func (n node) ListCustomers(
	ctx context.Context, f domain.CustomerFilter, p domain.Page,
) ([]domain.Customer, *domain.Cursor, domain.Origin, error) {
	const what = "customers"
	by, err := sortColumn(what, p, domain.CustomerSorts(), map[domain.SortKey]column{
		domain.ByID:      {sql: "c.id", kind: "bigint"},
		domain.ByName:    {sql: "c.name", kind: "text", tie: "c.id", tieAs: "bigint"},
		domain.ByCreated: {sql: "c.created_at", kind: "timestamptz", tie: "c.id", tieAs: "bigint"},
	})
	if err != nil {
		return nil, nil, domain.Origin{}, err
	}
	var l listing
	if f.Status != "" {
		l.is("c.status", string(f.Status))
	}
	if f.Email != "" {
		l.where("lower(c.email) = lower(%s::text)", f.Email)
	}
	sql := `SELECT ` + customerColumns + `, ` + by.sql + `::text, c.id::text FROM customers c` + l.page(by, p)
	return readPage(ctx, n, what, sql, &l, p, scanCustomer)
}
