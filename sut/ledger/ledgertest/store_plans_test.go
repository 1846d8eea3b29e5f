//go:build integration

package ledgertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	// largeTable is from how many rows on a table, or a partition, must not be
	// read from end to end.
	largeTable = 5_000

	// readable is how many rows of large tables a statement may look at, those
	// included that a filter then takes out. It is a small part of the smallest
	// large table.
	readable = 1_500
)

// newLargeBooks fills every table with so many rows that the planner would
// rather not read all of them.
func newLargeBooks(t *testing.T) *books {
	t.Helper()
	b := newBooks(t)
	plan := store.SeedPlan{Accounts: 12_000, Transfers: 40_000, Currency: "EUR", Opening: 1_000_000, Seed: 3}
	if _, err := store.Seed(t.Context(), b.url, plan, nil); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`UPDATE customers SET status = 'suspended' WHERE id % 100 = 0`,
		`UPDATE accounts SET status = 'frozen' WHERE id % 100 = 0`,
		`INSERT INTO accounts (customer_id, request_hash, currency, status, opening, balance)
			SELECT n, '', 'USD', 'open', 1000, 1000 FROM generate_series(1, 100) AS n`,
		`INSERT INTO notifications (customer_id, account_id, transfer_id, amount)
			SELECT a.customer_id, a.id, p.transfer_id, p.amount FROM postings p JOIN accounts a ON a.id = p.account_id`,
		`INSERT INTO outbox (event_key, transfer_id, topic, payload, correlation_id, traceparent, created_at, published_at)
			SELECT 'transfer.accepted:' || id, id AS transfer_id, 'transfer.accepted', '{}', '', '', created_at, created_at FROM transfers`,
		`INSERT INTO consumed_events (consumer, event_key, consumed_at) SELECT c, event_key, created_at
			FROM outbox, unnest(ARRAY['projection', 'notifications']) AS c`,
		`INSERT INTO statements (id, account_id, request_hash, period_from, period_to, status, created_at)
			SELECT gen_random_uuid(), 1 + n % 2000, '', '2025-01-01', '2026-01-01',
				CASE WHEN n % 100 = 0 THEN 'requested' ELSE 'ready' END, '2026-01-01'::timestamptz + n * interval '1 minute'
			FROM generate_series(1, 10000) AS n`,
		`INSERT INTO statement_lines (statement_id, line, transfer_id, amount, other, posted_at)
			SELECT s.id, n, (SELECT id FROM transfers LIMIT 1), 1, 1, now()
			FROM (SELECT id FROM statements LIMIT 2000) AS s, generate_series(1, 10) AS n`,
		`VACUUM ANALYZE`,
	} {
		b.do(sql)
	}
	return b
}

// TestPlans runs everything that the store asks on large tables and looks at
// how the server executed it.
func TestPlans(t *testing.T) {
	b := newLargeBooks(t)
	large := map[string]bool{}
	for _, table := range all[string](b, `SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples >= $1`, largeTable) {
		large[table] = true
	}
	if len(large) < 9+12 { // and the months
		t.Fatalf("large tables: %v; want all", large)
	}
	s := newSniffer(t)
	sniffed := openBooks(t, s.urlOf(b.url))
	wasteful := func(c planned) (waste []string) {
		t.Helper()
		s.take()
		if err := c.do(t.Context()); err != nil {
			t.Errorf("%s: %v", c.name, err)
			return nil
		}
		plans := s.take()
		if len(plans) == 0 {
			t.Errorf("%s: nothing was explained", c.name)
		}
		for _, p := range plans {
			p.Root.nodes(func(n *planNode) {
				read := n.Loops * (n.Rows + n.Removed)
				if large[n.Relation] && (n.Type == "Seq Scan" || read > readable) {
					waste = append(waste, fmt.Sprintf("%s of %s %s reads %.0f rows: %s",
						n.Type, n.Relation, n.Index, read, strings.Join(strings.Fields(p.Query), " ")))
				}
			})
		}
		return waste
	}
	// Were there anything to see, it would be seen.
	for _, sql := range []string{`SELECT count(*) FROM accounts WHERE balance = 7`, `DO $$ BEGIN PERFORM FROM transfers WHERE reference = 'x'; END $$`} {
		if waste := wasteful(planned{sql, func(ctx context.Context) error { _, err := sniffed.db.Exec(ctx, sql); return err }}); len(waste) == 0 {
			t.Errorf("%s reads a whole table and nothing was noticed", sql)
		}
	}
	for _, c := range changesToPlan(sniffed) {
		for _, waste := range wasteful(c) {
			t.Errorf("%s: %s", c.name, waste)
		}
	}
	for _, c := range readsToPlan(sniffed) {
		// From the sixth execution on the server may choose a plan that suits
		// all values of the parameters.
		for i := range 8 {
			for _, waste := range wasteful(c) {
				t.Errorf("%s, time %d: %s", c.name, i+1, waste)
			}
		}
	}
}

