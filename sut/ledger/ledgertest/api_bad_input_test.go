//go:build integration

package ledgertest

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/api"
)

// TestAPIBadInput sends what must be refused to a whole process, in both
// versions where both have it, and then looks for any change.
func TestAPIBadInput(t *testing.T) {
	s, _ := serveBooks(t, newBooks(t), nil)
	a := s.accounts(2)
	dollars := s.accountsIn("USD", 1)[0]
	person, _ := s.newPerson("Ada")
	used := s.put(a[0], a[1], 5)
	valid := transferBody(a[0], a[1], 1)
	full, suspended, key := s.fullAccount(), s.accounts(1)[0], uuid.NewString()
	wantStatus(t, s.ask("POST", "/v2/customers", `{"name":"Joan","email":"joan@example.com"}`, "Idempotency-Key", key), http.StatusCreated)
	wantStatus(t, s.ask("POST", "/v2/accounts", `{"customer":1,"currency":"EUR"}`, "Idempotency-Key", key), http.StatusCreated)
	s.do(`UPDATE customers SET status = 'suspended' WHERE id = (SELECT customer_id FROM accounts WHERE id = $1)`, suspended)
	body := func(from, to any, amount, currency string) string {
		return fmt.Sprintf(`{"from":%v,"to":%v,"amount":%s,"currency":%s}`, from, to, amount, currency)
	}
	const nobody = int64(9_000_000_000_000_000_000)
	fresh := func() string { return "/v2/transfers/" + uuid.NewString() }
	tests := []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		code                       string
	}{
		{"no body", "PUT", fresh(), "", nil, 400, "malformed"},
		{"malformed JSON", "PUT", fresh(), valid[:20], nil, 400, "malformed"},
		{"not JSON", "PUT", fresh(), "from=1", nil, 400, "malformed"},
		{"array", "PUT", fresh(), "[" + valid + "]", nil, 400, "malformed"},
		{"trailing data", "PUT", fresh(), valid + valid, nil, 400, "malformed"},
		{"not UTF-8", "PUT", fresh(), strings.Replace(valid, "EUR", "E\xffR", 1), nil, 400, "malformed"},
		{"null", "PUT", fresh(), body(a[0], a[1], "null", `"EUR"`), nil, 422, "invalid"},
		{"text for a number", "PUT", fresh(), body(a[0], a[1], `"1"`, `"EUR"`), nil, 422, "invalid"},
		{"number for text", "PUT", fresh(), body(a[0], a[1], "1", "978"), nil, 422, "invalid"},
		{"unknown field", "PUT", fresh(), body(a[0], a[1], `1,"fee":2`, `"EUR"`), nil, 422, "invalid"},
		{"field of another case", "PUT", fresh(), strings.Replace(valid, "amount", "Amount", 1), nil, 422, "invalid"},
		{"field twice", "PUT", fresh(), body(a[0], a[1], `1,"amount":2`, `"EUR"`), nil, 422, "invalid"},
		{"zero", "PUT", fresh(), body(a[0], a[1], "0", `"EUR"`), nil, 422, "invalid"},
		{"negative", "PUT", fresh(), body(a[0], a[1], "-1", `"EUR"`), nil, 422, "invalid"},
		{"fraction", "PUT", fresh(), body(a[0], a[1], "0.5", `"EUR"`), nil, 422, "invalid"},
		{"overflow", "PUT", fresh(), body(a[0], a[1], "9223372036854775808", `"EUR"`), nil, 422, "invalid"},
		{"huge exponent", "PUT", fresh(), body(a[0], a[1], "1e400", `"EUR"`), nil, 422, "invalid"},
		{"all the money in the world", "PUT", fresh(), body(a[0], a[1], "9223372036854775807", `"EUR"`), nil, 422, "insufficient_funds"},
		{"more than the payee can hold", "PUT", fresh(), body(a[0], full, "1", `"EUR"`), nil, 422, "balance_limit"},
		{"suspended customer", "PUT", fresh(), body(a[0], suspended, "1", `"EUR"`), nil, 422, "customer_not_active"},
		{"refund of a negative amount", "PUT", strings.Replace(fresh(), "transfers", "refunds", 1), fmt.Sprintf(`{"transfer":%q,"amount":-1}`, strings.TrimPrefix(used, "/v2/transfers/")), nil, 422, "invalid"},
		{"refund that overflows", "PUT", strings.Replace(fresh(), "transfers", "refunds", 1), fmt.Sprintf(`{"transfer":%q,"amount":9223372036854775807}`, strings.TrimPrefix(used, "/v2/transfers/")), nil, 422, "refund_exceeds"},
		{"key used for another customer", "POST", "/v2/customers", `{"name":"Jean","email":"joan@example.com"}`, []string{"Idempotency-Key", key}, 409, "id_conflict"},
		{"key used for another account", "POST", "/v2/accounts", `{"customer":1,"currency":"USD"}`, []string{"Idempotency-Key", key}, 409, "id_conflict"},
		{"foreign currency", "PUT", fresh(), body(a[0], a[1], "1", `"USD"`), nil, 422, "wrong_currency"},
		{"account of a foreign currency", "PUT", fresh(), body(a[0], dollars, "1", `"EUR"`), nil, 422, "wrong_currency"},
		{"no currency", "PUT", fresh(), body(a[0], a[1], "1", `"euro"`), nil, 422, "invalid"},
		{"unknown account", "PUT", fresh(), body(a[0], nobody, "1", `"EUR"`), nil, 422, "unknown_account"},
		{"same account", "PUT", fresh(), body(a[0], a[0], "1", `"EUR"`), nil, 422, "same_account"},
		{"id used with another body", "PUT", used, transferBody(a[0], a[1], 6), nil, 409, "id_conflict"},
		{"id used for a refund", "PUT", strings.Replace(used, "transfers", "refunds", 1), fmt.Sprintf(`{"transfer":%q,"amount":1}`, strings.TrimPrefix(used, "/v2/transfers/")), nil, 409, "id_conflict"},
		{"large body", "PUT", fresh(), strings.Repeat(" ", 1<<20) + valid, nil, 413, "too_large"},
		{"media type", "PUT", fresh(), valid, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type"},
		{"accept", "PUT", fresh(), valid, []string{"Accept", "text/html"}, 406, "not_acceptable"},
		{"method", "DELETE", used, "", nil, 405, "method_not_allowed"},
		{"SQL in a path", "PUT", "/v2/transfers/" + url.PathEscape("'; DROP TABLE transfers; --"), valid, nil, 400, "malformed"},
		{"SQL in a query", "GET", "/v2/transfers?sort=" + url.QueryEscape("amount; DROP TABLE transfers"), "", nil, 400, "malformed"},
		{"SQL in a cursor", "GET", "/v2/transfers?cursor=" + url.QueryEscape("' OR 1=1"), "", nil, 400, "malformed"},
		{"SQL in a header", "POST", "/v2/customers", `{"name":"Eve","email":"eve@example.com"}`, []string{"Idempotency-Key", "' OR 1=1"}, 400, "malformed"},
		{"NUL in text", "PATCH", person, `{"name":"a\u0000b"}`, nil, 422, "invalid"},
		{"line end in text", "PATCH", person, `{"name":"a\r\nSet-Cookie: b=c"}`, nil, 422, "invalid"},
		{"NUL in a query", "GET", "/v2/customers?email=%00", "", nil, 400, "malformed"},
		{"period of nothing", "PUT", "/v2/statements/" + uuid.NewString(), fmt.Sprintf(`{"account":%d,"from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}`, a[0]), nil, 422, "invalid"},
		{"no such day", "PUT", "/v2/statements/" + uuid.NewString(), fmt.Sprintf(`{"account":%d,"from":"2026-02-30T00:00:00Z","to":"2026-03-01T00:00:00Z"}`, a[0]), nil, 422, "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			unchanged := s.wantUnchanged()
			wantRefused(t, s.ask(tt.method, tt.target, tt.body, tt.headers...), tt.status, tt.code)
			if path, ok := strings.CutPrefix(tt.target, "/v2/transfers/"); ok && tt.headers == nil {
				status, code := tt.status, tt.code
				if code == "invalid" { // the first version makes no difference
					status, code = http.StatusBadRequest, "malformed"
				}
				wantRefused(t, s.ask(tt.method, "/v1/transfers/"+path, tt.body), status, code)
			}
			unchanged()
		})
	}
	// What looks like SQL is text like any other where text is wanted.
	const injection = `Robert'); DROP TABLE customers; --`
	wantStatus(t, s.ask(http.MethodPatch, person, fmt.Sprintf(`{"name":%q}`, injection)), http.StatusOK)
	wantFields(t, s.read(person), document{"name": injection})
}

