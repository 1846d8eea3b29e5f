package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestForm sends requests that the ledger must never see.
func TestForm(t *testing.T) {
	const (
		transfer  = "/v2/transfers/" + transferID
		jsonType  = "application/json"
		customers = "/v2/customers"
	)
	tests := []struct {
		name           string
		method, target string
		body           string
		headers        []string
		status         int
		code           string
		errors         []fieldReport
	}{
		{"no route", "GET", "/v2/nothing", "", nil, 404, "no_route", nil},
		{"no version", "GET", "/accounts/1", "", nil, 404, "no_route", nil},
		{"method", "DELETE", transfer, "", nil, 405, "method_not_allowed", nil},
		{"unknown method", "BREW", transfer, "", nil, 405, "method_not_allowed", nil},
		{"unknown method of nothing", "BREW", "/v2/pot", "", nil, 404, "no_route", nil},
		{"account id", "GET", "/v2/accounts/x", "", nil, 400, "malformed", []fieldReport{{Detail: "invalid integer", Parameter: "id"}}},
		{"account zero", "GET", "/v2/accounts/0", "", nil, 400, "malformed", []fieldReport{{Detail: "expected number >= 1", Parameter: "id"}}},
		{"account beyond 64 bits", "GET", "/v2/accounts/9223372036854775808", "", nil, 400, "malformed", []fieldReport{{Detail: "invalid integer", Parameter: "id"}}},
		{"SQL in a path", "GET", "/v2/accounts/1%20OR%201=1;--", "", nil, 400, "malformed", []fieldReport{{Detail: "invalid integer", Parameter: "id"}}},
		{"transfer id", "GET", "/v2/transfers/1", "", nil, 400, "malformed", nil},
		{"braces", "GET", "/v2/transfers/%7B" + transferID + "%7D", "", nil, 400, "malformed", nil},
		{"consistency", "GET", "/v2/accounts/1?consistency=quorum", "", nil, 400, "malformed", nil},
		{"consistency of the first version", "GET", "/v1/accounts/1?consistency=quorum", "", nil, 400, "malformed", nil},
		{"unknown parameter", "GET", "/v2/accounts/1?fields=id", "", nil, 400, "malformed", []fieldReport{{Detail: "unknown query parameter", Parameter: "fields"}}},
		{"parameter twice", "GET", "/v2/transfers?limit=1&limit=2", "", nil, 400, "malformed", nil},
		{"broken query", "GET", "/v2/transfers?limit=%zz", "", nil, 400, "malformed", nil},
		{"NUL", "GET", "/v2/customers?email=%00", "", nil, 400, "malformed", nil},
		{"line end", "GET", "/v2/customers?email=a%0d%0aSet-Cookie:b", "", nil, 400, "malformed", nil},
		{"not UTF-8", "GET", "/v2/customers?email=%ff", "", nil, 400, "malformed", nil},
		{"limit", "GET", "/v2/transfers?limit=201", "", nil, 400, "malformed", []fieldReport{{Detail: "expected number <= 200", Parameter: "limit"}}},
		{"sort", "GET", "/v2/transfers?sort=id%3BDROP%20TABLE%20transfers", "", nil, 400, "malformed", nil},
		{"time", "GET", "/v2/transfers?created_from=yesterday", "", nil, 400, "malformed", nil},
		{"cursor", "GET", "/v2/transfers?cursor=x", "", nil, 400, "malformed", []fieldReport{{Detail: "not a cursor of this interface", Parameter: "cursor"}}},
		{"position", "GET", "/v2/accounts/1?consistency=replica", "", []string{"Ledger-Position", "now"}, 400, "malformed", nil},
		{"accept", "GET", "/v2/accounts/1", "", []string{"Accept", "text/html"}, 406, "not_acceptable", nil},
		{"accept before the change", "PUT", transfer, body, []string{"Accept", "application/xml"}, 406, "not_acceptable", nil},
		{"media type", "PUT", transfer, body, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type", nil},
		{"form", "PUT", transfer, "from=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", nil},
		{"charset", "PUT", transfer, body, []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type", nil},
		{"compressed", "PUT", transfer, body, []string{"Content-Type", jsonType, "Content-Encoding", "gzip"}, 415, "unsupported_media_type", nil},
		{"merge patch for a new thing", "PUT", transfer, body, []string{"Content-Type", "application/merge-patch+json"}, 415, "unsupported_media_type", nil},
		{"large", "PUT", transfer, strings.Repeat(" ", 8<<10) + body, nil, 413, "too_large", nil},
		{"large, first version", "PUT", "/v1/transfers/" + transferID, strings.Repeat(" ", 8<<10) + body, nil, 413, "too_large", nil},
		{"no body", "PUT", transfer, "", nil, 400, "malformed", nil},
		{"not JSON", "PUT", transfer, "from=1", nil, 400, "malformed", []fieldReport{{Detail: "must be a JSON object", Pointer: ""}}},
		{"trailing data", "PUT", transfer, body + "{}", nil, 400, "malformed", []fieldReport{{Detail: "goes on after the object"}}},
		{"fields", "PUT", transfer, `{"from":"1","to":-2,"amount":9223372036854775808,"fee":1}`, nil, 422, "invalid", []fieldReport{
			{Detail: "must be an integer from 1 to 9223372036854775807", Pointer: "#/from"},
			{Detail: "must be an integer from 1 to 9223372036854775807", Pointer: "#/to"},
			{Detail: "must be an integer from 1 to 9223372036854775807", Pointer: "#/amount"},
			{Detail: "is unknown", Pointer: "#/fee"},
			{Detail: "is missing", Pointer: "#/currency"},
		}},
		{"fields of the first version", "PUT", "/v1/transfers/" + transferID, `{"from":"1","to":2,"amount":1,"currency":"EUR"}`, nil, 400, "malformed", []fieldReport{
			{Detail: "must be an integer from 1 to 9223372036854775807", Pointer: "#/from"},
		}},
		{"reference in the first version", "PUT", "/v1/transfers/" + transferID, `{"from":1,"to":2,"amount":1,"currency":"EUR","reference":"x"}`, nil, 400, "malformed", nil},
		{"no key", "POST", customers, `{"name":"Ada","email":"ada@example.com"}`, nil, 400, "malformed", []fieldReport{
			{Detail: "required header parameter is missing", Header: "Idempotency-Key"},
		}},
		{"key", "POST", customers, `{"name":"Ada","email":"ada@example.com"}`, []string{"Idempotency-Key", "1"}, 400, "malformed", nil},
		{"null in a merge patch", "PATCH", customers + "/7", `{"name":null}`, nil, 422, "invalid", nil},
		{"period", "PUT", "/v2/statements/" + transferID, `{"account":1,"from":"2026-02-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}`, nil, 422, "invalid", []fieldReport{
			{Detail: "must be after from", Pointer: "#/to"},
		}},
	}
	h := newHandler(t, fake{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := do(t, h, tt.method, tt.target, tt.body, tt.headers...)
			got := wantProblem(t, w, tt.status, tt.code)
			if tt.errors != nil {
				if diff := cmp.Diff(tt.errors, got.Errors); diff != "" {
					t.Errorf("errors (-want +got):\n%s", diff)
				}
			}
			if allow := w.Header().Get("Allow"); (allow == "GET, HEAD, PUT") != (tt.status == 405) {
				t.Errorf("Allow = %q with status %d", allow, tt.status)
			}
		})
	}
}

// TestLenient sends what looks wrong and is not.
func TestLenient(t *testing.T) {
	tests := []struct {
		name, target string
		headers      []string
	}{
		{"no media type", "/v2/transfers/", nil},
		{"charset", "/v2/transfers/", []string{"Content-Type", `application/json; charset="UTF-8"`}},
		{"browser", "/v2/transfers/", []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}},
		{"range", "/v2/transfers/", []string{"Accept", "application/*"}},
		{"strange accept", "/v2/transfers/", []string{"Accept", "application/json;,b"}},
		{"first version", "/v1/transfers/", []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"}},
	}
	h := newHandler(t, fake{place: placed(false)})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := do(t, h, http.MethodPut, tt.target+transferID, body, tt.headers...); w.Code != 201 {
				t.Errorf("status = %d; want 201; body %s", w.Code, w.Body)
			}
		})
	}
}

// TestCorrelationIsChecked sends what would become a header or a log line of
// its own.
func TestCorrelationIsChecked(t *testing.T) {
	h := newHandler(t, fake{})
	for _, bad := range []string{"a\r\nSet-Cookie: b=c", "a b", "é", strings.Repeat("a", 129)} {
		w := do(t, h, http.MethodGet, "/v2/nothing", "", "X-Correlation-ID", bad)
		if got := w.Header().Get("X-Correlation-ID"); got == bad || got == "" {
			t.Errorf("correlation id %q was answered %q; want a new one", bad, got)
		}
		if w.Header().Get("Set-Cookie") != "" {
			t.Error("a header was injected")
		}
	}
}
