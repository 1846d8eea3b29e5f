//go:build integration

package ledgertest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

const mergePatch = "application/merge-patch+json"

// newPerson creates a customer and returns its path and ETag.
func (s *site) newPerson(name string) (path, tag string) {
	s.t.Helper()
	r := s.ask(http.MethodPost, "/v2/customers", fmt.Sprintf(`{"name":%q,"email":"%s@example.com"}`, name, uuid.NewString()),
		"Idempotency-Key", uuid.NewString())
	wantStatus(s.t, r, http.StatusCreated)
	return r.header.Get("Location"), r.header.Get("ETag")
}

func TestAPICreateCustomer(t *testing.T) {
	s := newSite(t)
	key := uuid.NewString()
	const body = `{"name":"Ada Lovelace","email":"Ada@example.com"}`
	first := s.ask(http.MethodPost, "/v2/customers", body, "Idempotency-Key", key)
	wantStatus(t, first, http.StatusCreated)
	wantFields(t, first, document{"name": "Ada Lovelace", "email": "Ada@example.com", "status": "active", "version": 1.0})
	if again := s.ask(http.MethodPost, "/v2/customers", body, "Idempotency-Key", key); again.status != http.StatusOK || again.text != first.text {
		t.Errorf("replay = %d %s; want 200 %s", again.status, again.text, first.text)
	}
	if got := s.read(first.header.Get("Location")); got.status != http.StatusOK || got.text != first.text || got.header.Get("ETag") != first.header.Get("ETag") {
		t.Errorf("GET of the Location = %d %s; want 200 %s", got.status, got.text, first.text)
	}
	unchanged := s.wantUnchanged()
	wantRefused(t, s.ask(http.MethodPost, "/v2/customers", `{"name":"Ada King","email":"Ada@example.com"}`, "Idempotency-Key", key),
		http.StatusConflict, "id_conflict")
	wantRefused(t, s.ask(http.MethodPost, "/v2/customers", `{"name":"Eve","email":"ADA@EXAMPLE.COM"}`, "Idempotency-Key", uuid.NewString()),
		http.StatusConflict, "email_taken")
	wantRefused(t, s.ask(http.MethodPost, "/v2/customers", body), http.StatusBadRequest, "malformed")
	unchanged()
}

func TestAPIChangeCustomer(t *testing.T) {
	s := newSite(t)
	path, first := s.newPerson("Ada")
	other, _ := s.newPerson("Eve")
	patched := s.ask(http.MethodPatch, path, `{"name":"Ada King"}`, "If-Match", first, "Content-Type", mergePatch)
	wantStatus(t, patched, http.StatusOK)
	wantFields(t, patched, document{"name": "Ada King", "status": "active", "version": 2.0})
	second := patched.header.Get("ETag")
	if got := s.read(path); got.text != patched.text || got.header.Get("ETag") != second {
		t.Errorf("GET after the change = %s, ETag %s; want %s, %s", got.text, got.header.Get("ETag"), patched.text, second)
	}
	if got := s.read(path, "If-None-Match", second); got.status != http.StatusNotModified {
		t.Errorf("GET with the new ETag = %d; want 304", got.status)
	}
	const whole = `{"name":"Ada L","email":"al@example.com","status":"suspended"}`
	unchanged := s.wantUnchanged()
	wantRefused(t, s.ask(http.MethodPatch, path, `{"name":"Lost"}`, "If-Match", first), http.StatusPreconditionFailed, "version_mismatch")
	wantRefused(t, s.ask(http.MethodPut, path, whole, "If-Match", first), http.StatusPreconditionFailed, "version_mismatch")
	wantRefused(t, s.ask(http.MethodDelete, path, "", "If-Match", first), http.StatusPreconditionFailed, "version_mismatch")
	wantRefused(t, s.ask(http.MethodPut, path, `{"name":"Ada L"}`, "If-Match", second), http.StatusUnprocessableEntity, "invalid")
	wantRefused(t, s.ask(http.MethodPatch, path, `{"email":null}`), http.StatusUnprocessableEntity, "invalid")
	wantRefused(t, s.ask(http.MethodPut, "/v2/customers/9000000000000000000", whole), http.StatusNotFound, "not_found")
	wantRefused(t, s.ask(http.MethodPatch, "/v2/customers/9000000000000000000", `{"name":"x"}`), http.StatusNotFound, "not_found")
	taken := s.read(other).document(t)["email"]
	wantRefused(t, s.ask(http.MethodPatch, path, fmt.Sprintf(`{"email":%q}`, taken)), http.StatusConflict, "email_taken")
	unchanged()
	replaced := s.ask(http.MethodPut, path, whole, "If-Match", second)
	wantStatus(t, replaced, http.StatusOK)
	wantFields(t, replaced, document{"name": "Ada L", "email": "al@example.com", "status": "suspended", "version": 3.0})
	// Without If-Match the last one wins.
	wantStatus(t, s.ask(http.MethodPatch, path, `{"status":"active"}`), http.StatusOK)
}

