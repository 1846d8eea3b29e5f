//go:build integration

package ledgerload

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/loadgen/probe"
	"github.com/proofload/proofload/reports/history"
)

// newLedger makes a database of the test's own with the service's tables on
// the server at PROOFLOAD_TEST_DATABASE_URL, and returns how to reach it there
// and on its replica at PROOFLOAD_TEST_REPLICA_URL, if there is one.
func newLedger(t *testing.T) (conn *pgx.Conn, databases map[string]string) {
	t.Helper()
	admin := os.Getenv("PROOFLOAD_TEST_DATABASE_URL")
	name := fmt.Sprintf("proofload_audit_%d", time.Now().UnixNano())
	exec(t, dial(t, admin), "CREATE DATABASE "+name)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		c := dialContext(ctx, t, admin)
		defer func() { _ = c.Close(ctx) }()
		if _, err := c.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	databases = map[string]string{"pg-1": in(t, admin, name)}
	if replica := os.Getenv("PROOFLOAD_TEST_REPLICA_URL"); replica != "" {
		databases["pg-2"] = in(t, replica, name)
	}
	conn = dial(t, databases["pg-1"])
	files, err := filepath.Glob("../../sut/ledger/store/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	for _, file := range files {
		sql, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(sql), "-- +goose Down")
		exec(t, conn, up)
	}
	exec(t, conn, `SET session_replication_role = replica`) // or the rules of the schema would refuse wrong books
	exec(t, conn, `
		INSERT INTO customers (id, request_hash, name, email, status) VALUES (1, '', 'A Customer', 'a@example.com', 'active');
		INSERT INTO accounts (id, customer_id, request_hash, currency, status, opening, balance)
		SELECT i, 1, '', 'EUR', 'open', 1000, 1000 FROM generate_series(1, 10) i;
		-- The database refuses wrong books, which a lost disk or a bug in a rule
		-- would make. The tests need some.
		ALTER TABLE accounts DISABLE TRIGGER USER; ALTER TABLE transfers DISABLE TRIGGER USER;
		ALTER TABLE postings DISABLE TRIGGER USER; ALTER TABLE settlements DISABLE TRIGGER USER`)
	return conn, databases
}

// in returns the URL of another database on the same server.
func in(t *testing.T, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func dial(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn := dialContext(t.Context(), t, dsn)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func dialContext(ctx context.Context, t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := probe.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// exec runs statements without arguments.
func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
}

// book makes a transfer of 100 from account 1 to 2 whose effect is there as
// often as wanted, and settles it if wanted.
func book(t *testing.T, conn *pgx.Conn, id string, effects int, settled bool) {
	t.Helper()
	exec(t, conn, fmt.Sprintf(`INSERT INTO transfers (id, from_account, to_account, amount, currency, request_hash)
		VALUES ('%s', 1, 2, 100, 'EUR', '')`, id))
	for range effects {
		post(t, conn, id, 1, 2, 100)
	}
	if settled {
		exec(t, conn, fmt.Sprintf(`INSERT INTO settlements (transfer_id) VALUES ('%s')`, id))
		notify(t, conn, id, 1, 2)
	}
}

// notify tells the customers of accounts of a transfer.
func notify(t *testing.T, conn *pgx.Conn, id string, accounts ...int) {
	t.Helper()
	for _, account := range accounts {
		exec(t, conn, fmt.Sprintf(`INSERT INTO notifications (customer_id, account_id, transfer_id, amount) VALUES (1, %d, '%s', 1)`, account, id))
	}
}

// bookRefund gives an amount of a transfer of [book] back and settles that. The
// transfer says afterwards that so much of it was refunded.
func bookRefund(t *testing.T, conn *pgx.Conn, id, of string, amount, refunded int64) {
	t.Helper()
	exec(t, conn, fmt.Sprintf(`INSERT INTO transfers (id, from_account, to_account, amount, currency, refund_of, request_hash)
		VALUES ('%s', 2, 1, %d, 'EUR', '%s', '')`, id, amount, of))
	post(t, conn, id, 2, 1, amount)
	exec(t, conn, fmt.Sprintf(`UPDATE transfers SET refunded = %d WHERE id = '%s'`, refunded, of))
	exec(t, conn, fmt.Sprintf(`INSERT INTO settlements (transfer_id) VALUES ('%s')`, id))
	notify(t, conn, id, 2)
}

// post moves an amount between two accounts in the name of a transfer.
func post(t *testing.T, conn *pgx.Conn, id string, from, to, amount int64) {
	t.Helper()
	exec(t, conn, fmt.Sprintf(`
		INSERT INTO postings (transfer_id, account_id, amount) VALUES ('%[1]s', %[2]d, -%[4]d), ('%[1]s', %[3]d, %[4]d);
		UPDATE accounts SET balance = balance - %[4]d, version = version + 1 WHERE id = %[2]d;
		UPDATE accounts SET balance = balance + %[4]d, version = version + 1 WHERE id = %[3]d`, id, from, to, amount))
}

func runAudit(t *testing.T, w *Workload, databases map[string]string, drill int) ([]history.Event, error) {
	t.Helper()
	var file bytes.Buffer
	rec, err := history.NewRecorder(&file)
	if err != nil {
		t.Fatal(err)
	}
	auditErr := Audit(t.Context(), AuditConfig{
		Databases: databases,
		Primary:   func(context.Context) (string, error) { return "pg-1", nil },
		Workload:  w, Drill: drill, Recorder: rec,
		Quiesce: time.Second,
	})
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	var all []history.Event
	for e, err := range history.Read(&file) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *e)
	}
	return all, auditErr
}

