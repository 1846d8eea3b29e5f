//go:build integration

package ledgertest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTransferAndReplay(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(2)
	id := newID()
	first := r.put(id, a[0], a[1], 250)
	if first.status != 201 || first.body.Status != "accepted" {
		t.Fatalf("first PUT = %d %s; want 201, accepted", first.status, first.text)
	}
	if tl, src := first.header.Get("Ledger-Timeline"), first.header.Get("Ledger-Source"); tl == "" || src != "primary" {
		t.Errorf("first PUT: timeline %q, source %q; want one, primary", tl, src)
	}
	again := r.do(http.MethodPut, "/v1/transfers/"+id,
		fmt.Sprintf(`{"currency":"EUR", "amount":250, "to":%d, "from":%d}`, a[1], a[0]))
	if again.status != 200 || again.text != first.text {
		t.Errorf("replay = %d %s; want 200 %s", again.status, again.text, first.text)
	}
	if other := r.put(id, a[0], a[1], 251); other.status != 409 || other.body.Code != "id_conflict" {
		t.Errorf("same id, other body = %d %s; want 409 id_conflict", other.status, other.text)
	}
	if got, want := r.rows(id), [4]int64{1, 2, 1, 0}; got != want {
		t.Errorf("transfers, postings, outbox, settlements = %v; want %v", got, want)
	}
	if from, to := r.balance(a[0]), r.balance(a[1]); from != opening-250 || to != opening+250 {
		t.Errorf("balances = %d, %d; want %d, %d", from, to, opening-250, opening+250)
	}
	if sum := query[int64](r, `SELECT sum(amount)::bigint FROM postings WHERE transfer_id = $1`, id); sum != 0 {
		t.Errorf("postings sum to %d; want 0", sum)
	}
	if got := r.get("/v1/transfers/" + id); got.status != 200 || got.text != first.text {
		t.Errorf("GET = %d %s; want 200 %s", got.status, got.text, first.text)
	}
}

// TestRefusals sends what must be refused and then looks for any change.
func TestRefusals(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(3)
	r.exec(`UPDATE accounts SET currency = 'USD' WHERE id = $1`, a[2])
	body := func(from, to any, amount, currency string) string {
		return fmt.Sprintf(`{"from":%v,"to":%v,"amount":%s,"currency":%s}`, from, to, amount, currency)
	}
	const nobody = 9_000_000_000_000_000_000
	tests := []struct {
		name   string
		body   string
		status int
		code   string
	}{
		{"no body", ``, 400, "malformed"},
		{"not JSON", `from=1`, 400, "malformed"},
		{"array", `[1,2]`, 400, "malformed"},
		{"null amount", body(a[0], a[1], "null", `"EUR"`), 400, "malformed"},
		{"zero amount", body(a[0], a[1], "0", `"EUR"`), 400, "malformed"},
		{"negative amount", body(a[0], a[1], "-1", `"EUR"`), 400, "malformed"},
		{"fraction", body(a[0], a[1], "1.5", `"EUR"`), 400, "malformed"},
		{"beyond 64 bits", body(a[0], a[1], "9223372036854775808", `"EUR"`), 400, "malformed"},
		{"amount twice", body(a[0], a[1], `1,"amount":2`, `"EUR"`), 400, "malformed"},
		{"extra field", body(a[0], a[1], `1,"fee":2`, `"EUR"`), 400, "malformed"},
		{"small currency", body(a[0], a[1], "1", `"eur"`), 400, "malformed"},
		{"NUL in currency", body(a[0], a[1], "1", `"E\u0000R"`), 400, "malformed"},
		{"large body", body(a[0], a[1], "1", `"EUR"`) + strings.Repeat(" ", 5000), 400, "malformed"},
		{"same account", body(a[0], a[0], "1", `"EUR"`), 422, "same_account"},
		{"unknown payer", body(nobody, a[1], "1", `"EUR"`), 422, "unknown_account"},
		{"unknown payee", body(a[0], nobody, "1", `"EUR"`), 422, "unknown_account"},
		{"both unknown", body(nobody, nobody-1, "1", `"EUR"`), 422, "unknown_account"},
		{"wrong currency", body(a[0], a[1], "1", `"USD"`), 422, "wrong_currency"},
		{"payee of another currency", body(a[0], a[2], "1", `"EUR"`), 422, "wrong_currency"},
		{"one cent too many", body(a[0], a[1], strconv.Itoa(opening+1), `"EUR"`), 422, "insufficient_funds"},
		{"all the money in the world", body(a[0], a[1], "9223372036854775807", `"EUR"`), 422, "insufficient_funds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := newID()
			got := r.do(http.MethodPut, "/v1/transfers/"+id, tt.body)
			if got.status != tt.status || got.body.Code != tt.code {
				t.Errorf("PUT %s = %d %s; want %d %s", tt.body, got.status, got.text, tt.status, tt.code)
			}
			if rows := r.rows(id); rows != [4]int64{} {
				t.Errorf("transfers, postings, outbox, settlements = %v; want none", rows)
			}
		})
	}
	for _, account := range a {
		if b := r.balance(account); b != opening {
			t.Errorf("balance of %d = %d; want %d", account, b, opening)
		}
		if v := query[int64](r, `SELECT version FROM accounts WHERE id = $1`, account); v != 1 {
			t.Errorf("version of %d = %d; want 1", account, v)
		}
	}
	// A refused id can be used: the refusal left nothing behind.
	if got := r.put(newID(), a[0], a[1], opening); got.status != 201 {
		t.Errorf("PUT of the whole balance = %d %s; want 201", got.status, got.text)
	}
}

