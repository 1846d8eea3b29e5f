//go:build integration

package ledgertest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

func TestPlaceAndReplay(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	want := euros(a[0], a[1], 250)
	want.Reference = "rent; DROP TABLE accounts --"
	first, err := b.primary.Place(t.Context(), want, store.Meta{Correlation: "c", Traceparent: "t"})
	if err != nil || first.Replayed {
		t.Fatalf("Place = %+v, %v; want a new transfer", first, err)
	}
	want.Status, want.CreatedAt = domain.Accepted, first.Transfer.CreatedAt
	if diff := cmp.Diff(want, first.Transfer); diff != "" {
		t.Errorf("Place (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]store.AccountVersion{{Account: a[0], Version: 2}, {Account: a[1], Version: 2}}, first.Changed); diff != "" {
		t.Errorf("changed accounts (-want +got):\n%s", diff)
	}
	if o := first.Origin; o.Source != domain.Primary || o.Timeline != 1 || o.Position.Timeline != 1 || o.Position.LSN == 0 {
		t.Errorf("origin = %+v; want the primary on timeline 1 with a position", o)
	}
	again, err := b.primary.Place(t.Context(), euros2(want), store.Meta{})
	if err != nil || !again.Replayed || len(again.Changed) != 0 {
		t.Errorf("second Place = %+v, %v; want a replay", again, err)
	}
	if diff := cmp.Diff(want, again.Transfer); diff != "" {
		t.Errorf("replay (-want +got):\n%s", diff)
	}
	other := want
	other.Amount++
	if _, err := b.primary.Place(t.Context(), other, store.Meta{}); !errors.Is(err, domain.ErrConflict) {
		t.Errorf("Place of another transfer with the id = %v; want %v", err, domain.ErrConflict)
	}
	if found, _, err := b.primary.FindTransfer(t.Context(), want.ID); err != nil || !cmp.Equal(found, want) {
		t.Errorf("FindTransfer = %+v, %v; want %+v", found, err, want)
	}
	if got, want := b.written(want.ID), [4]int64{1, 2, 1, 0}; got != want {
		t.Errorf("transfers, postings, events, settlements = %v; want %v", got, want)
	}
	if from, to := b.balance(a[0]), b.balance(a[1]); from != opening-250 || to != opening+250 {
		t.Errorf("balances = %d, %d; want %d, %d", from, to, opening-250, opening+250)
	}
	b.checkSums()
}

// euros2 returns what a client says of a transfer, without what the ledger adds.
func euros2(t domain.Transfer) domain.Transfer {
	t.Status, t.CreatedAt = "", time.Time{}
	return t
}

// TestRefusals asks for what must be refused and then looks for any change.
func TestRefusals(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(4)
	dollars := b.accountsIn("USD", 2)
	b.do(`UPDATE accounts SET status = 'frozen' WHERE id = $1`, a[2])
	full := b.fullAccount()
	suspended := b.accounts(1)[0]
	b.do(`UPDATE customers SET status = 'suspended' WHERE id = (SELECT customer_id FROM accounts WHERE id = $1)`, suspended)
	const nobody = 9_000_000_000_000_000_000
	tests := []struct {
		name             string
		from, to, amount int64
		currency         string
		want             error
	}{
		{"same account", a[0], a[0], 1, "EUR", domain.ErrSameAccount},
		{"unknown payer", nobody, a[1], 1, "EUR", domain.ErrUnknownAccount},
		{"unknown payee", a[0], nobody, 1, "EUR", domain.ErrUnknownAccount},
		{"both unknown", nobody, nobody - 1, 1, "EUR", domain.ErrUnknownAccount},
		{"wrong currency", a[0], a[1], 1, "USD", domain.ErrWrongCurrency},
		{"payer of another currency", dollars[0], a[0], 1, "EUR", domain.ErrWrongCurrency},
		{"payee of another currency", a[0], dollars[0], 1, "EUR", domain.ErrWrongCurrency},
		{"frozen payer", a[2], a[0], 1, "EUR", domain.ErrAccountNotOpen},
		{"frozen payee", a[0], a[2], 1, "EUR", domain.ErrAccountNotOpen},
		{"suspended payer", suspended, a[0], 1, "EUR", domain.ErrCustomerNotActive},
		{"suspended payee", a[0], suspended, 1, "EUR", domain.ErrCustomerNotActive},
		{"full payee", a[0], full, 1, "EUR", domain.ErrBalanceLimit},
		{"one cent too many for a full payee", a[0], full, opening + 1, "EUR", domain.ErrInsufficientFunds},
		{"one cent too many", a[0], a[1], opening + 1, "EUR", domain.ErrInsufficientFunds},
		{"all the money in the world", a[0], a[1], math.MaxInt64, "EUR", domain.ErrInsufficientFunds},
		{"all the money in the world, the other way", a[1], a[0], math.MaxInt64, "EUR", domain.ErrInsufficientFunds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transfer := domain.Transfer{ID: uuid.New(), From: tt.from, To: tt.to, Amount: tt.amount, Currency: tt.currency}
			if _, err := b.primary.Place(t.Context(), transfer, store.Meta{}); !errors.Is(err, tt.want) || isFailure(err) {
				t.Errorf("Place = %v; want %v", err, tt.want)
			}
			if got := b.written(transfer.ID); got != [4]int64{} {
				t.Errorf("transfers, postings, events, settlements = %v; want none", got)
			}
		})
	}
	for _, account := range append(a, dollars...) {
		if found, _, err := b.primary.FindAccount(t.Context(), account); err != nil || found.Balance != opening || found.Version != 1 {
			t.Errorf("account %d = %+v, %v; want it unchanged", account, found, err)
		}
	}
	// A refused transfer left nothing behind that stands in the way.
	b.place(a[0], a[1], opening)
}

