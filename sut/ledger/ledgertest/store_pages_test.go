//go:build integration

package ledgertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// A lister reads a page of a list.
type lister[T any] func(context.Context, domain.Page) ([]T, *domain.Cursor, domain.Origin, error)

// pages reads a list from its beginning to its end, and calls between before
// every page but the first.
func pages[T any](t *testing.T, list lister[T], p domain.Page, between func()) []T {
	t.Helper()
	var items []T
	for {
		page, next, origin, err := list(t.Context(), p)
		if err != nil || len(page) > p.Limit || origin.Timeline != 1 {
			t.Fatalf("page after %v = %d items of %+v, %v", p.After, len(page), origin, err)
		}
		items = append(items, page...)
		if next == nil {
			return items
		}
		if len(page) < p.Limit {
			t.Errorf("a page of %d items has a successor; want %d items", len(page), p.Limit)
		}
		p.After = next
		between()
	}
}

// checkPages reads a list in pages of several sizes, both ways, and expects
// what is wanted, in the order that compare makes.
func checkPages[T any](t *testing.T, name string, list lister[T], sort domain.SortKey, want []T, compare func(a, b T) int) {
	t.Helper()
	want = slices.SortedFunc(slices.Values(want), compare)
	for _, descending := range []bool{false, true} {
		if descending {
			slices.Reverse(want)
		}
		for _, limit := range []int{7, len(want), 200} {
			if limit == 0 {
				continue
			}
			got := pages(t, list, domain.Page{Sort: sort, Descending: descending, Limit: limit}, func() {})
			if diff := gocmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
				t.Fatalf("%s by %s, descending %t, %d at a time (-want +got):\n%s", name, sort, descending, limit, diff)
			}
		}
	}
}

func TestListCustomers(t *testing.T) {
	b := newBooks(t)
	var everyone []domain.Customer
	for i := range 25 {
		// Names repeat, so that there are ties.
		ask := newCustomer(fmt.Sprintf("Name %d", i/4), fmt.Sprintf("Mail%d@example.com", i))
		if i%3 == 0 {
			ask.Status = domain.Suspended
		}
		w, err := b.primary.CreateCustomer(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		everyone = append(everyone, w.Value)
	}
	orders := map[domain.SortKey]func(a, b domain.Customer) int{
		domain.ByID: func(a, b domain.Customer) int { return cmp.Compare(a.ID, b.ID) },
		domain.ByName: func(a, b domain.Customer) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
		},
		domain.ByCreated: func(a, b domain.Customer) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		},
	}
	for _, f := range []domain.CustomerFilter{
		{},
		{Status: domain.Suspended},
		{Status: domain.Active},
		{Email: "mAIL7@example.com"},
		{Email: "nobody@example.com"},
		{Status: domain.Suspended, Email: "mail7@example.com"},
	} {
		want := slices.DeleteFunc(slices.Clone(everyone), func(c domain.Customer) bool {
			return f.Status != "" && c.Status != f.Status || f.Email != "" && !strings.EqualFold(f.Email, c.Email)
		})
		for _, sort := range domain.CustomerSorts() {
			checkPages(t, fmt.Sprintf("customers %+v", f), func(ctx context.Context, p domain.Page) ([]domain.Customer, *domain.Cursor, domain.Origin, error) {
				return b.primary.ListCustomers(ctx, f, p)
			}, sort, want, orders[sort])
		}
	}
}

