package payments

import (
	"context"
	"errors"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// OpenAccount opens an account. It is idempotent by the key.
func (l *Ledger) OpenAccount(ctx context.Context, a domain.NewAccount) (Written[domain.Account], error) {
	return l.primary.OpenAccount(ctx, a)
}

// SetAccountStatus freezes, reopens or closes an account, if it has one of
// the versions.
func (l *Ledger) SetAccountStatus(
	ctx context.Context, id int64, ifVersion domain.Versions, status domain.AccountStatus,
) (Written[domain.Account], error) {
	w, err := l.primary.SetAccountStatus(ctx, id, ifVersion, status)
	if err == nil || errors.Is(err, domain.ErrUnknownOutcome) {
		l.invalidate(ctx, accountKey(id), w.Origin, w.Value.Version)
	}
	return w, err
}

// Account returns an account.
func (l *Ledger) Account(ctx context.Context, id int64, want domain.Reading) (domain.Account, domain.Origin, error) {
	return l.accounts.find(ctx, l, accountKey(id), want, func(ctx context.Context, n node) (f found[domain.Account], err error) {
		f.value, f.origin, err = n.FindAccount(ctx, id)
		return f, err
	})
}

func versionOfAccount(a domain.Account) (number int64, ok bool) { return a.Version, true }

// Accounts returns a page of the accounts.
func (l *Ledger) Accounts(
	ctx context.Context, f domain.AccountFilter, p domain.Page, want domain.Reading,
) (List[domain.Account], error) {
	return list(ctx, l, want, func(ctx context.Context, n node) ([]domain.Account, *domain.Cursor, domain.Origin, error) {
		return n.ListAccounts(ctx, f, p)
	})
}
