//go:build integration

// Package ledgertest tests the ledger against a real PostgreSQL, Redis and
// RabbitMQ. They are named by LEDGER_TEST_DATABASE_URL, LEDGER_TEST_REDIS_URL
// and LEDGER_TEST_AMQP_URL; the database's role must own its schema.
//
// Each test makes accounts of its own, so nothing needs to be empty. No worker
// may be consuming from the broker meanwhile.
package ledgertest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/payments"
	"github.com/proofload/proofload/sut/ledger/server"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	databaseVar = "LEDGER_TEST_DATABASE_URL"
	redisVar    = "LEDGER_TEST_REDIS_URL"
	amqpVar     = "LEDGER_TEST_AMQP_URL"

	opening = 1000
	timeout = 20 * time.Second // of whatever a test waits for
)

// dsn returns the value of one of the variables. Without it the test fails:
// who asked for integration tests wants them run.
func dsn(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set", name)
	}
	return value
}

// migrated brings the schema up to date, once for all tests.
var migrated = sync.OnceValue(func() error {
	_, err := store.Migrate(context.Background(), os.Getenv(databaseVar), slog.New(slog.DiscardHandler))
	return err
})

// rig is a ledger with direct access to its database.
type rig struct {
	t       *testing.T
	db      *pgxpool.Pool
	primary *store.Primary
	cache   *cache.Cache
	api     *httptest.Server
}

// options change what a rig is made of.
type options struct {
	databaseURL string
	redisURL    string
	timeout     time.Duration // of a request
}

// newRig starts the HTTP interface in this process.
func newRig(t *testing.T, opts options) *rig {
	t.Helper()
	direct := dsn(t, databaseVar)
	opts.databaseURL = cmp.Or(opts.databaseURL, direct)
	opts.redisURL = cmp.Or(opts.redisURL, dsn(t, redisVar))
	if err := migrated(); err != nil {
		t.Fatal(err)
	}
	opts.timeout = cmp.Or(opts.timeout, timeout)
	db, err := pgxpool.New(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	storeOpts := store.Options{MaxConns: 10, AcquireTimeout: opts.timeout, TxTimeout: timeout}
	primary, err := store.OpenPrimary(context.WithoutCancel(t.Context()), opts.databaseURL, storeOpts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Close)
	replica, err := store.OpenReplica(context.WithoutCancel(t.Context()), opts.databaseURL, storeOpts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(replica.Close)
	log := slog.New(slog.DiscardHandler)
	c, err := cache.Open(opts.redisURL, time.Minute, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	background(t, c.Run)
	h := api.New(payments.New(primary, replica, c, opts.timeout), server.NewHealth(),
		api.Options{Instance: "test", RequestTimeout: opts.timeout, MaxInFlight: 1000}, log)
	r := &rig{t: t, db: db, primary: primary, cache: c, api: httptest.NewServer(h)}
	t.Cleanup(r.api.Close)
	return r
}

// background runs a function until the test ends, and waits for its end.
func background(t *testing.T, run func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// The ids of this run's accounts begin where no earlier run's were.
var (
	firstAccount = time.Now().UnixMicro()
	accountsMade atomic.Int64
)

// accounts makes n accounts with the opening balance.
func (r *rig) accounts(n int) []int64 {
	r.t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = firstAccount + accountsMade.Add(1)
		r.exec(`INSERT INTO accounts (id, owner, currency, opening, balance) VALUES ($1, 'test', 'EUR', $2, $2)`, ids[i], opening)
	}
	return ids
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// query returns the only column of the only row.
func query[T any](r *rig, sql string, args ...any) T {
	r.t.Helper()
	rows, err := r.db.Query(r.t.Context(), sql, args...)
	if err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// balance reads the database directly.
func (r *rig) balance(account int64) int64 {
	r.t.Helper()
	return query[int64](r, `SELECT balance FROM accounts WHERE id = $1`, account)
}

// rows counts everything that a transfer writes.
func (r *rig) rows(id string) (counts [4]int64) {
	r.t.Helper()
	for i, sql := range []string{
		`SELECT count(*) FROM transfers WHERE id = $1`, `SELECT count(*) FROM postings WHERE transfer_id = $1`,
		`SELECT count(*) FROM outbox WHERE transfer_id = $1`, `SELECT count(*) FROM settlements WHERE transfer_id = $1`,
	} {
		counts[i] = query[int64](r, sql, id)
	}
	return counts
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	text   string
	body   struct {
		Status, Code, Outcome string
		Balance, Version      int64
	}
}

func (r *rig) do(method, path, body string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.api.URL+path, bytes.NewBufferString(body))
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := r.api.Client().Do(req)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
		return answer{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: strings.TrimSpace(string(text))}
	if resp.StatusCode < 300 { // the status of a problem is a number
		if err := json.Unmarshal(text, &a.body); err != nil {
			r.t.Errorf("%s %s answered %s: %v", method, path, text, err)
		}
	} else {
		var p struct{ Code, Outcome string }
		if err := json.Unmarshal(text, &p); err != nil {
			r.t.Errorf("%s %s answered %s: %v", method, path, text, err)
		}
		a.body.Code, a.body.Outcome = p.Code, p.Outcome
	}
	return a
}

func (r *rig) get(path string) answer { r.t.Helper(); return r.do(http.MethodGet, path, "") }

func (r *rig) put(id string, from, to, amount int64) answer {
	r.t.Helper()
	return r.do(http.MethodPut, "/v1/transfers/"+id,
		fmt.Sprintf(`{"from":%d,"to":%d,"amount":%d,"currency":"EUR"}`, from, to, amount))
}

func newID() string { return uuid.NewString() }

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(timeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("gave up waiting: %s", what)
		case <-tick.C:
		}
	}
}