// A planned is a use of the store whose plans are looked at.
type planned struct {
	name string
	do   func(context.Context) error
}

// changesToPlan returns all changes, in an order in which they are possible.
func changesToPlan(b *books) []planned {
	transfer, refund, statement := euros(1, 2, 50), uuid.New(), domain.Statement{ID: uuid.New(), Account: 1, From: time.Unix(0, 0), To: time.Now()}
	customer := newCustomer("Ada", "ada@example.com")
	events := []store.TransferEvent{event(transfer), {Key: "transfer.accepted:" + refund.String(), TransferID: refund}}
	var customerID int64
	oldest := one[uuid.UUID](b, `SELECT id FROM transfers ORDER BY created_at LIMIT 1`)
	name := "Ada King"
	publish := func(_ context.Context, events []store.Event) (ids []int64, err error) {
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		return ids, nil
	}
	return []planned{
		{"place", func(ctx context.Context) error { _, err := b.primary.Place(ctx, transfer, store.Meta{}); return err }},
		{"replay", func(ctx context.Context) error { _, err := b.primary.Place(ctx, transfer, store.Meta{}); return err }},
		{"refund", func(ctx context.Context) error {
			_, err := b.primary.Refund(ctx, domain.Refund{ID: refund, Of: transfer.ID, Amount: 1}, store.Meta{})
			return err
		}},
		{"relay", func(ctx context.Context) error { _, err := b.primary.Relay(ctx, 100, publish); return err }},
		{"settle", func(ctx context.Context) error {
			_, err := b.primary.Settle(ctx, []uuid.UUID{transfer.ID, refund})
			return err
		}},
		{"notify", func(ctx context.Context) error { _, err := b.primary.Notify(ctx, events); return err }},
		{"project", func(ctx context.Context) error { _, err := b.primary.Project(ctx, events); return err }},
		{"project what is old", func(ctx context.Context) error {
			if _, err := b.primary.PurgeEvents(ctx, time.Hour, 100); err != nil { // with the notes of the oldest
				return err
			}
			_, err := b.primary.Project(ctx, []store.TransferEvent{event(domain.Transfer{ID: oldest})})
			return err
		}},
		{"purge notifications", func(ctx context.Context) error {
			_, err := b.primary.PurgeNotifications(ctx, time.Nanosecond, 100)
			return err
		}},
		{"purge", func(ctx context.Context) error { _, err := b.primary.PurgeEvents(ctx, time.Hour, 100); return err }},
		{"request statement", func(ctx context.Context) error {
			_, err := b.primary.RequestStatement(ctx, statement, store.Meta{})
			return err
		}},
		{"build statement", func(ctx context.Context) error { return b.primary.BuildStatement(ctx, statement.ID) }},
		{"delete statement", func(ctx context.Context) error { _, err := b.primary.DeleteStatement(ctx, statement.ID); return err }},
		{"build what was deleted", func(ctx context.Context) error { return b.primary.BuildStatement(ctx, statement.ID) }},
		{"create customer", func(ctx context.Context) error {
			w, err := b.primary.CreateCustomer(ctx, customer)
			customerID = w.Value.ID
			return err
		}},
		{"create it again", func(ctx context.Context) error { _, err := b.primary.CreateCustomer(ctx, customer); return err }},
		{"change customer", func(ctx context.Context) error {
			_, err := b.primary.ChangeCustomer(ctx, customerID, domain.Versions{1}, domain.CustomerChange{Name: &name})
			return err
		}},
		{"delete customer", func(ctx context.Context) error {
			_, err := b.primary.DeleteCustomer(ctx, customerID, domain.Versions{2})
			return err
		}},
		{"open account", func(ctx context.Context) error {
			_, err := b.primary.OpenAccount(ctx, domain.NewAccount{Key: uuid.New(), CustomerID: 1, Currency: "EUR"})
			return err
		}},
		{"freeze account", func(ctx context.Context) error {
			_, err := b.primary.SetAccountStatus(ctx, 5, nil, domain.Frozen)
			return err
		}},
	}
}

