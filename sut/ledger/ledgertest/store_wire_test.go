//go:build integration

package ledgertest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// A wire is a way to the database on which round trips are counted where no
// driver can hide one: each Sync and each simple query is a wait for an answer.
// The pool's own look whether a connection is alive, after a second without
// use, is left out.
type wire struct {
	addr     string
	upstream string
	trips    atomic.Int64
}

func newWire(t *testing.T) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the test's clean-up
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: ln.Addr().String(), upstream: databaseAddr(t)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait() // the connections end with their pool
	})
	return w
}

// urlOf returns the URL of a database by way of the wire.
func (w *wire) urlOf(t *testing.T, direct string) string {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = w.addr
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return u.String()
}

func (w *wire) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", w.upstream) //nolint:noctx // closed when the client hangs up
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() { _, _ = io.Copy(client, server) }()
	head := make([]byte, 4) // the first message has a length and no kind
	for {
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if len(head) == 5 && (head[0] == 'S' || head[0] == 'Q' && !bytes.HasPrefix(body, []byte("-- ping"))) {
			w.trips.Add(1)
		}
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
		head = make([]byte, 5)
	}
}

// TestRoundTripsOnTheWire counts what transfers cost on one connection: the
// first, later ones, repeated and refused ones, and what comes after each.
func TestRoundTripsOnTheWire(t *testing.T) {
	const most = 4
	b := newBooks(t)
	a, dollars, frozen := b.accounts(3), b.accountsIn("USD", 1)[0], b.accounts(1)[0]
	b.do(`UPDATE accounts SET status = 'frozen' WHERE id = $1`, frozen)
	suspended, full := b.accounts(1)[0], b.fullAccount()
	b.do(`UPDATE customers SET status = 'suspended' WHERE id = (SELECT customer_id FROM accounts WHERE id = $1)`, suspended)
	b.atInsert(113, `RAISE EXCEPTION 'a bug'`)
	w := newWire(t)
	one, err := store.OpenPrimary(t.Context(), w.urlOf(t, b.url), store.Options{MaxConns: 1, AcquireTimeout: timeout, TxTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	place := func(tr domain.Transfer) func(context.Context) error {
		return func(ctx context.Context) error { _, err := one.Place(ctx, tr, store.Meta{}); return err }
	}
	refund := func(r domain.Refund) func(context.Context) error {
		return func(ctx context.Context) error { _, err := one.Refund(ctx, r, store.Meta{}); return err }
	}
	first, other := euros(a[0], a[1], 50), euros(a[0], a[1], 51)
	other.ID = first.ID
	back := domain.Refund{ID: uuid.New(), Of: first.ID, Amount: 1}
	foreign := euros(a[0], a[1], 1)
	foreign.Currency = "USD"
	type step struct {
		name string
		want int64
		err  error
		do   func(context.Context) error
	}
	steps := []step{
		{"the first on a connection", 3, nil, place(first)}, // it prepares
		{"the second", 2, nil, place(euros(a[0], a[1], 1))},
		{"the first refund on a connection", 3, nil, refund(back)},
		{"repeated refund", 2, nil, refund(back)},
	}
	for _, s := range []step{
		{"repeated", 2, nil, place(first)},
		{"other body", 2, domain.ErrConflict, place(other)},
		{"no money", 2, domain.ErrInsufficientFunds, place(euros(a[0], a[1], opening+1))},
		{"no account", 2, domain.ErrUnknownAccount, place(euros(a[0], math.MaxInt64, 1))},
		{"other currency", 2, domain.ErrWrongCurrency, place(foreign)},
		{"account of another currency", 2, domain.ErrWrongCurrency, place(euros(a[0], dollars, 1))},
		{"frozen", 2, domain.ErrAccountNotOpen, place(euros(a[0], frozen, 1))},
		{"suspended", 2, domain.ErrCustomerNotActive, place(euros(a[0], suspended, 1))},
		{"full", 2, domain.ErrBalanceLimit, place(euros(a[0], full, 1))},
		{"refund of too much", 2, domain.ErrRefundExceeds, refund(domain.Refund{ID: uuid.New(), Of: first.ID, Amount: 50})},
		{"refund of nothing", 2, domain.ErrNotFound, refund(domain.Refund{ID: uuid.New(), Of: uuid.New(), Amount: 1})},
		{"refund of a refund", 2, domain.ErrNotRefundable, refund(domain.Refund{ID: uuid.New(), Of: back.ID, Amount: 1})},
	} {
		steps = append(steps, s, step{"the next after: " + s.name, 2, nil, place(euros(a[0], a[1], 1))})
	}
	steps = append(steps,
		step{"error of the database", 2, errBug, place(euros(a[0], a[1], 113))},
		step{"the next after it", 4, nil, place(euros(a[0], a[1], 1))}, // it gives up what was prepared, and prepares
		step{"the one after that", 2, nil, place(euros(a[0], a[1], 1))},
	)
	for _, s := range steps {
		before := w.trips.Load()
		err := s.do(t.Context())
		if got := w.trips.Load() - before; got != s.want || got > most {
			t.Errorf("%s: %d round trips; want %d, and never more than %d", s.name, got, s.want, most)
		}
		if bug := errors.Is(s.err, errBug); bug && err == nil || !bug && !errors.Is(err, s.err) {
			t.Errorf("%s = %v; want %v", s.name, err, s.err)
		}
	}
	b.checkSums()
}

// errBug stands for an error that is none of the ledger's.
var errBug = errors.New("a bug")

// TestCachedReadOnTheWire reads an account that the cache has: the database is
// not asked.
func TestCachedReadOnTheWire(t *testing.T) {
	w := newWire(t)
	c := newCore(t, coreOptions{databaseURL: w.urlOf(t, dsn(t, databaseVar))})
	account := c.accounts(1)[0]
	if _, origin, err := c.ledger.Account(t.Context(), account, domain.Reading{}); err != nil || origin.Source != domain.Primary {
		t.Fatalf("Account = %+v, %v; want the primary's", origin, err)
	}
	before := w.trips.Load()
	if before == 0 {
		t.Error("nothing was counted; want the first read")
	}
	for range 5 {
		if found, origin, err := c.ledger.Account(t.Context(), account, domain.Reading{}); err != nil || origin.Source != domain.Cache || found.Balance != openingBalance {
			t.Errorf("Account = %+v, %+v, %v; want the copy of the cache", found, origin, err)
		}
	}
	if got := w.trips.Load() - before; got != 0 {
		t.Errorf("%d round trips; want none", got)
	}
}

// fullAccount opens an account in euros that holds as much as can be counted.
func (b *books) fullAccount() int64 {
	b.t.Helper()
	id := b.accounts(1)[0]
	return one[int64](b, fmt.Sprintf(`INSERT INTO accounts (customer_id, request_hash, currency, status, opening, balance)
		SELECT customer_id, '', currency, 'open', %[1]d, %[1]d FROM accounts WHERE id = $1 RETURNING id`, math.MaxInt64), id)
}

// atInsert makes the server execute a statement when a transfer of the amount
// is inserted.
func (b *books) atInsert(amount int64, statement string) {
	b.t.Helper()
	name := "at_insert_" + uuid.NewString()[:8]
	b.do(`CREATE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + statement + `; RETURN NULL; END $$`)
	b.do(fmt.Sprintf(`CREATE TRIGGER %[1]s AFTER INSERT ON transfers FOR EACH ROW WHEN (NEW.amount = %[2]d) EXECUTE FUNCTION %[1]s()`, name, amount))
}
