//go:build integration

package ledgertest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// walk follows a list from page to page by its links and returns the entries.
// Between any two pages it calls between.
func (s *site) walk(path string, limit int, between func()) []document {
	s.t.Helper()
	var entries []document
	next := path + map[bool]string{false: "?", true: "&"}[strings.Contains(path, "?")] + fmt.Sprintf("limit=%d", limit)
	for {
		r := s.read(next)
		wantStatus(s.t, r, http.StatusOK)
		d := r.document(s.t)
		items, _ := d["items"].([]any)
		if len(items) > limit {
			s.t.Fatalf("GET %s: %d entries; want at most %d", next, len(items), limit)
		}
		for _, item := range items {
			entry, _ := item.(map[string]any)
			entries = append(entries, entry)
		}
		link, linked := strings.CutPrefix(r.header.Get("Link"), "<")
		link, rel := strings.CutSuffix(link, `>; rel="next"`)
		cursor, _ := d["next"].(string)
		if linked != (cursor != "") || linked != rel || linked && !strings.Contains(link, url.QueryEscape(cursor)) {
			s.t.Fatalf("GET %s: next %q, Link %q; want both or none, of one place", next, cursor, r.header.Get("Link"))
		}
		if !linked {
			return entries
		}
		next = link
		between()
	}
}

// ids returns the ids of entries as text.
func ids(entries []document) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = fmt.Sprint(e["id"])
	}
	return out
}