// readsToPlan returns all reads: of single things, and of each list in all
// orders with all filters, its first page and one from the middle.
func readsToPlan(b *books) []planned {
	n := b.primary
	transfer := one[uuid.UUID](b, `SELECT id FROM transfers WHERE refunded > 0 LIMIT 1`)
	statement := one[uuid.UUID](b, `SELECT statement_id FROM statement_lines LIMIT 1`)
	reads := []planned{
		{"check", n.Check},
		{"find customer", func(ctx context.Context) error { _, _, err := n.FindCustomer(ctx, 7); return err }},
		{"find account", func(ctx context.Context) error { _, _, err := b.replica.FindAccount(ctx, 7); return err }},
		{"find transfer", func(ctx context.Context) error { _, _, err := n.FindTransfer(ctx, transfer); return err }},
		{"find statement", func(ctx context.Context) error { _, _, err := n.FindStatement(ctx, statement); return err }},
	}
	for _, f := range []domain.CustomerFilter{{}, {Status: domain.Active}, {Status: domain.Suspended}, {Email: "Customer-9@example.com"}, {Email: "nobody@example.com", Status: domain.Active}} {
		reads = append(reads, listsToPlan(fmt.Sprintf("customers %+v", f), domain.CustomerSorts(), func(ctx context.Context, p domain.Page) (int, *domain.Cursor, error) {
			page, next, _, err := n.ListCustomers(ctx, f, p)
			return len(page), next, err
		})...)
	}
	for _, f := range []domain.AccountFilter{
		{},
		{Customer: 9},
		{Currency: "EUR"},
		{Currency: "USD"},
		{Currency: "CHF"},
		{Status: domain.Open},
		{Status: domain.Frozen},
		{Status: domain.Closed},
		{Currency: "EUR", Status: domain.Frozen},
		{Currency: "USD", Status: domain.Frozen},
		{Customer: 9, Currency: "EUR", Status: domain.Open},
	} {
		reads = append(reads, listsToPlan(fmt.Sprintf("accounts %+v", f), domain.AccountSorts(), func(ctx context.Context, p domain.Page) (int, *domain.Cursor, error) {
			page, next, _, err := n.ListAccounts(ctx, f, p)
			return len(page), next, err
		})...)
	}
	june := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range []domain.TransferFilter{
		{},
		{Account: 9},
		{Status: domain.Settled},
		{Status: domain.Accepted},
		{RefundOf: transfer},
		{MinAmount: 5000},
		{MinAmount: 9999},
		{CreatedFrom: june},
		{CreatedFrom: june, CreatedBefore: june.AddDate(0, 1, 0)},
		{CreatedBefore: june, MinAmount: 5000},
		{CreatedFrom: june, CreatedBefore: june.Add(time.Hour)},
		{Account: 9, CreatedFrom: june},
		{Account: 9, Status: domain.Settled},
		{Account: 9, Status: domain.Accepted},
		{Account: 9, MinAmount: 5000},
		{Status: domain.Settled, MinAmount: 5000},
		{Status: domain.Accepted, CreatedFrom: june},
		{Account: 9, RefundOf: transfer},
		{RefundOf: transfer, Status: domain.Settled},
	} {
		reads = append(reads, listsToPlan(fmt.Sprintf("transfers %+v", f), domain.TransferSorts(), func(ctx context.Context, p domain.Page) (int, *domain.Cursor, error) {
			page, next, _, err := n.ListTransfers(ctx, f, p)
			return len(page), next, err
		})...)
	}
	for _, f := range []domain.NotificationFilter{{}, {Customer: 9}} {
		reads = append(reads, listsToPlan(fmt.Sprintf("notifications %+v", f), domain.NotificationSorts(), func(ctx context.Context, p domain.Page) (int, *domain.Cursor, error) {
			page, next, _, err := n.ListNotifications(ctx, f, p)
			return len(page), next, err
		})...)
	}
	for _, f := range []domain.StatementFilter{{}, {Account: 9}, {Status: domain.Ready}, {Status: domain.Requested}, {Status: domain.Failed}, {Account: 9, Status: domain.Requested}} {
		reads = append(reads, listsToPlan(fmt.Sprintf("statements %+v", f), domain.StatementSorts(), func(ctx context.Context, p domain.Page) (int, *domain.Cursor, error) {
			page, next, _, err := n.ListStatements(ctx, f, p)
			return len(page), next, err
		})...)
	}
	return reads
}

// listsToPlan returns reads of a list in all orders, both ways.
func listsToPlan(name string, sorts []domain.SortKey, list func(context.Context, domain.Page) (int, *domain.Cursor, error)) []planned {
	var reads []planned
	for _, sort := range sorts {
		for _, descending := range []bool{false, true} {
			p := domain.Page{Sort: sort, Descending: descending, Limit: 50}
			reads = append(reads, planned{fmt.Sprintf("%s by %s, descending %t", name, sort, descending), func(ctx context.Context) error {
				_, next, err := list(ctx, p)
				if err != nil || next == nil {
					return err
				}
				p.After = next
				_, _, err = list(ctx, p)
				return err
			}})
		}
	}
	return reads
}