// TestAPIHeaderInjection tries to make headers of its own with what is answered.
func TestAPIHeaderInjection(t *testing.T) {
	s, _ := serveBooks(t, newBooks(t), nil)
	unchanged := s.wantUnchanged()
	for _, target := range []string{
		"/v1/accounts/1%0d%0aSet-Cookie:%20a=b", "/v2/transfers?limit=1&cursor=%0d%0aSet-Cookie:%20a=b", "/v2/%0d%0aSet-Cookie:%20a=b",
	} {
		r := s.read(target)
		if r.status < 400 || r.status >= 500 || r.header.Get("Set-Cookie") != "" || strings.Contains(fmt.Sprint(r.header), "\n") {
			t.Errorf("GET %s = %d with %v; want a refusal without a cookie", target, r.status, r.header)
		}
	}
	// What net/http would not send.
	for _, target := range []string{"/v1/accounts/1", "/v2/accounts/1"} {
		text := s.raw("GET " + target + " HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: a\rSet-Cookie: b=c\r\nConnection: close\r\n\r\n")
		if strings.Contains(text, "Set-Cookie") || !strings.HasPrefix(text, "HTTP/1.1 4") {
			t.Errorf("%s with a bare CR in a header was answered %q", target, text)
		}
	}
	unchanged()
}