// aHistory fills a site with customers, accounts, transfers and statements.
func aHistory(t *testing.T) (s *site, account int64) {
	t.Helper()
	s = newSite(t)
	for i := range 15 {
		path, _ := s.newPerson(fmt.Sprintf("Name %02d", (i*7)%15/2)) // pairs have one name
		if i%3 == 0 {
			wantStatus(t, s.ask(http.MethodPatch, path, `{"status":"suspended"}`), http.StatusOK)
		}
	}
	a := append(s.accounts(8), s.accountsIn("USD", 3)...)
	wantStatus(t, s.ask(http.MethodPatch, fmt.Sprintf("/v2/accounts/%d", a[9]), `{"status":"frozen"}`), http.StatusOK)
	for i := range 14 {
		of := s.put(a[i%3], a[3+i%4], int64(10+(i*5)%14/2))
		if i%4 == 0 {
			if _, err := s.primary.Settle(t.Context(), []uuid.UUID{uuid.MustParse(strings.TrimPrefix(of, "/v2/transfers/"))}); err != nil {
				t.Fatal(err)
			}
		}
		if i%5 == 0 {
			r := s.ask(http.MethodPut, "/v2/refunds/"+uuid.NewString(), fmt.Sprintf(`{"transfer":%q,"amount":2}`, strings.TrimPrefix(of, "/v2/transfers/")))
			wantStatus(t, r, http.StatusCreated)
		}
	}
	for i := range 7 {
		id := uuid.New()
		r := s.ask(http.MethodPut, "/v2/statements/"+id.String(), fmt.Sprintf(`{"account":%d,"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z"}`, a[i%2]))
		wantStatus(t, r, http.StatusAccepted)
		if i%3 == 0 {
			if err := s.primary.BuildStatement(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s, a[0]
}

// TestAPINotifications turns the pages of what customers were told.
func TestAPINotifications(t *testing.T) {
	s := newSite(t)
	a := append(s.accounts(1), s.accounts(1)...)
	var events []store.TransferEvent
	for range 5 {
		id := uuid.MustParse(strings.TrimPrefix(s.put(a[0], a[1], 3), "/v2/transfers/"))
		events = append(events, event(domain.Transfer{ID: id}))
	}
	if _, err := s.primary.Notify(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	payer := one[int64](s.books, `SELECT customer_id FROM accounts WHERE id = $1`, a[0])
	mine := s.walk(fmt.Sprintf("/v2/notifications?sort=-id&customer=%d", payer), 2, func() {})
	if len(mine) != 5 || len(s.walk("/v2/notifications", 3, func() {})) != 10 {
		t.Errorf("%d notifications of the payer; want 5, and 10 of all", len(mine))
	}
	for _, n := range mine {
		if n["customer"] != float64(payer) || n["account"] != float64(a[0]) || n["amount"] != -3.0 {
			t.Errorf("notification %v; want 3 taken from account %d of customer %d", n, a[0], payer)
		}
	}
	wantRefused(t, s.read("/v2/notifications?customer=0"), http.StatusBadRequest, "malformed")
}

// compareBy orders entries by a field and, where that is the same, by id.
func compareBy(name string) func(a, b document) int {
	by := func(name string) func(a, b document) int {
		return func(a, b document) int {
			if x, ok := a[name].(float64); ok {
				y, _ := b[name].(float64)
				return cmp.Compare(x, y)
			}
			// Times have as many digits as they need.
			return strings.Compare(strings.TrimSuffix(fmt.Sprint(a[name]), "Z"), strings.TrimSuffix(fmt.Sprint(b[name]), "Z"))
		}
	}
	return func(a, b document) int { return cmp.Or(by(name)(a, b), by("id")(a, b)) }
}

// TestAPILists reads every list in every order and size of page.
func TestAPILists(t *testing.T) {
	s, _ := aHistory(t)
	for list, sorts := range map[string][]string{
		"/v2/customers":  {"id", "name", "created_at"},
		"/v2/accounts":   {"id", "created_at"},
		"/v2/transfers":  {"created_at", "amount"},
		"/v2/statements": {"created_at"},
	} {
		for _, sort := range sorts {
			t.Run(list+" by "+sort, func(t *testing.T) {
				all := s.walk(list+"?sort="+sort, 200, func() {})
				if len(all) < 7 || !slices.IsSortedFunc(all, compareBy(sort)) {
					t.Errorf("%d entries, not in order or too few: %v", len(all), ids(all))
				}
				want := ids(all)
				if diff := gocmp.Diff(want, ids(s.walk(list+"?sort="+sort, 3, func() {}))); diff != "" {
					t.Errorf("in pages of three (-whole +pages):\n%s", diff)
				}
				slices.Reverse(want)
				if diff := gocmp.Diff(want, ids(s.walk(list+"?sort=-"+sort, 4, func() {}))); diff != "" {
					t.Errorf("descending (-ascending reversed +got):\n%s", diff)
				}
			})
		}
		if first := s.read(list); first.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control = %s; want no-store", list, first.header.Get("Cache-Control"))
		}
	}
}

// TestAPIFilters holds every filter against the whole list.
func TestAPIFilters(t *testing.T) {
	s, account := aHistory(t)
	is := func(name string, want any) func(document) bool {
		return func(d document) bool { return d[name] == want }
	}
	transfers := s.walk("/v2/transfers", 200, func() {})
	middle := fmt.Sprint(transfers[len(transfers)/2]["created_at"])
	refund := transfers[slices.IndexFunc(transfers, func(d document) bool { return d["refund_of"] != nil })]
	email := fmt.Sprint(s.walk("/v2/customers?status=suspended", 200, func() {})[1]["email"])
	owner, _ := s.walk("/v2/accounts", 200, func() {})[0]["customer"].(float64)
	tests := []struct {
		list, filter string
		keep         func(document) bool
	}{
		{"/v2/customers", "status=suspended", is("status", "suspended")},
		{"/v2/customers", "email=" + url.QueryEscape(strings.ToUpper(email)), is("email", email)},
		{"/v2/customers", "status=suspended&email=" + url.QueryEscape(email), func(d document) bool { return d["status"] == "suspended" && d["email"] == email }},
		{"/v2/accounts", fmt.Sprintf("customer=%.0f", owner), is("customer", owner)},
		{"/v2/accounts", "currency=USD", is("currency", "USD")},
		{"/v2/accounts", "status=frozen", is("status", "frozen")},
		{"/v2/transfers", fmt.Sprintf("account=%d", account), func(d document) bool {
			return d["from"] == float64(account) || d["to"] == float64(account)
		}},
		{"/v2/transfers", "status=accepted", is("status", "accepted")},
		{"/v2/transfers", "status=settled", is("status", "settled")},
		{"/v2/transfers", fmt.Sprint("refund_of=", refund["refund_of"]), is("refund_of", refund["refund_of"])},
		{"/v2/transfers", "min_amount=13", func(d document) bool { n, _ := d["amount"].(float64); return n >= 13 }},
		{"/v2/transfers", "created_from=" + middle, func(d document) bool {
			return compareBy("created_at")(d, document{"created_at": middle, "id": ""}) >= 0
		}},
		{"/v2/transfers", "created_before=" + middle, func(d document) bool { return compareBy("created_at")(d, document{"created_at": middle, "id": ""}) < 0 }},
		{"/v2/statements", fmt.Sprintf("account=%d", account), is("account", float64(account))},
		{"/v2/statements", "status=ready", is("status", "ready")},
	}
	for _, tt := range tests {
		t.Run(tt.list+"?"+tt.filter, func(t *testing.T) {
			all := s.walk(tt.list, 200, func() {})
			want := slices.DeleteFunc(slices.Clone(all), func(d document) bool { return !tt.keep(d) })
			if len(want) == 0 || len(want) == len(all) {
				t.Fatalf("%d of %d entries are to be found; the filter does nothing", len(want), len(all))
			}
			got := s.walk(tt.list+"?"+tt.filter, 2, func() {})
			if diff := gocmp.Diff(ids(want), ids(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAPIPagesUnderInserts walks through lists while others insert. Nothing that
// was there is skipped, and nothing comes twice.
func TestAPIPagesUnderInserts(t *testing.T) {
	s, account := aHistory(t)
	other := s.accounts(1)[0]
	customer := one[int64](s.books, `SELECT min(id) FROM customers`)
	var inserts sync.WaitGroup
	inserted := 0
	places := make(chan struct{}, 32) // fewer than the service takes at once
	// Each insert is under way while the next page is read.
	insert := func() {
		inserted++
		i := inserted
		places <- struct{}{}
		inserts.Go(func() {
			defer func() { <-places }()
			name := fmt.Sprintf(`{"name":"Name %02d","email":"%d@example.org"}`, i%9, i)
			s.ask(http.MethodPost, "/v2/customers", name, "Idempotency-Key", uuid.NewString())
			s.ask(http.MethodPost, "/v2/accounts", fmt.Sprintf(`{"customer":%d,"currency":"EUR"}`, customer), "Idempotency-Key", uuid.NewString())
			s.ask(http.MethodPut, "/v2/transfers/"+uuid.NewString(), transferBody(account, other, int64(1+i%15)))
			s.ask(http.MethodPut, "/v2/statements/"+uuid.NewString(), fmt.Sprintf(`{"account":%d,"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z"}`, account))
		})
	}
	for _, list := range []string{
		"/v2/customers?sort=id", "/v2/customers?sort=name", "/v2/customers?sort=-name", "/v2/customers?sort=-created_at", "/v2/accounts?sort=-id",
		"/v2/accounts?sort=created_at", "/v2/transfers?sort=created_at", "/v2/transfers?sort=-created_at", "/v2/transfers?sort=amount",
		"/v2/transfers?sort=-amount", "/v2/statements?sort=-created_at",
	} {
		before := ids(s.walk(list, 200, func() {}))
		entries := s.walk(list, 3, insert)
		seen := map[string]int{}
		for _, id := range ids(entries) {
			seen[id]++
			if seen[id] == 2 {
				t.Errorf("%s: %s came twice", list, id)
			}
		}
		for _, id := range before {
			if seen[id] == 0 {
				t.Errorf("%s: %s was skipped", list, id)
			}
		}
		sort, descending := strings.CutPrefix(list[strings.IndexByte(list, '=')+1:], "-")
		if descending {
			slices.Reverse(entries)
		}
		if !slices.IsSortedFunc(entries, compareBy(sort)) {
			t.Errorf("%s: entries are out of order", list)
		}
	}
	inserts.Wait()
	if n := one[int64](s.books, `SELECT count(*) FROM customers WHERE email LIKE '%.org'`); n != int64(inserted) || n < 20 {
		t.Errorf("%d customers were inserted; want %d, and 20 at least", n, inserted)
	}
}