func only(events []history.Event, op, node string) []history.Event {
	var some []history.Event
	for _, e := range events {
		if e.Op == op && (node == "" || e.Node == node) {
			some = append(some, e)
		}
	}
	return some
}

func TestAuditOfSoundBooks(t *testing.T) {
	conn, databases := newLedger(t)
	w := newWorkload(t, 1)
	for seq := range uint64(3) {
		book(t, conn, w.id(2, seq), 1, true)
	}
	book(t, conn, w.id(1, 7), 1, true) // of another drill
	bookRefund(t, conn, w.id(2, 3), w.id(2, 0), 30, 30)
	events, err := runAudit(t, w, databases, 2)
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreFields(history.Event{}, "At", "By", "Drill")
	var want []history.Event
	for seq := range uint64(3) {
		want = append(want, history.Event{Kind: history.Info, Op: history.AuditWrite, ID: w.id(2, seq), Amount: 100, Node: "pg-1", Count: 1, Jobs: 1})
	}
	want = append(want, history.Event{Kind: history.Info, Op: history.AuditWrite, ID: w.id(2, 3), Amount: 30, Node: "pg-1", Count: 1, Jobs: 1})
	if diff := cmp.Diff(want, only(events, history.AuditWrite, ""), ignore); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	jobs := []history.Event{{Kind: history.Info, Op: history.AuditJobs, Node: "pg-1", Target: "outbox"}}
	if diff := cmp.Diff(jobs, only(events, history.AuditJobs, ""), ignore); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	counter := func(key string, value, count int64) history.Event {
		return history.Event{Kind: history.Info, Op: history.AuditCounter, Node: "pg-1", Key: key, Value: value, Count: count}
	}
	counters := []history.Event{counter("1", -270, 0), counter("2", 270, 0), counter("", 0, 2)}
	if diff := cmp.Diff(counters, only(events, history.AuditCounter, ""), ignore); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	told := history.Event{Kind: history.Info, Op: history.AuditSubscriber, Node: "pg-1", Target: "notifications"}
	missed := told
	missed.ID, told.Count = w.id(2, 3), 3 // the one side of the refund alone
	if diff := cmp.Diff([]history.Event{missed, told}, only(events, history.AuditSubscriber, ""), ignore); diff != "" {
		t.Errorf("subscribers (-want +got):\n%s", diff)
	}
	replicas := int64(len(databases) - 1)
	for node := range databases {
		role := history.Event{Kind: history.Info, Op: history.AuditRole, Node: node, Role: probe.Replica, Timeline: 1}
		if node == "pg-1" {
			role.Role, role.Count = probe.Primary, replicas
		}
		if diff := cmp.Diff([]history.Event{role}, only(events, history.AuditRole, node), ignore, cmpopts.IgnoreFields(history.Event{}, "Value")); diff != "" {
			t.Errorf("role of %s (-want +got):\n%s", node, diff)
		}
		books := []history.Event{{Kind: history.Info, Op: history.AuditBooks, Node: node}}
		if diff := cmp.Diff(books, only(events, history.AuditBooks, node), ignore); diff != "" {
			t.Errorf("books of %s (-want +got):\n%s", node, diff)
		}
		sums, ref := only(events, history.AuditSum, node), only(events, history.AuditSum, "pg-1")
		if len(sums) != 4 || sums[0].Value == 0 || sums[1].Count != 5 || sums[1].Text == "0" {
			t.Errorf("checksums of %s: %+v; want 4 tables, 5 transfers", node, sums)
		}
		if diff := cmp.Diff(ref, sums, ignore, cmpopts.IgnoreFields(history.Event{}, "Node", "Role", "Timeline")); diff != "" {
			t.Errorf("checksums differ (-pg-1 +%s):\n%s", node, diff)
		}
	}
	if last := events[len(events)-1]; last.Op != history.AuditDone || last.Kind != history.Info {
		t.Errorf("last event %+v, want the end of the audit", last)
	}
}