func TestUnknown(t *testing.T) {
	r := newRig(t, options{})
	for _, path := range []string{"/v1/transfers/" + newID(), "/v1/accounts/9000000000000000000"} {
		for _, consistency := range []string{"", "?consistency=strong", "?consistency=replica"} {
			if got := r.get(path + consistency); got.status != 404 || got.body.Code != "not_found" {
				t.Errorf("GET %s = %d %s; want 404 not_found", path+consistency, got.status, got.text)
			}
		}
	}
	for _, path := range []string{"/v1/transfers/1", "/v1/accounts/0", "/v1/accounts/1?consistency=all"} {
		if got := r.get(path); got.status != 400 {
			t.Errorf("GET %s = %d %s; want 400", path, got.status, got.text)
		}
	}
}

// TestConcurrentTransfers moves money in all directions between few accounts,
// so that transfers meet in every order. Deadlocks would be answered with 503.
func TestConcurrentTransfers(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(4)
	const clients, each = 24, 15
	accepted := make([]int, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				from, to := a[(c+i)%4], a[(c+i+1+c%3)%4]
				switch got := r.put(newID(), from, to, int64(1+(c*i)%400)); got.status {
				case 201:
					accepted[c]++
				case 422:
					if got.body.Code != "insufficient_funds" {
						t.Errorf("PUT = %d %s", got.status, got.text)
					}
				default:
					t.Errorf("PUT = %d %s; want 201 or 422", got.status, got.text)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range accepted {
		total += n
	}
	type sums struct{ Balance, Posted, Transfers, Versions int64 }
	rows, err := r.db.Query(t.Context(), `SELECT
		(SELECT sum(balance) FROM accounts WHERE id = ANY($1))::bigint,
		(SELECT coalesce(sum(amount), 0) FROM postings WHERE account_id = ANY($1))::bigint,
		(SELECT count(*) FROM transfers WHERE from_account = ANY($1)),
		(SELECT sum(version - 1) FROM accounts WHERE id = ANY($1))::bigint`, a)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got sums
	for rows.Next() {
		if err := rows.Scan(&got.Balance, &got.Posted, &got.Transfers, &got.Versions); err != nil {
			t.Fatal(err)
		}
	}
	want := sums{Balance: 4 * opening, Posted: 0, Transfers: int64(total), Versions: int64(2 * total)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after %d accepted (-want +got):\n%s", total, diff)
	}
	for _, account := range a {
		posted := query[int64](r, `SELECT coalesce(sum(amount), 0)::bigint FROM postings WHERE account_id = $1`, account)
		if b := r.balance(account); b != opening+posted {
			t.Errorf("balance of %d = %d; its postings say %d", account, b, opening+posted)
		}
	}
}

// TestConcurrentReplays sends one transfer many times at once.
func TestConcurrentReplays(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(2)
	id := newID()
	const clients = 16
	statuses := make([]int, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() { statuses[c] = r.put(id, a[0], a[1], 10).status })
	}
	wg.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if diff := cmp.Diff(map[int]int{201: 1, 200: clients - 1}, count); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if b := r.balance(a[1]); b != opening+10 {
		t.Errorf("balance = %d; want %d", b, opening+10)
	}
}

// TestCommitOutcomes has the server do at COMMIT what it otherwise does only
// in a failover, by means of a deferred trigger: warn, refuse, take long.
func TestCommitOutcomes(t *testing.T) {
	r := newRig(t, options{timeout: time.Second})
	a := r.accounts(2)
	trigger(r, 101, `RAISE WARNING 'canceling wait for synchronous replication due to user request'`)
	trigger(r, 102, `RAISE EXCEPTION 'terminating connection' USING ERRCODE = '57P01'`)
	trigger(r, 103, `PERFORM pg_sleep(2)`)
	tests := []struct {
		name    string
		amount  int64
		status  int
		present bool // in the end
	}{
		{"committed with a warning", 101, 503, true},
		{"refused", 102, 503, false},
		{"too long", 103, 504, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := newID()
			got := r.put(id, a[0], a[1], tt.amount)
			if got.status != tt.status || got.body.Outcome != "unknown" {
				t.Errorf("PUT = %d %s; want %d, outcome unknown", got.status, got.text, tt.status)
			}
			if tt.present {
				eventually(t, "the transfer is there", func() bool { return r.rows(id)[0] == 1 })
				return
			}
			if rows := r.rows(id); rows != [4]int64{} {
				t.Errorf("transfers, postings, outbox, settlements = %v; want none", rows)
			}
		})
	}
}