// isFailure reports whether an error is not a refusal.
func isFailure(err error) bool {
	return errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrUnknownOutcome)
}

// TestConcurrentTransfers sends money around in all directions at once, more
// often than there is money for.
func TestConcurrentTransfers(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(4)
	const clients, each = 8, 40
	accepted := make([]int64, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(c))) //nolint:gosec // few
			for range each {
				from := random.IntN(len(a))
				to := (from + 1 + random.IntN(len(a)-1)) % len(a)
				_, err := b.primary.Place(t.Context(), euros(a[from], a[to], 1+random.Int64N(opening)), store.Meta{})
				switch {
				case err == nil:
					accepted[c]++
				case !errors.Is(err, domain.ErrInsufficientFunds):
					t.Errorf("Place = %v; want nil or %v", err, domain.ErrInsufficientFunds)
				}
			}
		})
	}
	wg.Wait()
	var total int64
	for _, n := range accepted {
		total += n
	}
	if total == 0 || total == clients*each {
		t.Errorf("%d of %d accepted; want some refused and some not", total, clients*each)
	}
	if n := one[int64](b, `SELECT count(*) FROM transfers`); n != total {
		t.Errorf("%d transfers; %d were accepted", n, total)
	}
	if sum := one[int64](b, `SELECT sum(balance)::bigint FROM accounts`); sum != int64(len(a))*opening {
		t.Errorf("all accounts have %d; want %d", sum, len(a)*opening)
	}
	b.checkSums()
}

// TestConcurrentReplays sends one transfer many times at once.
func TestConcurrentReplays(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	want := euros(a[0], a[1], 10)
	const clients = 16
	answers := make([]store.Placement, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			var err error
			if answers[c], err = b.primary.Place(t.Context(), want, store.Meta{}); err != nil {
				t.Errorf("Place = %v; want nil", err)
			}
		})
	}
	wg.Wait()
	placed := 0
	for _, answer := range answers {
		if !answer.Replayed {
			placed++
		}
		if diff := cmp.Diff(answers[0].Transfer, answer.Transfer); diff != "" {
			t.Errorf("two answers differ:\n%s", diff)
		}
	}
	if got := b.balance(a[1]); placed != 1 || got != opening+10 {
		t.Errorf("placed %d times, balance %d; want once, %d", placed, got, opening+10)
	}
	b.checkSums()
}