func TestAPIDeleteCustomer(t *testing.T) {
	s := newSite(t)
	path, tag := s.newPerson("Ada")
	wantStatus(t, s.read(path), http.StatusOK) // fills the cache
	id := strings.TrimPrefix(path, "/v2/customers/")
	account := s.ask(http.MethodPost, "/v2/accounts", fmt.Sprintf(`{"customer":%s,"currency":"EUR"}`, id), "Idempotency-Key", uuid.NewString())
	wantStatus(t, account, http.StatusCreated)
	wantRefused(t, s.ask(http.MethodDelete, path, ""), http.StatusConflict, "in_use")
	s.do(`DELETE FROM accounts`)
	gone := s.ask(http.MethodDelete, path, "", "If-Match", tag)
	if gone.status != http.StatusNoContent || gone.text != "" || gone.header.Get("Ledger-Position") == "" {
		t.Errorf("DELETE = %d %s, position %q; want 204, nothing, one", gone.status, gone.text, gone.header.Get("Ledger-Position"))
	}
	wantRefused(t, s.read(path), http.StatusNotFound, "not_found")
	wantRefused(t, s.ask(http.MethodDelete, path, ""), http.StatusNotFound, "not_found")
}

func TestAPIAccount(t *testing.T) {
	s := newSite(t)
	person, _ := s.newPerson("Ada")
	body := fmt.Sprintf(`{"customer":%s,"currency":"CHF"}`, strings.TrimPrefix(person, "/v2/customers/"))
	key := uuid.NewString()
	first := s.ask(http.MethodPost, "/v2/accounts", body, "Idempotency-Key", key)
	wantStatus(t, first, http.StatusCreated)
	wantFields(t, first, document{"currency": "CHF", "status": "open", "balance": 0.0, "version": 1.0})
	path, tag := first.header.Get("Location"), first.header.Get("ETag")
	if again := s.ask(http.MethodPost, "/v2/accounts", body, "Idempotency-Key", key); again.status != http.StatusOK || again.text != first.text {
		t.Errorf("replay = %d %s; want 200 %s", again.status, again.text, first.text)
	}
	if got := s.read(path); got.text != first.text {
		t.Errorf("GET of the Location = %s; want %s", got.text, first.text)
	}
	unchanged := s.wantUnchanged()
	wantRefused(t, s.ask(http.MethodPost, "/v2/accounts", strings.Replace(body, "CHF", "EUR", 1), "Idempotency-Key", key), http.StatusConflict, "id_conflict")
	wantRefused(t, s.ask(http.MethodPost, "/v2/accounts", `{"customer":9000000000000000000,"currency":"EUR"}`, "Idempotency-Key", uuid.NewString()),
		http.StatusUnprocessableEntity, "unknown_customer")
	wantRefused(t, s.ask(http.MethodPatch, path, `{"status":"frozen"}`, "If-Match", `"7"`), http.StatusPreconditionFailed, "version_mismatch")
	wantRefused(t, s.ask(http.MethodPatch, path, `{"status":"gone"}`), http.StatusUnprocessableEntity, "invalid")
	unchanged()
	closed := s.ask(http.MethodPatch, path, `{"status":"closed"}`, "If-Match", tag, "Content-Type", mergePatch)
	wantStatus(t, closed, http.StatusOK)
	wantFields(t, closed, document{"status": "closed", "version": 2.0})
	wantRefused(t, s.ask(http.MethodPatch, path, `{"status":"open"}`), http.StatusUnprocessableEntity, "account_not_open")
}

