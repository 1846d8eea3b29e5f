package payments

import (
	"context"
	"errors"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// CreateCustomer creates a customer. It is idempotent by the key.
func (l *Ledger) CreateCustomer(ctx context.Context, c domain.NewCustomer) (Written[domain.Customer], error) {
	return l.primary.CreateCustomer(ctx, c)
}

// ReplaceCustomer replaces what a customer says of itself, if it has one of
// the versions.
func (l *Ledger) ReplaceCustomer(
	ctx context.Context, id int64, ifVersion domain.Versions, f domain.CustomerFields,
) (Written[domain.Customer], error) {
	w, err := l.primary.ReplaceCustomer(ctx, id, ifVersion, f)
	l.customerChanged(ctx, id, w, err)
	return w, err
}

// ChangeCustomer changes some of what a customer says of itself, if it has
// one of the versions.
func (l *Ledger) ChangeCustomer(
	ctx context.Context, id int64, ifVersion domain.Versions, c domain.CustomerChange,
) (Written[domain.Customer], error) {
	w, err := l.primary.ChangeCustomer(ctx, id, ifVersion, c)
	l.customerChanged(ctx, id, w, err)
	return w, err
}

// DeleteCustomer deletes a customer without accounts, if it has one of
// the versions.
func (l *Ledger) DeleteCustomer(ctx context.Context, id int64, ifVersion domain.Versions) (domain.Origin, error) {
	origin, err := l.primary.DeleteCustomer(ctx, id, ifVersion)
	l.customerChanged(ctx, id, Written[domain.Customer]{Origin: origin}, err)
	return origin, err
}

func (l *Ledger) customerChanged(ctx context.Context, id int64, w Written[domain.Customer], err error) {
	if err == nil || errors.Is(err, domain.ErrUnknownOutcome) {
		l.invalidate(ctx, customerKey(id), w.Origin, w.Value.Version)
	}
}

// Customer returns a customer.
func (l *Ledger) Customer(ctx context.Context, id int64, want domain.Reading) (domain.Customer, domain.Origin, error) {
	return l.customers.find(ctx, l, customerKey(id), want, func(ctx context.Context, n node) (f found[domain.Customer], err error) {
		f.value, f.origin, err = n.FindCustomer(ctx, id)
		return f, err
	})
}

func versionOfCustomer(c domain.Customer) (number int64, ok bool) { return c.Version, true }

// Customers returns a page of the customers.
func (l *Ledger) Customers(
	ctx context.Context, f domain.CustomerFilter, p domain.Page, want domain.Reading,
) (List[domain.Customer], error) {
	return list(ctx, l, want, func(ctx context.Context, n node) ([]domain.Customer, *domain.Cursor, domain.Origin, error) {
		return n.ListCustomers(ctx, f, p)
	})
}