func TestRefund(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	original := b.place(a[0], a[1], 100)
	ask := domain.Refund{ID: uuid.New(), Of: original.ID, Amount: 60}
	first, err := b.primary.Refund(t.Context(), ask, store.Meta{})
	if err != nil {
		t.Fatalf("Refund: %v", err)
	}
	want := domain.Transfer{
		ID: ask.ID, From: a[1], To: a[0], Amount: 60, Currency: "EUR", RefundOf: original.ID,
		Status: domain.Accepted, CreatedAt: first.Transfer.CreatedAt,
	}
	if diff := cmp.Diff(want, first.Transfer); diff != "" {
		t.Errorf("Refund (-want +got):\n%s", diff)
	}
	if again, err := b.primary.Refund(t.Context(), ask, store.Meta{}); err != nil || !again.Replayed || !cmp.Equal(again.Transfer, want) {
		t.Errorf("second Refund = %+v, %v; want a replay of %+v", again, err, want)
	}
	if found, _, err := b.primary.FindTransfer(t.Context(), original.ID); err != nil || found.Refunded != 60 {
		t.Errorf("refunded of the original = %d, %v; want 60", found.Refunded, err)
	}
	if event := one[string](b, `SELECT payload ->> 'refund_of' FROM outbox WHERE transfer_id = $1`, ask.ID); event != original.ID.String() {
		t.Errorf("the event says refund_of %s; want %s", event, original.ID)
	}
	large := b.place(a[0], a[1], 1)
	b.place(a[1], a[0], one[int64](b, `SELECT balance FROM accounts WHERE id = $1`, a[1]))
	for _, tt := range []struct {
		name string
		ask  domain.Refund
		want error
	}{
		{"more than is left", domain.Refund{ID: uuid.New(), Of: original.ID, Amount: 41}, domain.ErrRefundExceeds},
		{"more than can be counted", domain.Refund{ID: uuid.New(), Of: original.ID, Amount: math.MaxInt64}, domain.ErrRefundExceeds},
		{"other amount under the same id", domain.Refund{ID: ask.ID, Of: original.ID, Amount: 1}, domain.ErrConflict},
		{"id of a transfer", domain.Refund{ID: original.ID, Of: original.ID, Amount: 1}, domain.ErrConflict},
		{"a refund", domain.Refund{ID: uuid.New(), Of: ask.ID, Amount: 1}, domain.ErrNotRefundable},
		{"no transfer", domain.Refund{ID: uuid.New(), Of: uuid.New(), Amount: 1}, domain.ErrNotFound},
		{"money that was spent", domain.Refund{ID: uuid.New(), Of: large.ID, Amount: 1}, domain.ErrInsufficientFunds},
	} {
		if _, err := b.primary.Refund(t.Context(), tt.ask, store.Meta{}); !errors.Is(err, tt.want) || isFailure(err) {
			t.Errorf("Refund of %s = %v; want %v", tt.name, err, tt.want)
		}
	}
	b.checkSums()
}

// TestConcurrentRefunds asks at once for more than there is to refund.
func TestConcurrentRefunds(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(3)
	original := b.place(a[0], a[1], 100)
	const clients = 16
	var refunded [clients]int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			amount := int64(7 + c)
			_, err := b.primary.Refund(t.Context(), domain.Refund{ID: uuid.New(), Of: original.ID, Amount: amount}, store.Meta{})
			switch {
			case err == nil:
				refunded[c] = amount
			case !errors.Is(err, domain.ErrRefundExceeds):
				t.Errorf("Refund = %v; want nil or %v", err, domain.ErrRefundExceeds)
			}
			// Others want the same accounts meanwhile.
			if _, err := b.primary.Place(t.Context(), euros(a[1], a[2], 1), store.Meta{}); err != nil {
				t.Errorf("Place = %v; want nil", err)
			}
		})
	}
	wg.Wait()
	var total int64
	for _, amount := range refunded {
		total += amount
	}
	found, _, err := b.primary.FindTransfer(t.Context(), original.ID)
	if err != nil || found.Refunded != total || total > 100 || total < 100-(7+clients) {
		t.Errorf("refunded %d, acknowledged %d, %v; want the same, near and at most 100", found.Refunded, total, err)
	}
	b.checkSums()
}