func TestAPIFrozenAccount(t *testing.T) {
	s := newSite(t)
	a := s.accounts(2)
	path := fmt.Sprintf("/v2/accounts/%d", a[0])
	wantRefused(t, s.ask(http.MethodPatch, path, `{"status":"closed"}`), http.StatusConflict, "not_empty")
	wantStatus(t, s.ask(http.MethodPatch, path, `{"status":"frozen"}`), http.StatusOK)
	unchanged := s.wantUnchanged()
	for _, way := range [][2]int64{{a[0], a[1]}, {a[1], a[0]}} {
		wantRefused(t, s.ask(http.MethodPut, "/v2/transfers/"+uuid.NewString(), transferBody(way[0], way[1], 1)),
			http.StatusUnprocessableEntity, "account_not_open")
	}
	unchanged()
	wantStatus(t, s.ask(http.MethodPatch, path, `{"status":"open"}`), http.StatusOK)
	s.put(a[0], a[1], 1)
}

func TestAPIStatement(t *testing.T) {
	s := newSite(t)
	a := s.accounts(2)
	for range 20 { // enough lines to be compressed
		s.put(a[0], a[1], 3)
	}
	id := uuid.New()
	path := "/v2/statements/" + id.String()
	body := fmt.Sprintf(`{"account":%d,"from":"2020-01-01T00:00:00Z","to":"2100-01-01T00:00:00+02:00"}`, a[0])
	first := s.ask(http.MethodPut, path, body)
	wantStatus(t, first, http.StatusAccepted)
	wantFields(t, first, document{"id": id.String(), "account": float64(a[0]), "status": "requested", "to": "2099-12-31T22:00:00Z", "lines": nil})
	if got := first.header.Get("Location"); got != path {
		t.Errorf("Location = %s; want %s", got, path)
	}
	if again := s.ask(http.MethodPut, path, body); again.status != http.StatusAccepted || again.text != first.text {
		t.Errorf("replay = %d %s; want 202 %s", again.status, again.text, first.text)
	}
	unchanged := s.wantUnchanged()
	wantRefused(t, s.ask(http.MethodPut, path, strings.Replace(body, "2020", "2021", 1)), http.StatusConflict, "id_conflict")
	wantRefused(t, s.ask(http.MethodPut, "/v2/statements/"+uuid.NewString(), `{"account":9000000000000000000,"from":"2020-01-01T00:00:00Z","to":"2021-01-01T00:00:00Z"}`),
		http.StatusUnprocessableEntity, "unknown_account")
	unchanged()
	requested := s.read(path)
	wantFields(t, requested, document{"status": "requested", "lines": nil})
	if err := s.primary.BuildStatement(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	ready := s.read(path, "If-None-Match", requested.header.Get("ETag"))
	wantStatus(t, ready, http.StatusOK)
	wantFields(t, ready, document{"status": "ready", "opening": float64(opening), "closing": float64(opening - 60), "count": 20.0})
	lines, _ := ready.document(t)["lines"].([]any)
	if len(lines) != 20 {
		t.Fatalf("%d lines; want 20", len(lines))
	}
	if line, _ := lines[0].(map[string]any); line["amount"] != -3.0 || line["other"] != float64(a[1]) {
		t.Errorf("first line = %v; want -3 to %d", line, a[1])
	}
	if got := s.read(path, "If-None-Match", ready.header.Get("ETag")); got.status != http.StatusNotModified {
		t.Errorf("GET with its ETag = %d; want 304", got.status)
	}
	wantStatus(t, s.ask(http.MethodPut, path, body), http.StatusOK)
	wantStatus(t, s.ask(http.MethodDelete, path, ""), http.StatusNoContent)
	wantRefused(t, s.read(path), http.StatusNotFound, "not_found")
	wantRefused(t, s.ask(http.MethodDelete, path, ""), http.StatusNotFound, "not_found")
}
