//go:build integration

package ledgertest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/payments"
)

// siteCache is the number of the Redis database of the sites. Ids repeat from
// one test's database to the next, so it is emptied for each.
const siteCache = "9"

// A site is the HTTP interface on a database of the test's own.
type site struct {
	*books

	url    string
	client *http.Client
}

func newSite(t *testing.T, change ...func(*api.Options)) *site {
	t.Helper()
	b := newBooks(t)
	redisURL := emptyCache(t)
	log := slog.New(slog.NewTextHandler(t.Output(), nil)) // shown if the test fails
	c, err := cache.Open(redisURL, cache.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	background(t, c.Run)
	options := api.Options{Instance: "api-1", RequestTimeout: 10 * time.Second, MaxInFlight: 100, Log: log}
	for _, apply := range change {
		apply(&options)
	}
	h, err := api.New(payments.New(b.primary, b.replica, c, options.RequestTimeout), options)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &site{books: b, url: srv.URL, client: plainClient()}
}

func plainClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}}
}

// emptyCache returns the URL of the cache of the sites, without anything in it.
func emptyCache(t *testing.T) string {
	t.Helper()
	redisURL, err := inDatabase(dsn(t, redisVar), siteCache)
	if err != nil {
		t.Fatal(err)
	}
	opts, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opts)
	defer rdb.Close()
	if err = rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return redisURL
}

// serveBooks has a whole API process serve the books, as the command runs it,
// with its real server and the limits of that. Variables change it.
func serveBooks(t *testing.T, b *books, variables map[string]string) (*site, *service) {
	t.Helper()
	environment := map[string]string{"LEDGER_DATABASE_URL": b.url, "LEDGER_DATABASE_RO_URL": b.url, "LEDGER_REDIS_URL": emptyCache(t)}
	maps.Copy(environment, variables)
	s := startAPI(t, environment)
	return &site{books: b, url: s.url, client: plainClient()}, s
}

// A response is an answer of a site, read to its end.
type response struct {
	status int
	header http.Header
	text   string
}

// ask sends a request; headers are pairs.
func (s *site) ask(method, path, body string, headers ...string) response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
		return response{header: http.Header{}}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
	}
	return response{resp.StatusCode, resp.Header, string(text)}
}

func (s *site) read(path string, headers ...string) response {
	s.t.Helper()
	return s.ask(http.MethodGet, path, "", headers...)
}

// put places a transfer in euros and returns its path.
func (s *site) put(from, to, amount int64) string {
	s.t.Helper()
	path := "/v2/transfers/" + uuid.NewString()
	wantStatus(s.t, s.ask(http.MethodPut, path, transferBody(from, to, amount)), http.StatusCreated)
	return path
}

func transferBody(from, to, amount int64) string {
	return fmt.Sprintf(`{"from":%d,"to":%d,"amount":%d,"currency":"EUR"}`, from, to, amount)
}

// document is a JSON object of an answer.
type document map[string]any

func (r response) document(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(r.text), &d); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.text, err)
	}
	return d
}

func wantStatus(t *testing.T, r response, status int) {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d %s; want %d", r.status, r.text, status)
	}
}

// wantRefused checks that an answer is a problem document.
func wantRefused(t *testing.T, r response, status int, code string) {
	t.Helper()
	d := r.document(t)
	if r.status != status || d["code"] != code || d["status"] != float64(status) || d["title"] == "" || d["type"] != "/docs#"+code {
		t.Errorf("status %d %s; want %d %s", r.status, r.text, status, code)
	}
	if ct := r.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type = %s; want application/problem+json", ct)
	}
	if d["correlation_id"] != r.header.Get("X-Correlation-ID") || d["instance"] == nil {
		t.Errorf("correlation %v, instance %v; want that of the header, and one", d["correlation_id"], d["instance"])
	}
}

// wantFields compares some fields of an answer.
func wantFields(t *testing.T, r response, want document) {
	t.Helper()
	d := r.document(t)
	got := document{}
	for name := range want {
		got[name] = d[name]
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("fields of %s (-want +got):\n%s", r.text, diff)
	}
}

// A content is how much is in the database, and where the money is.
type content struct {
	Customers, Accounts, Transfers, Postings, Statements, Outbox, Versions, Frozen int64
	Spread                                                                         string
}

func (s *site) content() content {
	s.t.Helper()
	rows, err := s.db.Query(s.t.Context(), `SELECT
		(SELECT count(*) FROM customers), (SELECT count(*) FROM accounts), (SELECT count(*) FROM transfers),
		(SELECT count(*) FROM postings), (SELECT count(*) FROM statements), (SELECT count(*) FROM outbox),
		(SELECT coalesce(sum(version), 0)::bigint FROM accounts) + (SELECT coalesce(sum(version), 0)::bigint FROM customers),
		(SELECT count(*) FROM accounts WHERE status <> 'open'),
		(SELECT coalesce(sum(balance::numeric * id), 0)::text FROM accounts)`)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[content])
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// wantUnchanged returns a function that checks that nothing was written since.
func (s *site) wantUnchanged() func() {
	s.t.Helper()
	before := s.content()
	return func() {
		s.t.Helper()
		if diff := gocmp.Diff(before, s.content()); diff != "" {
			s.t.Errorf("the database changed (-before +after):\n%s", diff)
		}
	}
}
