//go:build integration

package ledgertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

func newCustomer(name, email string) domain.NewCustomer {
	return domain.NewCustomer{Key: uuid.New(), CustomerFields: domain.CustomerFields{Name: name, Email: email, Status: domain.Active}}
}

// wantErr reports an error other than the one that is wanted, nil included.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || isFailure(err) {
		t.Errorf("%s = %v; want %v", what, err, want)
	}
}

func TestCustomers(t *testing.T) {
	b := newBooks(t)
	ctx := t.Context()
	ask := newCustomer("Ada Lovelace", "Ada@example.com")
	created, err := b.primary.CreateCustomer(ctx, ask)
	if err != nil || created.Replayed || created.Origin.Position.IsZero() {
		t.Fatalf("CreateCustomer = %+v, %v; want a new one and its position", created, err)
	}
	c := created.Value
	want := domain.Customer{ID: c.ID, Name: "Ada Lovelace", Email: "Ada@example.com", Status: domain.Active, Version: 1, CreatedAt: c.CreatedAt, UpdatedAt: c.CreatedAt}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("CreateCustomer (-want +got):\n%s", diff)
	}
	again, err := b.primary.CreateCustomer(ctx, ask)
	if err != nil || !again.Replayed || !cmp.Equal(again.Value, c) {
		t.Errorf("second CreateCustomer = %+v, %v; want a replay of %+v", again, err, c)
	}
	other := ask
	other.Name = "Charles"
	_, err = b.primary.CreateCustomer(ctx, other)
	wantErr(t, "CreateCustomer of another with the key", err, domain.ErrConflict)
	_, err = b.primary.CreateCustomer(ctx, newCustomer("Another", "ADA@EXAMPLE.COM"))
	wantErr(t, "CreateCustomer with a taken address", err, domain.ErrEmailTaken)

	name := "Ada King"
	changed, err := b.primary.ChangeCustomer(ctx, c.ID, domain.Versions{1}, domain.CustomerChange{Name: &name})
	want.Name, want.Version = name, 2
	if diff := cmp.Diff(want, changed.Value, cmpopts.IgnoreFields(want, "UpdatedAt")); err != nil || diff != "" {
		t.Errorf("ChangeCustomer: %v (-want +got):\n%s", err, diff)
	}
	if !changed.Value.UpdatedAt.After(c.UpdatedAt) {
		t.Errorf("updated at %s, created at %s", changed.Value.UpdatedAt, c.CreatedAt)
	}
	_, err = b.primary.ChangeCustomer(ctx, c.ID, domain.Versions{1}, domain.CustomerChange{Name: &name})
	wantErr(t, "ChangeCustomer of an old version", err, domain.ErrVersion)
	_, err = b.primary.ChangeCustomer(ctx, c.ID+1000, nil, domain.CustomerChange{Name: &name})
	wantErr(t, "ChangeCustomer of nobody", err, domain.ErrNotFound)

	second, err := b.primary.CreateCustomer(ctx, newCustomer("Second", "second@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	fields := domain.CustomerFields{Name: "Replaced", Email: "ada@EXAMPLE.com", Status: domain.Suspended}
	_, err = b.primary.ReplaceCustomer(ctx, second.Value.ID, nil, fields)
	wantErr(t, "ReplaceCustomer with a taken address", err, domain.ErrEmailTaken)
	replaced, err := b.primary.ReplaceCustomer(ctx, c.ID, nil, fields)
	if got := replaced.Value; err != nil || got.Name != fields.Name || got.Email != fields.Email || got.Status != fields.Status || got.Version != 3 {
		t.Errorf("ReplaceCustomer = %+v, %v; want %+v, version 3", got, err, fields)
	}
	found, origin, err := b.replica.FindCustomer(ctx, c.ID)
	if err != nil || !cmp.Equal(found, replaced.Value) || origin.Timeline != 1 {
		t.Errorf("FindCustomer = %+v, %+v, %v; want %+v", found, origin, err, replaced.Value)
	}

	if _, err = b.primary.OpenAccount(ctx, domain.NewAccount{Key: uuid.New(), CustomerID: c.ID, Currency: "EUR"}); err != nil {
		t.Fatal(err)
	}
	_, err = b.primary.DeleteCustomer(ctx, c.ID, nil)
	wantErr(t, "DeleteCustomer with an account", err, domain.ErrInUse)
	_, err = b.primary.DeleteCustomer(ctx, second.Value.ID, domain.Versions{7})
	wantErr(t, "DeleteCustomer of another version", err, domain.ErrVersion)
	origin, err = b.primary.DeleteCustomer(ctx, second.Value.ID, domain.Versions{1})
	if err != nil || origin.Position.IsZero() {
		t.Errorf("DeleteCustomer = %+v, %v; want a position", origin, err)
	}
	_, err = b.primary.DeleteCustomer(ctx, second.Value.ID, domain.Versions{1})
	wantErr(t, "DeleteCustomer of nobody", err, domain.ErrNotFound)
	_, _, err = b.primary.FindCustomer(ctx, second.Value.ID)
	wantErr(t, "FindCustomer of nobody", err, domain.ErrNotFound)
}

func TestAccounts(t *testing.T) {
	b := newBooks(t)
	ctx := t.Context()
	c, err := b.primary.CreateCustomer(ctx, newCustomer("Ada", "ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	ask := domain.NewAccount{Key: uuid.New(), CustomerID: c.Value.ID, Currency: "EUR"}
	opened, err := b.primary.OpenAccount(ctx, ask)
	a := opened.Value
	want := domain.Account{ID: a.ID, CustomerID: c.Value.ID, Currency: "EUR", Status: domain.Open, Version: 1, CreatedAt: a.CreatedAt, UpdatedAt: a.CreatedAt}
	if diff := cmp.Diff(want, a); err != nil || diff != "" {
		t.Fatalf("OpenAccount: %v (-want +got):\n%s", err, diff)
	}
	again, err := b.primary.OpenAccount(ctx, ask)
	if err != nil || !again.Replayed || !cmp.Equal(again.Value, a) {
		t.Errorf("second OpenAccount = %+v, %v; want a replay of %+v", again, err, a)
	}
	other := ask
	other.Currency = "USD"
	_, err = b.primary.OpenAccount(ctx, other)
	wantErr(t, "OpenAccount of another with the key", err, domain.ErrConflict)
	_, err = b.primary.OpenAccount(ctx, domain.NewAccount{Key: uuid.New(), CustomerID: c.Value.ID + 1000, Currency: "EUR"})
	wantErr(t, "OpenAccount for nobody", err, domain.ErrUnknownCustomer)

	rich := b.accounts(1)[0]
	set := func(id int64, version domain.Versions, status domain.AccountStatus) (store.Written[domain.Account], error) {
		return b.primary.SetAccountStatus(ctx, id, version, status)
	}
	w, err := set(a.ID, domain.Versions{1}, domain.Frozen)
	if err != nil || w.Value.Status != domain.Frozen || w.Value.Version != 2 {
		t.Errorf("freeze = %+v, %v; want it frozen, version 2", w.Value, err)
	}
	w, err = set(a.ID, nil, domain.Frozen)
	if err != nil || w.Value.Version != 2 {
		t.Errorf("freeze again = %+v, %v; want nothing changed", w.Value, err)
	}
	_, err = b.primary.Place(ctx, euros(rich, a.ID, 1), store.Meta{})
	wantErr(t, "Place to a frozen account", err, domain.ErrAccountNotOpen)
	_, err = set(a.ID, domain.Versions{1}, domain.Open)
	wantErr(t, "reopen an old version", err, domain.ErrVersion)
	w, err = set(a.ID, domain.Versions{2}, domain.Open)
	if err != nil || w.Value.Status != domain.Open || w.Value.Version != 3 {
		t.Errorf("reopen = %+v, %v; want it open, version 3", w.Value, err)
	}
	b.place(rich, a.ID, 1)
	_, err = set(a.ID, nil, domain.Closed)
	wantErr(t, "close with money", err, domain.ErrNotEmpty)
	b.place(a.ID, rich, 1)
	w, err = set(a.ID, nil, domain.Closed)
	if err != nil || w.Value.Status != domain.Closed {
		t.Errorf("close = %+v, %v; want it closed", w.Value, err)
	}
	_, err = set(a.ID, nil, domain.Open)
	wantErr(t, "open what is closed", err, domain.ErrAccountNotOpen)
	_, err = b.primary.Place(ctx, euros(rich, a.ID, 1), store.Meta{})
	wantErr(t, "Place to a closed account", err, domain.ErrAccountNotOpen)
	_, err = set(a.ID+1000, nil, domain.Open)
	wantErr(t, "open none", err, domain.ErrNotFound)
}

// TestSuspendedCustomer lets a transfer wait for an account while its customer
// is suspended: it was begun before and comes after, so it is refused.
func TestSuspendedCustomer(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	rich := b.accounts(1)[0]
	customer := one[int64](b, `SELECT customer_id FROM accounts WHERE id = $1`, a[0])
	set := func(status domain.CustomerStatus) {
		t.Helper()
		if _, err := b.primary.ChangeCustomer(t.Context(), customer, nil, domain.CustomerChange{Status: &status}); err != nil {
			t.Errorf("ChangeCustomer to %s = %v; want nil", status, err)
		}
	}
	original := b.place(rich, a[0], 5)
	tx, err := b.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err = tx.Exec(t.Context(), `SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE`, a[0]); err != nil {
		t.Fatal(err)
	}
	waiting := func(n int64) {
		t.Helper()
		eventually(t, "somebody waits for the account", func() bool {
			return one[int64](b, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) == n
		})
	}
	var wg sync.WaitGroup
	wg.Go(func() { set(domain.Suspended) })
	waiting(1)
	var placed error
	wg.Go(func() { _, placed = b.primary.Place(t.Context(), euros(a[0], rich, 1), store.Meta{}) })
	waiting(2)
	if err = tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	wantErr(t, "Place that had waited", placed, domain.ErrCustomerNotActive)
	_, err = b.primary.Place(t.Context(), euros(rich, a[1], 1), store.Meta{})
	wantErr(t, "Place to a suspended customer", err, domain.ErrCustomerNotActive)
	_, err = b.primary.Refund(t.Context(), domain.Refund{ID: uuid.New(), Of: original.ID, Amount: 1}, store.Meta{})
	wantErr(t, "Refund by a suspended customer", err, domain.ErrCustomerNotActive)
	again, err := b.primary.Place(t.Context(), euros2(original), store.Meta{})
	if err != nil || !again.Replayed {
		t.Errorf("Place of what was placed before = %+v, %v; want a replay", again, err)
	}
	set(domain.Active)
	b.place(a[0], rich, 1)
	b.checkSums()
}

// TestConcurrentChanges has several clients change what they have all read: one
// of them may.
func TestConcurrentChanges(t *testing.T) {
	b := newBooks(t)
	c, err := b.primary.CreateCustomer(t.Context(), newCustomer("Ada", "ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	const clients = 8
	var errs [clients]error
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			name := uuid.NewString()
			_, errs[i] = b.primary.ChangeCustomer(t.Context(), c.Value.ID, domain.Versions{1}, domain.CustomerChange{Name: &name})
		})
	}
	wg.Wait()
	changed := 0
	for _, err := range errs {
		if err == nil {
			changed++
		} else {
			wantErr(t, "ChangeCustomer", err, domain.ErrVersion)
		}
	}
	if changed != 1 {
		t.Errorf("%d clients changed version 1; want one", changed)
	}
}

// TestRoundTrips counts what each use case asks of the database.
func TestRoundTrips(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	booked := b.place(a[0], a[1], 50)
	statement := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Unix(0, 0), To: time.Now()}
	page := domain.Page{Limit: 10}
	follower := b.replica.After(domain.Position{Timeline: 1, LSN: 1})
	for range 30 {
		b.place(a[0], a[1], 1)
	}
	one, two := count{1, 1}, count{1, 2}
	tests := []struct {
		name string
		want count // no more than
		do   func(context.Context) error
	}{
		{"place a transfer", count{2, 7}, func(ctx context.Context) error {
			_, err := b.primary.Place(ctx, euros(a[0], a[1], 1), store.Meta{})
			return err
		}},
		{"place it again", count{2, 7}, func(ctx context.Context) error {
			_, err := b.primary.Place(ctx, euros2(booked), store.Meta{})
			return err
		}},
		{"refund", count{2, 7}, func(ctx context.Context) error {
			_, err := b.primary.Refund(ctx, domain.Refund{ID: uuid.New(), Of: booked.ID, Amount: 1}, store.Meta{})
			return err
		}},
		{"create a customer", count{2, 5}, func(ctx context.Context) error {
			_, err := b.primary.CreateCustomer(ctx, newCustomer("Ada", "ada@example.com"))
			return err
		}},
		{"request a statement", count{2, 6}, func(ctx context.Context) error {
			_, err := b.primary.RequestStatement(ctx, statement, store.Meta{})
			return err
		}},
		{"build it", count{4, 12}, func(ctx context.Context) error { return b.primary.BuildStatement(ctx, statement.ID) }},
		{"read it with its lines", one, func(ctx context.Context) error {
			_, _, err := b.primary.FindStatement(ctx, statement.ID)
			return err
		}},
		{"read an account", one, func(ctx context.Context) error { _, _, err := b.primary.FindAccount(ctx, a[0]); return err }},
		{"read it after a position", two, func(ctx context.Context) error { _, _, err := follower.FindAccount(ctx, a[0]); return err }},
		{"read a transfer", one, func(ctx context.Context) error { _, _, err := b.primary.FindTransfer(ctx, booked.ID); return err }},
		{"list customers", one, func(ctx context.Context) error {
			_, _, _, err := b.primary.ListCustomers(ctx, domain.CustomerFilter{}, page)
			return err
		}},
		{"list accounts", one, func(ctx context.Context) error {
			_, _, _, err := b.replica.ListAccounts(ctx, domain.AccountFilter{}, page)
			return err
		}},
		{"list transfers", one, func(ctx context.Context) error {
			_, _, _, err := b.primary.ListTransfers(ctx, domain.TransferFilter{Account: a[0]}, page)
			return err
		}},
		{"list transfers after a position", two, func(ctx context.Context) error {
			_, _, _, err := follower.ListTransfers(ctx, domain.TransferFilter{Account: a[0]}, page)
			return err
		}},
		{"list statements", one, func(ctx context.Context) error {
			_, _, _, err := b.primary.ListStatements(ctx, domain.StatementFilter{}, page)
			return err
		}},
	}
	for _, tt := range tests {
		ctx, counter := store.WithCounter(t.Context())
		if err := tt.do(ctx); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		got := count{counter.RoundTrips(), counter.Queries()}
		if got.roundTrips == 0 || got.roundTrips > tt.want.roundTrips || got.queries > tt.want.queries {
			t.Errorf("%s: %+v; want at most %+v: %q", tt.name, got, tt.want, counter.Statements())
		}
	}
}

// A count is what was asked of the database.
type count struct{ roundTrips, queries int }