// TestAuditFindsWhatNobodyAskedFor reads transfers under ids that are not of the
// drill: those that were there before the load are not its concern.
func TestAuditFindsWhatNobodyAskedFor(t *testing.T) {
	conn, databases := newLedger(t)
	w := newWorkload(t, 1)
	before, since := w.id(2, 0), w.id(2, 1)
	book(t, conn, before, 1, true)
	exec(t, conn, fmt.Sprintf(`UPDATE transfers SET created_at = created_at - interval '1 hour' WHERE id = '%s'`, before))
	w.began.Store(&beginning{1, time.Now().Add(-time.Minute)})
	book(t, conn, since, 1, true)
	events, err := runAudit(t, w, databases, 1)
	if err != nil {
		t.Fatal(err)
	}
	if writes := only(events, history.AuditWrite, ""); len(writes) != 1 || writes[0].ID != since {
		t.Errorf("writes %+v; want the one since the load began", writes)
	}
}

func TestAuditFindsWhatIsWrong(t *testing.T) {
	conn, databases := newLedger(t)
	w := newWorkload(t, 1)
	book(t, conn, w.id(1, 0), 2, true)  // twice
	book(t, conn, w.id(1, 1), 0, false) // not at all
	book(t, conn, w.id(1, 2), 1, true)
	bookRefund(t, conn, w.id(1, 3), w.id(1, 2), 40, 30) // of which 10 could be refunded again
	exec(t, conn, fmt.Sprintf(`INSERT INTO outbox (event_key, transfer_id, topic, payload, correlation_id, traceparent)
		VALUES ('t:%[1]s', '%[1]s', 't', '{}', '', '')`, w.id(1, 1)))
	exec(t, conn, `UPDATE accounts SET balance = balance + 1 WHERE id = 9`)
	exec(t, conn, `INSERT INTO account_activity (account_id, day, transfers, debited, credited) VALUES (8, now(), 7, 0, 70)`)
	exec(t, conn, `UPDATE accounts SET version = version - 1 WHERE id = 2`) // two of its states shared one
	exec(t, conn, `UPDATE accounts SET version = version + 1 WHERE id = 7`) // its status changed
	databases["pg-9"] = "postgres://u@127.0.0.1:1/x"                        // nobody there
	events, err := runAudit(t, w, databases, 1)
	if err == nil || !strings.Contains(err.Error(), "pg-9") {
		t.Errorf("Audit = %v, want an error about pg-9", err)
	}
	writes := only(events, history.AuditWrite, "")
	if len(writes) != 4 || writes[0].Count != 2 || writes[0].Jobs != 1 || writes[1].Count != 0 || writes[1].Jobs != 0 {
		t.Errorf("writes %+v, want one twice and settled, one without effect", writes)
	}
	if jobs := only(events, history.AuditJobs, ""); len(jobs) != 1 || jobs[0].Count != 1 {
		t.Errorf("jobs %+v, want 1 in the outbox", jobs)
	}
	if waiting := only(events, history.AuditWaiting, ""); len(waiting) != 1 || waiting[0].ID != w.id(1, 1) || waiting[0].Target != "outbox" {
		t.Errorf("waiting %+v, want the transfer that is in the outbox", waiting)
	}
	books := only(events, history.AuditBooks, "pg-1")
	if len(books) != 1 || books[0].Value != 0 || books[0].Count != 3 || books[0].Amount != 3 ||
		!strings.Contains(books[0].Text, "2 is at version 4 after 4 postings") || strings.Contains(books[0].Text, "7 is") ||
		!strings.Contains(books[0].Text, "8 has 7 counted, its postings say 0") || !strings.Contains(books[0].Text, w.id(1, 0)) || !strings.Contains(books[0].Text, "9 has 1001, its postings say 1000") ||
		!strings.Contains(books[0].Text, w.id(1, 2)+" has 30 of 100 refunded, its refunds say 40") {
		t.Errorf("books %+v, want 2 unbalanced transfers, one wrong refund, account 9 off by one, account 8 with too much counted, and account 2 with a version too few", books)
	}
	for _, op := range []string{history.AuditRole, history.AuditBooks, history.AuditSum} {
		if gone := only(events, op, "pg-9"); len(gone) != 1 || gone[0].Kind != history.Fail {
			t.Errorf("%s of pg-9: %+v, want one failure", op, gone)
		}
	}
	if last := events[len(events)-1]; last.Op != history.AuditDone || last.Kind != history.Fail || !strings.Contains(last.Text, "pg-9") {
		t.Errorf("last event %+v, want a failed end that names pg-9", last)
	}
}

