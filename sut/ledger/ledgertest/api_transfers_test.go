//go:build integration

package ledgertest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestAPITransfer(t *testing.T) {
	s := newSite(t)
	a := s.accounts(2)
	id := uuid.New()
	path := "/v2/transfers/" + id.String()
	first := s.ask(http.MethodPut, path, fmt.Sprintf(`{"from":%d,"to":%d,"amount":250,"currency":"EUR","reference":"Rent"}`, a[0], a[1]))
	wantStatus(t, first, http.StatusCreated)
	wantFields(t, first, document{
		"id": id.String(), "from": float64(a[0]), "to": float64(a[1]), "amount": 250.0, "currency": "EUR", "reference": "Rent",
		"status": "accepted", "refunded": nil, "refund_of": nil,
	})
	for name, want := range map[string]string{
		"Ledger-Source": "primary", "Ledger-Timeline": "1", "Ledger-Instance": "api-1", "Location": path, "Cache-Control": "no-store",
	} {
		if got := first.header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	again := s.ask(http.MethodPut, path, fmt.Sprintf(`{"reference":"Rent","currency":"EUR", "amount":250, "to":%d, "from":%d}`, a[1], a[0]))
	if again.status != http.StatusOK || again.text != first.text {
		t.Errorf("replay = %d %s; want 200 %s", again.status, again.text, first.text)
	}
	unchanged := s.wantUnchanged()
	wantRefused(t, s.ask(http.MethodPut, path, transferBody(a[0], a[1], 250)), http.StatusConflict, "id_conflict")
	unchanged()
	if got := s.read(path); got.status != http.StatusOK || got.text != first.text {
		t.Errorf("GET = %d %s; want 200 %s", got.status, got.text, first.text)
	}
	wantFields(t, s.read(fmt.Sprintf("/v2/accounts/%d", a[0])), document{"balance": float64(opening - 250), "version": 2.0, "status": "open"})
	wantFields(t, s.read(fmt.Sprintf("/v2/accounts/%d", a[1])), document{"balance": float64(opening + 250)})
}

func TestAPIRefund(t *testing.T) {
	s := newSite(t)
	a := s.accounts(2)
	of := s.put(a[0], a[1], 250)
	refund := func(id string, amount int64) response {
		return s.ask(http.MethodPut, "/v2/refunds/"+id, fmt.Sprintf(`{"transfer":%q,"amount":%d}`, strings.TrimPrefix(of, "/v2/transfers/"), amount))
	}
	id := uuid.NewString()
	first := refund(id, 100)
	wantStatus(t, first, http.StatusCreated)
	wantFields(t, first, document{
		"id": id, "from": float64(a[1]), "to": float64(a[0]), "amount": 100.0, "refund_of": strings.TrimPrefix(of, "/v2/transfers/"),
	})
	if got := refund(id, 100); got.status != http.StatusOK || got.text != first.text {
		t.Errorf("replay = %d %s; want 200 %s", got.status, got.text, first.text)
	}
	wantFields(t, s.read(of), document{"refunded": 100.0})
	wantFields(t, s.read("/v2/transfers/"+id), document{"refund_of": strings.TrimPrefix(of, "/v2/transfers/")})
	unchanged := s.wantUnchanged()
	wantRefused(t, refund(id, 101), http.StatusConflict, "id_conflict")
	wantRefused(t, refund(uuid.NewString(), 151), http.StatusUnprocessableEntity, "refund_exceeds")
	wantRefused(t, s.ask(http.MethodPut, "/v2/refunds/"+uuid.NewString(), fmt.Sprintf(`{"transfer":%q,"amount":1}`, id)),
		http.StatusUnprocessableEntity, "not_refundable")
	wantRefused(t, s.ask(http.MethodPut, "/v2/refunds/"+uuid.NewString(), fmt.Sprintf(`{"transfer":%q,"amount":1}`, uuid.NewString())),
		http.StatusNotFound, "not_found")
	unchanged()
}

// TestAPIVersions uses both versions for the same things.
func TestAPIVersions(t *testing.T) {
	s := newSite(t)
	a := s.accounts(2)
	id := uuid.NewString()
	old := s.ask(http.MethodPut, "/v1/transfers/"+id, transferBody(a[0], a[1], 10))
	wantStatus(t, old, http.StatusCreated)
	for name, want := range map[string]string{"Deprecation": "@1793491200", "Sunset": "Mon, 01 Nov 2027 00:00:00 GMT"} {
		if got := old.header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	links := strings.Join(old.header.Values("Link"), ", ")
	for _, want := range []string{`</docs/v1>; rel="deprecation"`, `</v2/transfers/` + id + `>; rel="successor-version"`} {
		if !strings.Contains(links, want) {
			t.Errorf("Link = %s; want %s in it", links, want)
		}
	}
	if got := s.ask(http.MethodPut, "/v2/transfers/"+id, transferBody(a[0], a[1], 10)); got.status != http.StatusOK || got.header.Get("Deprecation") != "" {
		t.Errorf("the same in the second version = %d %s, Deprecation %q; want 200 without one", got.status, got.text, got.header.Get("Deprecation"))
	}
	account := s.read(fmt.Sprintf("/v1/accounts/%d", a[0]))
	want := document{"id": float64(a[0]), "currency": "EUR", "balance": float64(opening - 10), "version": 2.0}
	if diff := gocmp.Diff(want, account.document(t)); diff != "" {
		t.Errorf("account in the first version (-want +got):\n%s", diff)
	}
	wantRefused(t, s.ask(http.MethodPut, "/v1/transfers/"+uuid.NewString(), `{"from":1}`), http.StatusBadRequest, "malformed")
}

// TestAPIConditionalReads reads what a client has already.
func TestAPIConditionalReads(t *testing.T) {
	s := newSite(t)
	a := s.accounts(2)
	transfer := s.put(a[0], a[1], 10)
	for _, path := range []string{transfer, fmt.Sprintf("/v2/accounts/%d", a[0])} {
		for _, consistency := range []string{"", "?consistency=strong", "?consistency=replica"} {
			first := s.read(path + consistency)
			wantStatus(t, first, http.StatusOK)
			tag := first.header.Get("ETag")
			if tag == "" || first.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("ETag %q, Cache-Control %q; want one, private and no-cache", tag, first.header.Get("Cache-Control"))
			}
			same := s.read(path+consistency, "If-None-Match", `"other", `+tag)
			if same.status != http.StatusNotModified || same.text != "" || same.header.Get("ETag") != tag {
				t.Errorf("GET %s with its ETag = %d %q, ETag %s; want 304, nothing, %s", path, same.status, same.text, same.header.Get("ETag"), tag)
			}
		}
	}
	tag := s.read(fmt.Sprintf("/v2/accounts/%d", a[0])).header.Get("ETag")
	s.put(a[0], a[1], 1)
	if got := s.read(fmt.Sprintf("/v2/accounts/%d", a[0]), "If-None-Match", tag); got.status != http.StatusOK {
		t.Errorf("GET after a change = %d; want 200", got.status)
	}
}

// TestAPIReadYourWrites reads from a replica with the position of a write.
func TestAPIReadYourWrites(t *testing.T) {
	s := newSite(t)
	a := s.accounts(2)
	w := s.ask(http.MethodPut, "/v2/transfers/"+uuid.NewString(), transferBody(a[0], a[1], 10))
	wantStatus(t, w, http.StatusCreated)
	position := w.header.Get("Ledger-Position")
	if position == "" {
		t.Fatal("the write has no Ledger-Position")
	}
	got := s.read(fmt.Sprintf("/v2/accounts/%d?consistency=replica", a[0]), "Ledger-Position", position)
	wantStatus(t, got, http.StatusOK)
	wantFields(t, got, document{"balance": float64(opening - 10)})
	// No replica has come that far; the primary answers, and says so.
	got = s.read(fmt.Sprintf("/v2/accounts/%d?consistency=replica", a[0]), "Ledger-Position", "1-FFFFFFFF/0")
	wantStatus(t, got, http.StatusOK)
	if got.header.Get("Ledger-Source") != "primary" {
		t.Errorf("Ledger-Source = %s; want primary", got.header.Get("Ledger-Source"))
	}
}
