//go:build integration

package ledgertest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

func TestStatement(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	ctx := t.Context()
	var booked []domain.Transfer
	for i := range 6 {
		from, to := a[i%2], a[(i+1)%2]
		booked = append(booked, b.place(from, to, int64(10+i)))
	}
	ask := domain.Statement{ID: uuid.New(), Account: a[0], From: booked[1].CreatedAt, To: booked[4].CreatedAt}
	w, err := b.primary.RequestStatement(ctx, ask, store.Meta{Correlation: "c"})
	if err != nil || w.Replayed || w.Value.Status != domain.Requested || w.Origin.Position.IsZero() {
		t.Fatalf("RequestStatement = %+v, %v; want a new one", w, err)
	}
	again, err := b.primary.RequestStatement(ctx, ask, store.Meta{})
	if err != nil || !again.Replayed || !cmp.Equal(again.Value, w.Value) {
		t.Errorf("second RequestStatement = %+v, %v; want a replay", again, err)
	}
	other := ask
	other.Account = a[1]
	_, err = b.primary.RequestStatement(ctx, other, store.Meta{})
	wantErr(t, "RequestStatement of another with the id", err, domain.ErrConflict)
	other.ID, other.Account = uuid.New(), -1
	_, err = b.primary.RequestStatement(ctx, other, store.Meta{})
	wantErr(t, "RequestStatement of no account", err, domain.ErrUnknownAccount)
	if n := one[int64](b, `SELECT count(*) FROM outbox WHERE event_key = 'statement.requested:' || $1::text
		AND payload = jsonb_build_object('statement_id', $1::text)`, ask.ID.String()); n != 1 {
		t.Errorf("%d events ask for the statement; want 1", n)
	}

	want := ask
	want.Status, want.Opening, want.Closing, want.Count = domain.Ready, opening-10, opening-10+11-12+13, 3
	for i, amount := range []int64{11, -12, 13} {
		want.Lines = append(want.Lines, domain.StatementLine{Transfer: booked[i+1].ID, Amount: amount, Other: a[1], At: booked[i+1].CreatedAt})
	}
	for range 2 { // the second time changes nothing
		if err = b.primary.BuildStatement(ctx, ask.ID); err != nil {
			t.Fatalf("BuildStatement: %v", err)
		}
		got, _, findErr := b.primary.FindStatement(ctx, ask.ID)
		sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(want, "CreatedAt", "UpdatedAt"), sameTime); findErr != nil || diff != "" {
			t.Errorf("FindStatement: %v (-want +got):\n%s", findErr, diff)
		}
		b.place(a[0], a[1], 1)
	}

	origin, err := b.primary.DeleteStatement(ctx, ask.ID)
	if err != nil || origin.Position.IsZero() {
		t.Errorf("DeleteStatement = %+v, %v; want a position", origin, err)
	}
	_, err = b.primary.DeleteStatement(ctx, ask.ID)
	wantErr(t, "DeleteStatement of none", err, domain.ErrNotFound)
	_, _, err = b.primary.FindStatement(ctx, ask.ID)
	wantErr(t, "FindStatement of none", err, domain.ErrNotFound)
	if n := one[int64](b, `SELECT count(*) FROM statement_lines`); n != 0 {
		t.Errorf("%d lines are left of it; want none", n)
	}
	if err := b.primary.BuildStatement(ctx, ask.ID); err != nil {
		t.Errorf("BuildStatement of a deleted one = %v; want nil, for there is nothing to do", err)
	}
	wantErr(t, "BuildStatement of a stranger", b.primary.BuildStatement(ctx, uuid.New()), domain.ErrNotFound)
}

// TestStatementOfTooMuch asks for more than a statement may have.
func TestStatementOfTooMuch(t *testing.T) {
	b := newBooks(t)
	plan := store.SeedPlan{Accounts: 2, Transfers: store.MaxLines + 1, Currency: "EUR", Opening: 1_000_000_000}
	if _, err := store.Seed(t.Context(), b.url, plan, nil); err != nil {
		t.Fatal(err)
	}
	ask := domain.Statement{ID: uuid.New(), Account: 1, From: time.Unix(0, 0), To: time.Now()}
	if _, err := b.primary.RequestStatement(t.Context(), ask, store.Meta{}); err != nil {
		t.Fatal(err)
	}
	if err := b.primary.BuildStatement(t.Context(), ask.ID); err != nil {
		t.Fatalf("BuildStatement: %v", err)
	}
	got, _, err := b.primary.FindStatement(t.Context(), ask.ID)
	if err != nil || got.Status != domain.Failed || len(got.Lines) != 0 || got.Count != 0 {
		t.Errorf("FindStatement = %s with %d lines, count %d, %v; want it failed", got.Status, len(got.Lines), got.Count, err)
	}
	b.checkSums()
}

// TestStatementsAmidTransfers builds statements of the time until now while
// transfers go on. Whatever a statement says of a time, another one says so
// later.
func TestStatementsAmidTransfers(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					b.place(a[c%2], a[(c+1)%2], 1)
				}
			}
		})
	}
	build := func(to time.Time) domain.Statement {
		t.Helper()
		ask := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Unix(0, 0), To: to}
		if _, err := b.primary.RequestStatement(t.Context(), ask, store.Meta{}); err != nil {
			t.Fatal(err)
		}
		if err := b.primary.BuildStatement(t.Context(), ask.ID); err != nil {
			t.Fatal(err)
		}
		got, _, err := b.primary.FindStatement(t.Context(), ask.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	var during []domain.Statement
	for range 20 {
		during = append(during, build(one[time.Time](b, `SELECT clock_timestamp()`)))
	}
	close(stop)
	wg.Wait()
	for _, early := range during {
		late := build(early.To)
		if diff := cmp.Diff(late.Lines, early.Lines); diff != "" || late.Closing != early.Closing {
			t.Errorf("statement until %s, closing %d then %d (-later +first):\n%s", early.To, early.Closing, late.Closing, diff)
		}
	}
	if last := build(time.Now().Add(time.Hour)); last.Closing != b.balance(a[0]) {
		t.Errorf("the last statement closes with %d; the balance is %d", last.Closing, b.balance(a[0]))
	}
}