func TestListAccounts(t *testing.T) {
	b := newBooks(t)
	ids := append(b.accounts(12), b.accountsIn("USD", 6)...)
	b.do(`UPDATE accounts SET status = 'frozen' WHERE id % 3 = 0`)
	accounts := make([]domain.Account, len(ids))
	for i, id := range ids {
		var err error
		if accounts[i], _, err = b.primary.FindAccount(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	orders := map[domain.SortKey]func(a, b domain.Account) int{
		domain.ByID: func(a, b domain.Account) int { return cmp.Compare(a.ID, b.ID) },
		domain.ByCreated: func(a, b domain.Account) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		},
	}
	for _, f := range []domain.AccountFilter{
		{},
		{Customer: accounts[0].CustomerID},
		{Currency: "USD"},
		{Status: domain.Frozen},
		{Currency: "EUR", Status: domain.Open},
		{Customer: accounts[0].CustomerID, Currency: "EUR", Status: domain.Frozen},
		{Customer: -1},
		{Status: domain.Closed},
	} {
		want := slices.DeleteFunc(slices.Clone(accounts), func(a domain.Account) bool {
			return f.Customer != 0 && a.CustomerID != f.Customer || f.Currency != "" && a.Currency != f.Currency || f.Status != "" && a.Status != f.Status
		})
		for _, sort := range domain.AccountSorts() {
			checkPages(t, fmt.Sprintf("accounts %+v", f), func(ctx context.Context, p domain.Page) ([]domain.Account, *domain.Cursor, domain.Origin, error) {
				return b.replica.ListAccounts(ctx, f, p)
			}, sort, want, orders[sort])
		}
	}
}

// orderOf returns the order of transfers by a key.
func orderOf(sort domain.SortKey) func(a, b domain.Transfer) int {
	return func(a, b domain.Transfer) int {
		first := a.CreatedAt.Compare(b.CreatedAt)
		if sort == domain.ByAmount {
			first = cmp.Compare(a.Amount, b.Amount)
		}
		return cmp.Or(first, strings.Compare(a.ID.String(), b.ID.String()))
	}
}

// takes reports whether a filter lets a transfer through.
func takes(f domain.TransferFilter, tr domain.Transfer) bool {
	return (f.Account == 0 || f.Account == tr.From || f.Account == tr.To) && (f.Status == "" || f.Status == tr.Status) &&
		(f.RefundOf == uuid.Nil || f.RefundOf == tr.RefundOf) && tr.Amount >= f.MinAmount &&
		!tr.CreatedAt.Before(f.CreatedFrom) && (f.CreatedBefore.IsZero() || tr.CreatedAt.Before(f.CreatedBefore))
}

func TestListTransfers(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(3)
	random := rand.New(rand.NewPCG(1, 1))
	var ids []uuid.UUID
	for i := range 30 {
		from := random.IntN(3)
		ids = append(ids, b.place(a[from], a[(from+1+random.IntN(2))%3], 1+random.Int64N(5)).ID)
		if i%10 == 0 {
			refund := domain.Refund{ID: uuid.New(), Of: ids[0], Amount: 1}
			if _, err := b.primary.Refund(t.Context(), refund, store.Meta{}); err != nil && !errors.Is(err, domain.ErrRefundExceeds) {
				t.Fatal(err)
			} else if err == nil {
				ids = append(ids, refund.ID)
			}
		}
	}
	if unknown, err := b.primary.Settle(t.Context(), ids[:20]); err != nil || len(unknown) != 0 {
		t.Fatalf("Settle = %v, %v", unknown, err)
	}
	transfers := make([]domain.Transfer, len(ids))
	for i, id := range ids {
		var err error
		if transfers[i], _, err = b.primary.FindTransfer(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	from, before := transfers[5].CreatedAt, transfers[25].CreatedAt
	// Every combination of these.
	for combination := range 1 << 6 {
		var f domain.TransferFilter
		for bit, set := range []func(){
			func() { f.Account = a[1] }, func() { f.Status = domain.Settled }, func() { f.Status = domain.Accepted },
			func() { f.RefundOf = ids[0] }, func() { f.MinAmount = 3 }, func() { f.CreatedFrom, f.CreatedBefore = from, before },
		} {
			if combination>>bit&1 == 1 {
				set()
			}
		}
		want := slices.DeleteFunc(slices.Clone(transfers), func(tr domain.Transfer) bool { return !takes(f, tr) })
		for _, sort := range domain.TransferSorts() {
			checkPages(t, fmt.Sprintf("transfers %+v", f), func(ctx context.Context, p domain.Page) ([]domain.Transfer, *domain.Cursor, domain.Origin, error) {
				return b.primary.ListTransfers(ctx, f, p)
			}, sort, want, orderOf(sort))
		}
	}
}

func TestListStatements(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	var statements []domain.Statement
	for i := range 15 {
		s := domain.Statement{ID: uuid.New(), Account: a[i%2], From: time.Unix(0, 0), To: time.Unix(int64(i+1), 0)}
		if _, err := b.primary.RequestStatement(t.Context(), s, store.Meta{}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if err := b.primary.BuildStatement(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
		}
		found, _, err := b.primary.FindStatement(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		found.Lines = nil // not in lists
		statements = append(statements, found)
	}
	for _, f := range []domain.StatementFilter{{}, {Account: a[0]}, {Status: domain.Ready}, {Account: a[1], Status: domain.Requested}, {Status: domain.Failed}} {
		want := slices.DeleteFunc(slices.Clone(statements), func(s domain.Statement) bool {
			return f.Account != 0 && s.Account != f.Account || f.Status != "" && s.Status != f.Status
		})
		checkPages(t, fmt.Sprintf("statements %+v", f), func(ctx context.Context, p domain.Page) ([]domain.Statement, *domain.Cursor, domain.Origin, error) {
			return b.primary.ListStatements(ctx, f, p)
		}, domain.ByCreated, want, func(a, b domain.Statement) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID.String(), b.ID.String()))
		})
	}
}

func TestListNotifications(t *testing.T) {
	b := newBooks(t)
	a, other := b.accounts(2), b.accounts(1)[0]
	var events []store.TransferEvent
	for i := range 9 {
		events = append(events, event(b.place(a[i%2], other, int64(1+i))))
	}
	if _, err := b.primary.Notify(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	rows, err := b.db.Query(t.Context(), `SELECT id, customer_id, account_id, transfer_id, amount, created_at FROM notifications`)
	if err != nil {
		t.Fatal(err)
	}
	everything, err := pgx.CollectRows(rows, pgx.RowToStructByPos[domain.Notification])
	if err != nil || len(everything) != 18 {
		t.Fatalf("%d notifications, %v; want one for each side", len(everything), err)
	}
	for _, f := range []domain.NotificationFilter{{}, {Customer: everything[0].Customer}, {Customer: math.MaxInt64}} {
		want := slices.DeleteFunc(slices.Clone(everything), func(n domain.Notification) bool { return f.Customer != 0 && n.Customer != f.Customer })
		checkPages(t, fmt.Sprintf("notifications %+v", f), func(ctx context.Context, p domain.Page) ([]domain.Notification, *domain.Cursor, domain.Origin, error) {
			return b.primary.ListNotifications(ctx, f, p)
		}, domain.ByID, want, func(a, b domain.Notification) int { return cmp.Compare(a.ID, b.ID) })
	}
}

// TestLateCommit says what a list cannot do: a transfer that got its time
// before, and is committed after, somebody turned a page. Whoever turns pages
// does not see it, and whoever begins does.
func TestLateCommit(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(4)
	b.atCommit(77, `PERFORM pg_advisory_xact_lock(77)`)
	tx, err := b.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(77)`); err != nil {
		t.Fatal(err)
	}
	late := euros(a[0], a[1], 77)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := b.primary.Place(t.Context(), late, store.Meta{}); err != nil {
			t.Errorf("Place = %v; want nil", err)
		}
	})
	eventually(t, "the commit waits", func() bool {
		return one[int64](b, `SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'`) > 0
	})
	for range 4 {
		b.place(a[2], a[3], 1)
	}
	list := func(ctx context.Context, p domain.Page) ([]domain.Transfer, *domain.Cursor, domain.Origin, error) {
		return b.primary.ListTransfers(ctx, domain.TransferFilter{}, p)
	}
	turned := pages(t, list, domain.Page{Limit: 2}, func() {
		if err := tx.Rollback(t.Context()); err == nil {
			wg.Wait()
		}
	})
	begun := pages(t, list, domain.Page{Limit: 2}, func() {})
	if len(turned) != 4 || len(begun) != 5 || begun[0].ID != late.ID {
		t.Errorf("%d transfers, then %d, the first %s; want 4, then 5 with %s the first", len(turned), len(begun), begun[0].ID, late.ID)
	}
}

// TestPagesAreStable inserts while somebody turns pages: each transfer that was
// there at the beginning is on one page, and none is on two.
func TestPagesAreStable(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	b.do(`UPDATE accounts SET status = status`) // the table has dead rows too
	there := map[uuid.UUID]bool{}
	for range 60 {
		there[b.place(a[0], a[1], 1).ID] = true
	}
	for _, p := range []domain.Page{
		{Limit: 9}, {Limit: 9, Descending: true}, {Limit: 9, Sort: domain.ByAmount}, {Limit: 9, Sort: domain.ByAmount, Descending: true},
	} {
		seen := map[uuid.UUID]int{}
		list := func(ctx context.Context, p domain.Page) ([]domain.Transfer, *domain.Cursor, domain.Origin, error) {
			return b.primary.ListTransfers(ctx, domain.TransferFilter{Account: a[1]}, p)
		}
		inserts := 0
		var wg sync.WaitGroup
		for _, tr := range pages(t, list, p, func() {
			inserts++
			if inserts > 20 {
				return
			}
			wg.Go(func() { b.place(a[0], a[1], 1) })
			b.place(a[0], a[1], 1+int64(inserts))
		}) {
			seen[tr.ID]++
		}
		wg.Wait()
		for id := range there {
			if seen[id] != 1 {
				t.Errorf("%+v: transfer %s is on %d pages; want one", p, id, seen[id])
			}
		}
		for id, n := range seen {
			if n > 1 {
				t.Errorf("%+v: transfer %s is on %d pages", p, id, n)
			}
		}
	}
}

func TestBadCursors(t *testing.T) {
	b := newBooks(t)
	for _, c := range []domain.Cursor{
		{},
		{Value: "x", ID: "x"},
		{Value: "now'; DROP TABLE accounts; --", ID: "1"},
		{Value: "2025-13-45", ID: uuid.NewString()},
		{Value: "99999999999999999999", ID: "99999999999999999999"},
		{Value: "\x00", ID: "1"},
		{Value: "\xff", ID: "1"},
	} {
		p := domain.Page{Limit: 1, After: &c}
		_, _, _, customers := b.primary.ListCustomers(t.Context(), domain.CustomerFilter{}, p)
		_, _, _, accounts := b.primary.ListAccounts(t.Context(), domain.AccountFilter{}, p)
		_, _, _, transfers := b.primary.ListTransfers(t.Context(), domain.TransferFilter{}, p)
		_, _, _, statements := b.primary.ListStatements(t.Context(), domain.StatementFilter{}, p)
		for what, err := range map[string]error{"customers": customers, "accounts": accounts, "transfers": transfers, "statements": statements} {
			if !errors.Is(err, domain.ErrBadCursor) {
				t.Errorf("list %s after %+v = %v; want %v", what, c, err, domain.ErrBadCursor)
			}
		}
	}
	if _, _, _, err := b.primary.ListAccounts(t.Context(), domain.AccountFilter{}, domain.Page{Limit: 1, Sort: domain.ByName}); err == nil {
		t.Error("accounts by name: no error; want one, for there is no such order")
	}
	if _, _, _, err := b.primary.ListAccounts(t.Context(), domain.AccountFilter{}, domain.Page{}); err == nil {
		t.Error("a page of no entries: no error")
	}
}
