//go:build integration

package ledgertest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// databases counts those that this process made.
var databases atomic.Int64

func templateName() string { return fmt.Sprintf("ledgertest_%d_template", os.Getpid()) }

// template makes, once for all tests, an empty ledger to be copied.
var template = sync.OnceValues(func() (name string, err error) {
	ctx := context.Background()
	name = templateName()
	admin := os.Getenv(databaseVar)
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name); err != nil {
		return "", err
	}
	if _, err = conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	direct, err := inDatabase(admin, name)
	if err != nil {
		return "", err
	}
	_, err = store.Migrate(ctx, direct, slog.New(slog.DiscardHandler))
	return name, err
})

// dropTemplate drops what template has made, if it has. That it is there no
// more is no test's business, so an error is only told.
func dropTemplate() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv(databaseVar))
	if err == nil {
		_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+templateName())
		_ = conn.Close(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// inDatabase returns the URL of another database of the same server.
func inDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// newDatabase makes a database of the test's own, as a copy of another one or
// empty, and returns its URL.
func newDatabase(t *testing.T, from string) string {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), dsn(t, databaseVar))
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("ledgertest_%d_%d", os.Getpid(), databases.Add(1))
	if _, err = admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+cmp.Or(from, "template0")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, dropErr := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); dropErr != nil {
			t.Error(dropErr)
		}
		_ = admin.Close(ctx)
	})
	direct, err := inDatabase(dsn(t, databaseVar), name)
	if err != nil {
		t.Fatal(err)
	}
	return direct
}

// A books is a ledger's store on a database of the test's own, with a way past
// the store.
type books struct {
	t       *testing.T
	url     string
	db      *pgxpool.Pool
	primary *store.Primary
	replica *store.Replica // leads to the primary as well
}

func newBooks(t *testing.T) *books {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatal(err)
	}
	return openBooks(t, newDatabase(t, from))
}

// openBooks opens the ledger of a database.
func openBooks(t *testing.T, direct string) *books {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	opts := store.Options{MaxConns: 10, AcquireTimeout: timeout, TxTimeout: timeout}
	b := &books{t: t, url: direct}
	var err error
	if b.db, err = pgxpool.New(ctx, direct); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.db.Close)
	if b.primary, err = store.OpenPrimary(ctx, direct, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.primary.Close)
	if b.replica, err = store.OpenReplica(ctx, direct, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.replica.Close)
	return b
}

// accounts opens n accounts in euros with the opening balance, of one customer.
func (b *books) accounts(n int) []int64 { b.t.Helper(); return b.accountsIn("EUR", n) }

func (b *books) accountsIn(currency string, n int) []int64 {
	b.t.Helper()
	return all[int64](b, `
		WITH c AS (INSERT INTO customers (request_hash, name, email, status)
			VALUES ('', 'Test', gen_random_uuid() || '@example.com', 'active') RETURNING id)
		INSERT INTO accounts (customer_id, request_hash, currency, status, opening, balance)
		SELECT c.id, '', $2, 'open', $3, $3 FROM c, generate_series(1, $1::int) RETURNING id`, n, currency, opening)
}

// place places a transfer that nothing speaks against.
func (b *books) place(from, to, amount int64) domain.Transfer {
	b.t.Helper()
	placed, err := b.primary.Place(b.t.Context(), euros(from, to, amount), store.Meta{})
	if err != nil {
		b.t.Fatalf("Place: %v", err)
	}
	return placed.Transfer
}

// euros returns a transfer with a new id.
func euros(from, to, amount int64) domain.Transfer {
	return domain.Transfer{ID: uuid.New(), From: from, To: to, Amount: amount, Currency: "EUR"}
}

// do executes a statement past the store.
func (b *books) do(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(context.WithoutCancel(b.t.Context()), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// all returns the only column of all rows.
func all[T any](b *books, sql string, args ...any) []T {
	b.t.Helper()
	rows, err := b.db.Query(b.t.Context(), sql, args...)
	if err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return values
}

// one returns the only column of the only row.
func one[T any](b *books, sql string, args ...any) T {
	b.t.Helper()
	values := all[T](b, sql, args...)
	if len(values) != 1 {
		b.t.Fatalf("%s: %d rows; want one", sql, len(values))
	}
	return values[0]
}

func (b *books) balance(account int64) int64 {
	b.t.Helper()
	return one[int64](b, `SELECT balance FROM accounts WHERE id = $1`, account)
}

// written counts what a transfer leaves: itself, postings, events, settlements.
func (b *books) written(id uuid.UUID) [4]int64 {
	b.t.Helper()
	return [4]int64{
		one[int64](b, `SELECT count(*) FROM transfers WHERE id = $1`, id),
		one[int64](b, `SELECT count(*) FROM postings WHERE transfer_id = $1`, id),
		one[int64](b, `SELECT count(*) FROM outbox WHERE transfer_id = $1`, id),
		one[int64](b, `SELECT count(*) FROM settlements WHERE transfer_id = $1`, id),
	}
}

// checkSums reports every way in which the books could be wrong.
func (b *books) checkSums() {
	b.t.Helper()
	for what, sql := range map[string]string{
		"transfers without exactly two postings that sum to zero": `SELECT count(*) FROM (
			SELECT t.id FROM transfers t LEFT JOIN postings p ON p.transfer_id = t.id
			GROUP BY t.id HAVING count(p.account_id) <> 2 OR sum(p.amount) <> 0) AS wrong`,
		"postings at another time than their transfer": `SELECT count(*) FROM postings p JOIN transfers t ON t.id = p.transfer_id
			WHERE p.created_at <> t.created_at`,
		"balances that are not opening and postings": `SELECT count(*) FROM accounts a WHERE a.balance < 0 OR a.balance <>
			a.opening + (SELECT coalesce(sum(amount), 0) FROM postings p WHERE p.account_id = a.id)`,
		"versions that do not count the postings": `SELECT count(*) FROM accounts a WHERE a.version <>
			1 + (SELECT count(*) FROM postings p WHERE p.account_id = a.id)`,
		"transfers whose refunds do not sum up": `SELECT count(*) FROM transfers t WHERE t.refunded > t.amount OR t.refunded <>
			(SELECT coalesce(sum(amount), 0) FROM transfers r WHERE r.refund_of = t.id)`,
		"transfers both or neither settled and unsettled": `SELECT count(*) FROM transfers t WHERE
			EXISTS (SELECT FROM settlements s WHERE s.transfer_id = t.id) = EXISTS (SELECT FROM unsettled u WHERE u.transfer_id = t.id)`,
	} {
		if n := one[int64](b, sql); n != 0 {
			b.t.Errorf("%s: %d; want none", what, n)
		}
	}
}