// TestAuditLooksIntoFiles damages an index as a wrong collation would: what it
// was made with gives another order now.
func TestAuditLooksIntoFiles(t *testing.T) {
	conn, databases := newLedger(t)
	w := newWorkload(t, 1)
	const node = "pg-1"
	if events, err := runAudit(t, w, databases, 1); err != nil || len(only(events, history.AuditIntact, node)) != 0 {
		t.Errorf("without the extension: %v, %v", only(events, history.AuditIntact, node), err)
	}
	exec(t, conn, `CREATE EXTENSION amcheck`)
	exec(t, conn, `CREATE FUNCTION place(bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1'`)
	exec(t, conn, `CREATE INDEX accounts_place ON accounts (place(id))`)
	events, err := runAudit(t, w, databases, 1)
	sound := only(events, history.AuditIntact, node)
	if err != nil || len(sound) != 1 || sound[0].Count < 5 || sound[0].Amount != 0 || sound[0].Text != "" {
		t.Errorf("sound: %+v, %v", sound, err)
	}
	exec(t, conn, `CREATE OR REPLACE FUNCTION place(bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT -$1'`)
	events, err = runAudit(t, w, databases, 1)
	damaged := only(events, history.AuditIntact, node)
	if err != nil || len(damaged) != 1 || damaged[0].Amount != 1 || !strings.HasPrefix(damaged[0].Text, "accounts_place: ") {
		t.Errorf("damaged: %+v, %v", damaged, err)
	}
}

// TestAuditReadsCosts reads a table from end to end, over and over, and sees that
// the audit says so, with the statement where the server counts those.
func TestAuditReadsCosts(t *testing.T) {
	conn, databases := newLedger(t)
	exec(t, conn, `CREATE EXTENSION IF NOT EXISTS pg_stat_statements`)
	_, err := conn.Exec(t.Context(), `SELECT count(*) FROM pg_stat_statements`)
	counts := err == nil
	t.Logf("the server counts statements: %t", counts)
	asking := dial(t, databases["pg-1"])
	for range 30 {
		exec(t, asking, `SELECT sum(balance) FROM accounts WHERE opening > 7`)
	}
	if err = asking.Close(t.Context()); err != nil { // what it counted is sent at the latest now
		t.Fatal(err)
	}
	events, err := runAudit(t, newWorkload(t, 1), databases, 1)
	if err != nil {
		t.Fatal(err)
	}
	var scans int64
	for _, e := range only(events, history.AuditScan, "pg-1") {
		if e.Target == "accounts" && e.Value > 0 {
			scans = e.Count
		}
	}
	if scans < 30 {
		t.Errorf("accounts was read %d times from end to end, want 30 and more: %+v", scans, only(events, history.AuditScan, "pg-1"))
	}
	seen := false
	for _, e := range only(events, history.AuditStatement, "pg-1") {
		seen = seen || e.Text == "SELECT sum(balance) FROM accounts WHERE opening > $1" && e.Count == 30 && e.Jobs == 1
	}
	if seen != counts {
		t.Errorf("statement seen: %t, statements counted: %t", seen, counts)
	}
}
