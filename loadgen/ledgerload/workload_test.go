package ledgerload

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/proofload/proofload/loadgen"
)

var _ loadgen.Workload = (*Workload)(nil)

func newWorkload(t *testing.T, seed uint64) *Workload {
	t.Helper()
	w, err := New(Config{Seed: seed, Nonce: [6]byte{0xde, 0xad, 0xbe, 0xef, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestMix(t *testing.T) {
	w := newWorkload(t, 1)
	const n = 20_000
	count := map[string]int{}
	ids := map[string]bool{}
	accept := func(op *loadgen.Operation) {
		t.Helper()
		var asked struct {
			From, To, Amount int64
			Transfer         string
		}
		if err := json.Unmarshal(op.Body, &asked); err != nil {
			t.Fatal(err)
		}
		if asked.Transfer != "" {
			return // a refund's accounts are those of what it refunds
		}
		answer := fmt.Sprintf(`{"id":%q,"from":%d,"to":%d,"amount":%d,"currency":"EUR"}`, op.ID, asked.From, asked.To, asked.Amount)
		if got := op.Judge(201, http.Header{"Ledger-Position": {"1-0/8"}}, []byte(answer)); got != loadgen.Done {
			t.Fatalf("Judge(201, %s) = %d", answer, got)
		}
	}
	for seq := range uint64(n) {
		op := w.Next(1, seq)
		count[op.Op]++
		if op.Op == ReadTransfer && !ids[op.Key] {
			t.Fatalf("operation %d reads transfer %s, which was not made", seq, op.Key)
		}
		if (op.Op == CreateTransfer || op.Op == RefundTransfer) != op.Write {
			t.Fatalf("operation %d: %s, write %t", seq, op.Op, op.Write)
		}
		if op.Write {
			ids[op.ID] = true
			accept(&op)
			w.Observe(&op, true)
		}
	}
	for _, share := range []struct {
		op   string
		want float64
	}{{ReadAccount, 0.31}, {RepeatTransfer, 0.01}, {ReadAccounts, 0.02}, {Overdraw, 0.01}, {ReadBalance, 0.05}, {ReadOwn, 0.05}, {ReadTransfer, 0.25}, {CreateTransfer, 0.25}, {RefundTransfer, 0.05}} {
		if got := float64(count[share.op]) / n; math.Abs(got-share.want) > 0.01 {
			t.Errorf("share of %s = %.3f, want %.2f", share.op, got, share.want)
		}
	}
	if len(w.acked) != recent {
		t.Errorf("%d transfers remembered, want %d", len(w.acked), recent)
	}
}

func TestNoTransferYet(t *testing.T) {
	w := newWorkload(t, 1)
	for seq := range uint64(1000) {
		op := w.Next(1, seq)
		if op.Op == ReadTransfer || op.Op == RefundTransfer {
			t.Fatalf("operation %d is %s before any transfer was acknowledged", seq, op.Op)
		}
		w.Observe(&op, !op.Write) // no transfer succeeds
	}
}

func TestCreate(t *testing.T) {
	w := newWorkload(t, 3)
	n := 0
	for seq := range uint64(5000) {
		op := w.Next(2, seq)
		if op.Op != CreateTransfer {
			continue
		}
		n++
		var body struct {
			From, To, Amount int64
			Currency         string
		}
		if err := json.Unmarshal(op.Body, &body); err != nil {
			t.Fatal(err)
		}
		inRange := func(account int64) bool { return account >= 1 && account <= DefaultAccounts }
		if body.From == body.To || !inRange(body.From) || !inRange(body.To) || body.Amount < 1 || body.Amount > maxAmount {
			t.Errorf("transfer %+v is not possible", body)
		}
		if op.Amount != body.Amount || op.Key != strconv.FormatInt(body.From, 10) || body.Currency != "EUR" {
			t.Errorf("operation %+v does not say what its body says: %s", op, op.Body)
		}
		if op.Method != http.MethodPut || op.Path != "/v2/transfers/"+op.ID || !op.Write {
			t.Errorf("operation is %s %s, write %t", op.Method, op.Path, op.Write)
		}
	}
	if n == 0 {
		t.Fatal("no transfer was made")
	}
}

// TestRefund checks that refunds are possible on a sound ledger: of a transfer
// that was acknowledged, is no refund itself and was not refunded before, and
// of no more than its amount.
func TestRefund(t *testing.T) {
	w := newWorkload(t, 4)
	made, n := map[string]transfer{}, 0
	for seq := range uint64(20_000) {
		op := w.Next(3, seq)
		switch op.Op {
		case CreateTransfer:
			var tr transfer
			if err := json.Unmarshal(op.Body, &tr); err != nil {
				t.Fatal(err)
			}
			if seq%3 != 0 { // the others fail
				made[op.ID] = tr
			}
		case RefundTransfer:
			n++
			var body struct {
				Transfer string
				Amount   int64
			}
			if err := json.Unmarshal(op.Body, &body); err != nil {
				t.Fatal(err)
			}
			of, ok := made[body.Transfer]
			if !ok || body.Amount < 1 || body.Amount > of.Amount || body.Amount > maxRefund {
				t.Errorf("refund of %d of %s: cannot be refunded by that, or not again; it is %+v", body.Amount, body.Transfer, of)
			}
			delete(made, body.Transfer)
			if op.ID != w.id(3, seq) || op.Amount != body.Amount || op.Key != strconv.FormatInt(of.To, 10) {
				t.Errorf("operation %+v does not say what its body says: %s of %+v", op, op.Body, of)
			}
			if op.Method != http.MethodPut || op.Path != "/v2/refunds/"+op.ID || !op.Write {
				t.Errorf("operation is %s %s, write %t", op.Method, op.Path, op.Write)
			}
			answer := fmt.Sprintf(`{"id":%q,"from":%d,"to":%d,"amount":%d,"currency":"EUR","refund_of":%q,"status":"accepted"}`,
				op.ID, of.To, of.From, body.Amount, body.Transfer)
			if got := op.Judge(http.StatusCreated, nil, []byte(answer)); got != loadgen.Done {
				t.Errorf("Judge(201, %s) = %d, want done", answer, got)
			}
		}
		w.Observe(&op, seq%3 != 0)
	}
	if n < 800 {
		t.Errorf("%d refunds in 20000 operations, want about 1000", n)
	}
}

func TestSameSeedSameOperations(t *testing.T) {
	a, b, other := newWorkload(t, 5), newWorkload(t, 5), newWorkload(t, 6)
	ignore := cmpopts.IgnoreFields(loadgen.Operation{}, "Judge", "Saw")
	differs := 0
	for seq := range uint64(500) {
		x := a.Next(1, seq)
		if diff := cmp.Diff(x, b.Next(1, seq), ignore); diff != "" {
			t.Fatalf("operation %d (-first +second):\n%s", seq, diff)
		}
		if !cmp.Equal(x, other.Next(1, seq), ignore) || !cmp.Equal(x, a.Next(2, seq), ignore) {
			differs++
		}
	}
	if differs < 450 {
		t.Errorf("another seed or drill changes only %d of 500 operations", differs)
	}
}

func TestIDs(t *testing.T) {
	w := newWorkload(t, 1)
	var last string
	for drill := range 4 {
		lo, hi := w.IDRange(drill + 1)
		for _, seq := range []uint64{0, 1, 255, 1 << 40, 1<<62 - 1} {
			id := w.id(drill+1, seq)
			u, err := uuid.Parse(id)
			if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 || u.String() != id {
				t.Errorf("id %s: version %d, variant %s, %v", id, u.Version(), u.Variant(), err)
			}
			if id <= last || id < lo || id > hi || !strings.HasPrefix(id, "deadbeef-0001-") {
				t.Errorf("id %s of drill %d, arrival %d: want it after %s and within %s and %s", id, drill+1, seq, last, lo, hi)
			}
			last = id
		}
	}
	if got, want := w.id(3, 10), "deadbeef-0001-8003-8000-00000000000a"; got != want {
		t.Errorf("id(3, 10) = %s, want %s", got, want)
	}
}

func TestTooFewAccounts(t *testing.T) {
	if _, err := New(Config{Accounts: 1}); err == nil {
		t.Error("New with one account succeeded")
	}
}

func TestJudge(t *testing.T) {
	const id, other = "deadbeef-0001-8003-8000-00000000000a", "deadbeef-0001-8003-8000-000000000007"
	made := create(id, 1, 2, 250)
	back := refund(id, transfer{ID: other, From: 2, To: 1, Amount: 900, Currency: "EUR"}, 250)
	accepted := fmt.Sprintf(`{"id":%q,"from":1,"to":2,"amount":250,"currency":"EUR","status":"accepted","refunded":0,"created_at":"2026-01-01T00:00:00Z"}`, id)
	refunded := fmt.Sprintf(`{"id":%q,"from":1,"to":2,"amount":250,"currency":"EUR","refund_of":%q,"status":"accepted"}`, id, other)
	read := readTransfer(transfer{ID: id, From: 1, To: 2, Amount: 250, Currency: "EUR"})
	readRefund := readTransfer(transfer{ID: id})
	tests := []struct {
		name   string
		op     loadgen.Operation
		status int
		body   string
		want   loadgen.Answer
	}{
		{"created", made, 201, accepted, loadgen.Done},
		{"replayed", made, 200, strings.Replace(accepted, "accepted", "settled", 1), loadgen.Done},
		{"id in capitals", made, 201, strings.Replace(accepted, id, strings.ToUpper(id), 1), loadgen.Done},
		{"202", made, 202, accepted, loadgen.Broken},
		{"another id", made, 201, strings.Replace(accepted, "0a\"", "0b\"", 1), loadgen.Broken},
		{"another amount", made, 201, strings.Replace(accepted, "250", "251", 1), loadgen.Broken},
		{"another account", made, 201, strings.Replace(accepted, `"to":2`, `"to":3`, 1), loadgen.Broken},
		{"a refund that was not asked for", made, 201, refunded, loadgen.Broken},
		{"no body", made, 201, "", loadgen.Broken},
		{"half a body", made, 201, accepted[:40], loadgen.Broken},
		{"malformed", made, 400, "", loadgen.Refused},
		{"unknown", made, 404, "", loadgen.Refused},
		{"used", made, 409, "", loadgen.Refused},
		{"impossible", made, 422, "", loadgen.Refused},
		{"too many", made, 429, "", loadgen.Broken},
		{"overloaded", made, 503, "", loadgen.Broken},
		{"too late", made, 504, "", loadgen.Broken},

		{"refunded", back, 201, refunded, loadgen.Done},
		{"refunded before", back, 200, refunded, loadgen.Done},
		{"refund, capitals", back, 201, strings.Replace(refunded, other, strings.ToUpper(other), 1), loadgen.Done},
		{"refund of another", back, 201, strings.Replace(refunded, "07\"", "08\"", 1), loadgen.Broken},
		{"refund of nothing", back, 201, accepted, loadgen.Broken},
		{"refund the wrong way", back, 201, strings.Replace(refunded, `"from":1,"to":2`, `"from":2,"to":1`, 1), loadgen.Broken},
		{"refund of a lost transfer", back, 404, "{}", loadgen.Refused},
		{"refund of too much", back, 422, "{}", loadgen.Refused},
		{"refund, 503", back, 503, "{}", loadgen.Broken},

		{"transfer", read, 200, accepted, loadgen.Done},
		{"another transfer", read, 200, `{"id":"x"}`, loadgen.Broken},
		{"transfer altered", read, 200, strings.Replace(accepted, "250", "251", 1), loadgen.Broken},
		{"transfer lost", read, 404, "{}", loadgen.Broken},
		{"transfer, 503", read, 503, "{}", loadgen.Broken},
		{"refund read", readRefund, 200, refunded, loadgen.Done},
		{"another refund read", readRefund, 200, strings.Replace(refunded, "0a\"", "0b\"", 1), loadgen.Broken},

		{"account", readAccount(7), 200, `{"id":7,"currency":"EUR","balance":1,"version":2}`, loadgen.Done},
		{"another account", readAccount(7), 200, `{"id":8}`, loadgen.Broken},
		{"account unknown", readAccount(7), 404, `{"id":7}`, loadgen.Broken},
		{"account, no JSON", readAccount(7), 200, `<html>`, loadgen.Broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.op.Judge(tt.status, nil, []byte(tt.body)); got != tt.want {
				t.Errorf("Judge(%d, %s) = %d, want %d", tt.status, tt.body, got, tt.want)
			}
		})
	}
}

func TestEffects(t *testing.T) {
	tests := []struct {
		name                 string
		all, debits, credits int64
		want                 int64
	}{
		{"right", 2, 1, 1, 1},
		{"twice", 4, 2, 2, 2},
		{"none", 0, 0, 0, 0},
		{"half", 1, 1, 0, 0},
		{"wrong amounts", 2, 0, 0, 0},
		{"one too many", 3, 1, 1, 0},
		{"debited twice", 3, 2, 1, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := effects(tt.all, tt.debits, tt.credits); got != tt.want {
				t.Errorf("effects(%d, %d, %d) = %d, want %d", tt.all, tt.debits, tt.credits, got, tt.want)
			}
		})
	}
}

// TestOwnReads checks that a customer asks a replica for what it has done, with
// the position it was given, and that the primary is asked for a balance.
func TestOwnReads(t *testing.T) {
	w := newWorkload(t, 1)
	if _, ok := w.readOwn(1); ok {
		t.Error("a customer who has done nothing reads it")
	}
	made := w.promised(create("id-1", 65, 2, 250))
	answer := []byte(`{"id":"id-1","from":65,"to":2,"amount":250,"currency":"EUR"}`)
	made.Judge(503, http.Header{"Ledger-Position": {"1-0/7"}}, answer)
	if _, ok := w.readOwn(1); ok {
		t.Error("a customer reads what was not acknowledged")
	}
	made.Judge(201, http.Header{"Ledger-Position": {"1-0/8"}}, answer)
	if made.Peer != "2" || made.Session != "customer-1" {
		t.Errorf("the write moves to %q in session %q", made.Peer, made.Session)
	}
	for _, tt := range []struct {
		pick uint64
		path string
	}{
		{1, "/v2/transfers/id-1?consistency=replica"},
		{65, "/v2/accounts/65?consistency=replica"},
	} {
		op, ok := w.readOwn(tt.pick)
		if !ok || op.Path != tt.path || op.Header.Get("Ledger-Position") != "1-0/8" || op.Session != "customer-1" || op.Promise != "" {
			t.Errorf("pick %d: %s with %v in session %q, promise %q", tt.pick, op.Path, op.Header, op.Session, op.Promise)
		}
	}
	balance := w.readBalance(500)
	if balance.Path != "/v2/accounts/5?consistency=strong" || balance.Promise != "strong" || balance.Session != "" || balance.Key != "5" {
		t.Errorf("%s of %s in session %q, promise %q", balance.Path, balance.Key, balance.Session, balance.Promise)
	}
}

// TestDoubtful checks that a transfer which was not acknowledged is asked for,
// and that it may be there or not.
func TestDoubtful(t *testing.T) {
	w := newWorkload(t, 1)
	op := create("id-1", 1, 2, 250)
	for range 2 * keptUnsure {
		w.Observe(&op, false)
	}
	if id, ok := w.doubtful(4); !ok || id != "id-1" || len(w.unsure) != keptUnsure {
		t.Errorf("picked %q of %d", id, len(w.unsure))
	}
	read := readDoubtful("id-1")
	for status, want := range map[int]loadgen.Answer{200: loadgen.Done, 404: loadgen.Done, 503: loadgen.Broken} {
		if got := read.Judge(status, nil, []byte(`{"id":"id-1"}`)); got != want {
			t.Errorf("Judge(%d) = %d, want %d", status, got, want)
		}
	}
}

func TestSawAccount(t *testing.T) {
	got := readAccount(7).Saw(http.Header{"Ledger-Source": {"cache"}}, []byte(`{"id":7,"balance":12,"version":3}`))
	if want := (loadgen.Sight{Source: "cache", Version: 3, Balance: 12}); got != want {
		t.Errorf("saw %+v, want %+v", got, want)
	}
}