// TestCommitOutcomes has the server do at COMMIT what it otherwise does only
// in a failover, by means of a deferred trigger: warn, refuse, take long.
func TestCommitOutcomes(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	b.atCommit(101, `RAISE WARNING 'canceling wait for synchronous replication due to user request'`)
	b.atCommit(102, `RAISE EXCEPTION 'terminating connection' USING ERRCODE = '57P01'`)
	b.atCommit(103, `PERFORM pg_sleep(5)`)
	tests := []struct {
		name    string
		amount  int64
		within  time.Duration
		present bool // in the end
	}{
		{"committed with a warning", 101, timeout, true},
		{"refused", 102, timeout, false},
		{"too long", 103, 2 * time.Second, true}, // all but the commit has time
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.within)
			defer cancel()
			transfer := euros(a[0], a[1], tt.amount)
			placed, err := b.primary.Place(ctx, transfer, store.Meta{})
			if !errors.Is(err, domain.ErrUnknownOutcome) {
				t.Errorf("Place = %v; want %v", err, domain.ErrUnknownOutcome)
			}
			if len(placed.Changed) != 2 || placed.Origin.Timeline == 0 || !placed.Origin.Position.IsZero() {
				t.Errorf("placement of an unknown outcome = %+v; want what it may have changed, and no position", placed)
			}
			if tt.present {
				eventually(t, "the transfer is there", func() bool { return b.written(transfer.ID)[0] == 1 })
			} else if got := b.written(transfer.ID); got != [4]int64{} {
				t.Errorf("transfers, postings, events, settlements = %v; want none", got)
			}
		})
	}
}

// TestNoCancelRequests lets a deadline pass while the server waits for a lock.
// The driver would then ask the server to cancel, over a second connection.
func TestNoCancelRequests(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	l := newLink(t, databaseAddr(t))
	far := openBooks(t, through(t, b.url, l))
	tx, err := b.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM accounts WHERE id = $1 FOR UPDATE`, a[0]); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	transfer := euros(a[0], a[1], 1)
	if _, err := far.primary.Place(ctx, transfer, store.Meta{}); !errors.Is(err, context.DeadlineExceeded) || isFailure(err) {
		t.Errorf("Place = %v; want %v, for nothing was to be committed", err, context.DeadlineExceeded)
	}
	far.primary.Close() // waits for what the driver does about the connection
	if n := l.cancels.Load(); n != 0 {
		t.Errorf("%d cancel requests were sent; want none", n)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.written(transfer.ID); got != [4]int64{} {
		t.Errorf("transfers, postings, events, settlements = %v; want none", got)
	}
}

// TestDemotedNode gives the store connections on which writing is refused, as
// on a primary that was demoted, and expects it to give up each at the first
// refusal.
func TestDemotedNode(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	name := one[string](b, `SELECT quote_ident(current_database())`)
	// The pool of these books has connections from before the change.
	set := func(what string) { t.Helper(); b.do(`BEGIN READ WRITE; ALTER DATABASE ` + name + what + `; COMMIT`) }
	set(` SET default_transaction_read_only = on`)
	demoted := openBooks(t, b.url)
	for range 3 {
		if _, err := demoted.primary.Place(t.Context(), euros(a[0], a[1], 1), store.Meta{}); !errors.Is(err, domain.ErrUnavailable) {
			t.Errorf("Place = %v; want %v", err, domain.ErrUnavailable)
		}
	}
	if _, _, err := demoted.primary.FindAccount(t.Context(), a[0]); err != nil {
		t.Errorf("FindAccount = %v; want nil: such a node goes on reading", err)
	}
	set(` RESET default_transaction_read_only`)
	for refused := 0; ; refused++ {
		_, err := demoted.primary.Place(t.Context(), euros(a[0], a[1], 1), store.Meta{})
		if err == nil {
			return
		}
		if refused > 10 {
			t.Fatalf("still refused after %d transfers, more than there are connections: %v", refused, err)
		}
	}
}

// atCommit makes the server execute a statement at the commit of a transfer of
// the amount.
func (b *books) atCommit(amount int64, statement string) {
	b.t.Helper()
	name := "at_commit_" + uuid.NewString()[:8]
	b.do(`CREATE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + statement + `; RETURN NULL; END $$`)
	b.do(`CREATE CONSTRAINT TRIGGER ` + name + ` AFTER INSERT ON transfers DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.amount = ` + strconv.FormatInt(amount, 10) + `) EXECUTE FUNCTION ` + name + `()`)
}