// trigger makes the server execute a statement at the commit of a transfer of
// the amount.
func trigger(r *rig, amount int64, statement string) {
	r.t.Helper()
	name := fmt.Sprintf("test_at_commit_%d", amount)
	drop := fmt.Sprintf(`DROP TRIGGER IF EXISTS %[1]s ON transfers; DROP FUNCTION IF EXISTS %[1]s`, name)
	r.exec(drop)
	r.exec(fmt.Sprintf(`CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; RETURN NULL; END $$`, name, statement))
	r.exec(fmt.Sprintf(`CREATE CONSTRAINT TRIGGER %[1]s AFTER INSERT ON transfers DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.amount = %[2]d) EXECUTE FUNCTION %[1]s()`, name, amount))
	r.t.Cleanup(func() {
		if _, err := r.db.Exec(context.WithoutCancel(r.t.Context()), drop); err != nil {
			r.t.Error(err)
		}
	})
}

// TestNoCancelRequests lets a deadline pass while the server waits for a lock.
// The driver would then ask the server to cancel, over a second connection.
func TestNoCancelRequests(t *testing.T) {
	l := newLink(t, databaseAddr(t))
	r := newRig(t, options{databaseURL: through(t, dsn(t, databaseVar), l), timeout: 500 * time.Millisecond})
	a := r.accounts(2)
	tx, err := r.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM accounts WHERE id = $1 FOR UPDATE`, a[0]); err != nil {
		t.Fatal(err)
	}
	id := newID()
	if got := r.put(id, a[0], a[1], 1); got.status != 504 || got.body.Outcome != "" {
		t.Errorf("PUT = %d %s; want 504 without an unknown outcome", got.status, got.text)
	}
	r.primary.Close() // waits for what the driver does about the connection
	if n := l.cancels.Load(); n != 0 {
		t.Errorf("%d cancel requests were sent; want none", n)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.rows(id); got != [4]int64{} {
		t.Errorf("transfers, postings, outbox, settlements = %v; want none", got)
	}
}

// TestDemotedNode gives the service connections on which writing is refused, as
// on a primary that was demoted, and expects it to give up each at the first
// refusal.
func TestDemotedNode(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(2)
	name := query[string](r, `SELECT quote_ident(current_database())`)
	set := func(what string) {
		t.Helper()
		// The pool of this rig has a connection from before the change.
		_, err := r.db.Exec(context.WithoutCancel(t.Context()), `BEGIN READ WRITE; ALTER DATABASE `+name+what+`; COMMIT`)
		if err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { set(` RESET default_transaction_read_only`) })
	set(` SET default_transaction_read_only = on`)
	demoted := newRig(t, options{})
	for range 3 {
		if got := demoted.put(newID(), a[0], a[1], 1); got.status != 503 || got.body.Code != "unavailable" {
			t.Errorf("PUT = %d %s; want 503 unavailable", got.status, got.text)
		}
	}
	if got := demoted.get(accountPath(a[0]) + "?consistency=strong"); got.status != 200 {
		t.Errorf("GET = %d %s; want 200: such a node goes on reading", got.status, got.text)
	}
	set(` RESET default_transaction_read_only`)
	refused := 0
	for demoted.put(newID(), a[0], a[1], 1).status != 201 {
		refused++
		if refused > 10 {
			t.Fatalf("still refused after %d requests, more than there are connections", refused)
		}
	}
}