// TestAPILimits lets the one request that is allowed wait for a lock: others are
// shed, and it ends when its time is over.
func TestAPILimits(t *testing.T) {
	s := newSite(t, func(o *api.Options) { o.RequestTimeout, o.MaxInFlight = 2*time.Second, 1 })
	a := s.accounts(2)
	tx, err := s.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM accounts FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	unchanged := s.wantUnchanged()
	waiting := make(chan response, 1)
	go func() {
		waiting <- s.ask(http.MethodPut, "/v2/transfers/"+uuid.NewString(), transferBody(a[0], a[1], 1))
	}()
	eventually(t, "the transfer waits for the lock", func() bool {
		return one[int64](s.books, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) > 0
	})
	shed := s.read(fmt.Sprintf("/v2/accounts/%d", a[0]))
	wantRefused(t, shed, http.StatusServiceUnavailable, "overloaded")
	if shed.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After = %q; want 1", shed.header.Get("Retry-After"))
	}
	if got := s.read("/docs"); got.status != http.StatusOK {
		t.Errorf("documentation meanwhile = %d; want 200", got.status)
	}
	wantRefused(t, <-waiting, http.StatusGatewayTimeout, "deadline")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the place is free again", func() bool { return s.read(fmt.Sprintf("/v2/accounts/%d", a[0])).status == http.StatusOK })
	unchanged()
}

// TestAPICompression asks for large and small answers.
func TestAPICompression(t *testing.T) {
	s := newSite(t)
	a := s.accounts(30)
	small := s.read(fmt.Sprintf("/v2/accounts/%d", a[0]), "Accept-Encoding", "gzip")
	if small.header.Get("Content-Encoding") != "" || small.header.Get("Vary") != "" {
		t.Errorf("small answer: %v; want it as it is", small.header)
	}
	plain := s.read("/v2/accounts")
	if plain.header.Get("Content-Encoding") != "" || plain.header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("answer to a client without gzip: %v; want it plain, with Vary", plain.header)
	}
	large := s.read("/v2/accounts", "Accept-Encoding", "gzip")
	if large.header.Get("Content-Encoding") != "gzip" || large.header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("large answer: %v; want gzip, with Vary", large.header)
	}
	unzip, err := gzip.NewReader(strings.NewReader(large.text))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzip)
	if err != nil || string(text) != plain.text {
		t.Errorf("%d bytes, %v; want the %d bytes of the plain answer", len(text), err, len(plain.text))
	}
}

// TestAPIDocumentation reads what the interface says of itself.
func TestAPIDocumentation(t *testing.T) {
	s := newSite(t)
	doc := s.read("/openapi.json").document(t)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi = %v; want 3.1.0", doc["openapi"])
	}
	if yaml := s.read("/openapi.yaml"); yaml.status != http.StatusOK || !strings.Contains(yaml.text, "/v2/transfers/{id}:") {
		t.Errorf("/openapi.yaml = %d without the transfers", yaml.status)
	}
	external := regexp.MustCompile(`(?i)https?:|src=|<script|<link|url\(|@import`)
	for path, word := range map[string]string{"/docs": "place-transfer", "/docs/v1": "What the first version loses"} {
		page := s.read(path)
		if page.status != http.StatusOK || !strings.Contains(page.text, word) {
			t.Errorf("GET %s = %d without %q", path, page.status, word)
		}
		if found := external.FindString(page.text); found != "" {
			t.Errorf("%s would load something: %s", path, found)
		}
		if got := s.read(path, "If-None-Match", page.header.Get("ETag")); got.status != http.StatusNotModified {
			t.Errorf("GET %s with its ETag = %d; want 304", path, got.status)
		}
	}
	// Every read that is documented answers as documented.
	a := s.accounts(2)
	s.put(a[0], a[1], 1)
	paths, _ := doc["paths"].(map[string]any)
	for path, item := range paths {
		ops, _ := item.(map[string]any)
		if ops["get"] == nil {
			continue
		}
		target := strings.Replace(path, "{id}", strconv.FormatInt(a[0], 10), 1)
		if strings.Contains(path, "transfers/") || strings.Contains(path, "statements/") {
			target = strings.Replace(path, "{id}", uuid.NewString(), 1)
		}
		if got := s.read(target); got.status != http.StatusOK && got.status != http.StatusNotFound || strings.Contains(got.text, "no_route") {
			t.Errorf("GET %s = %d %s", target, got.status, got.text)
		}
	}
}
