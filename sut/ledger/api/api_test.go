package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/payments"
)

func TestProblems(t *testing.T) {
	tests := []struct {
		err     error
		status  int
		code    string
		outcome string
	}{
		{domain.ErrConflict, 409, "id_conflict", ""},
		{domain.ErrSameAccount, 422, "same_account", ""},
		{fmt.Errorf("account 9: %w", domain.ErrUnknownAccount), 422, "unknown_account", ""},
		{domain.ErrUnknownCustomer, 422, "unknown_customer", ""},
		{domain.ErrWrongCurrency, 422, "wrong_currency", ""},
		{domain.ErrAccountNotOpen, 422, "account_not_open", ""},
		{domain.ErrInsufficientFunds, 422, "insufficient_funds", ""},
		{domain.ErrRefundExceeds, 422, "refund_exceeds", ""},
		{domain.ErrNotRefundable, 422, "not_refundable", ""},
		{domain.ErrEmailTaken, 409, "email_taken", ""},
		{domain.ErrInUse, 409, "in_use", ""},
		{domain.ErrNotEmpty, 409, "not_empty", ""},
		{domain.ErrVersion, 412, "version_mismatch", ""},
		{domain.ErrNotFound, 404, "not_found", ""},
		{domain.ErrBadCursor, 400, "bad_cursor", ""},
		{fmt.Errorf("x: %w: %w", domain.ErrUnavailable, context.DeadlineExceeded), 503, "unavailable", ""},
		{domain.ErrBehind, 503, "behind", ""},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), 504, "deadline", ""},
		{fmt.Errorf("x: %w: %w", domain.ErrUnknownOutcome, context.DeadlineExceeded), 504, "deadline", "unknown"},
		{fmt.Errorf("x: %w: server closed", domain.ErrUnknownOutcome), 503, "unknown_outcome", "unknown"},
		{errors.New("syntax error at password 'hunter2'"), 500, "internal", ""},
	}
	var fails error
	h := newHandler(t, fake{place: func(context.Context, domain.Transfer) (payments.Written[domain.Transfer], error) {
		return payments.Written[domain.Transfer]{Origin: domain.Origin{Source: domain.Primary, Timeline: 7}}, fails
	}})
	for _, version := range []string{"/v1", "/v2"} {
		for _, tt := range tests {
			t.Run(version+" "+tt.err.Error(), func(t *testing.T) {
				fails = tt.err
				w := do(t, h, http.MethodPut, version+"/transfers/"+transferID, body)
				got := wantProblem(t, w, tt.status, tt.code)
				if got.Outcome != tt.outcome || got.Instance != version+"/transfers/"+transferID {
					t.Errorf("outcome %q, instance %q; want %q, the path", got.Outcome, got.Instance, tt.outcome)
				}
				wantHeaders(t, w, map[string]string{"Ledger-Timeline": "7", "Ledger-Source": "primary"})
				if strings.Contains(w.Body.String(), "hunter2") {
					t.Errorf("body %s repeats the cause of a failure", w.Body)
				}
			})
		}
	}
}

// placed answers like a ledger that books everything.
func placed(replayed bool) func(context.Context, domain.Transfer) (payments.Written[domain.Transfer], error) {
	return func(_ context.Context, tr domain.Transfer) (payments.Written[domain.Transfer], error) {
		tr.Status, tr.CreatedAt = domain.Accepted, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600))
		return payments.Written[domain.Transfer]{Value: tr, Replayed: replayed, Origin: domain.Origin{
			Source: domain.Primary, Timeline: 7, Position: domain.Position{Timeline: 7, LSN: 0x3000060},
		}}, nil
	}
}

func TestPlaceTransfer(t *testing.T) {
	want := `{"id":"` + transferID + `","from":1,"to":2,"amount":250,"currency":"EUR","status":"accepted","created_at":"2026-01-02T02:04:05.000006Z"}` + "\n"
	for replayed, status := range map[bool]int{false: 201, true: 200} {
		h := newHandler(t, fake{place: placed(replayed)})
		for _, version := range []string{"/v1", "/v2"} {
			w := do(t, h, http.MethodPut, version+"/transfers/"+transferID, body, "Content-Type", "application/json")
			if diff := cmp.Diff(want, w.Body.String()); w.Code != status || diff != "" {
				t.Errorf("%s replayed %t: status %d; want %d; body (-want +got):\n%s", version, replayed, w.Code, status, diff)
			}
			wantHeaders(t, w, map[string]string{
				"Ledger-Instance": "api-1", "Ledger-Timeline": "7", "Ledger-Source": "primary", "Ledger-Position": "7-0/3000060",
				"X-Correlation-ID": "corr-1", "Content-Type": "application/json", "Cache-Control": "no-store",
			})
			if version == "/v2" {
				wantHeaders(t, w, map[string]string{"Location": "/v2/transfers/" + transferID, "ETag": `"accepted-0"`})
			}
		}
	}
}

func TestPlaceRefund(t *testing.T) {
	const refundID = "00000000-0000-8000-8000-000000000001"
	h := newHandler(t, fake{refund: func(r domain.Refund) (payments.Written[domain.Transfer], error) {
		return payments.Written[domain.Transfer]{Value: domain.Transfer{
			ID: r.ID, From: 2, To: 1, Amount: r.Amount, Currency: "EUR", RefundOf: r.Of, Status: domain.Accepted,
		}}, nil
	}})
	w := do(t, h, http.MethodPut, "/v2/refunds/"+refundID, `{"transfer":"`+transferID+`","amount":7}`)
	want := `{"id":"` + refundID + `","from":2,"to":1,"amount":7,"currency":"EUR","status":"accepted","refund_of":"` + transferID +
		`","created_at":"0001-01-01T00:00:00Z"}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); w.Code != 201 || diff != "" {
		t.Errorf("status %d; want 201; body (-want +got):\n%s", w.Code, diff)
	}
	wantHeaders(t, w, map[string]string{"Location": "/v2/transfers/" + refundID})
}

func TestReads(t *testing.T) {
	position := domain.Position{Timeline: 2, LSN: 0x3000060}
	tests := []struct {
		path   string
		want   domain.Reading
		origin domain.Origin
	}{
		{"/v2/accounts/1", domain.Reading{After: position}, domain.Origin{Source: domain.Cache}},
		{"/v2/accounts/1?consistency=strong", domain.Reading{Want: domain.Strong, After: position}, domain.Origin{Source: domain.Primary, Timeline: 2}},
		{"/v2/accounts/1?consistency=replica", domain.Reading{Want: domain.Follower, After: position}, domain.Origin{Source: domain.Replica, Timeline: 2}},
		{"/v2/transfers/" + transferID, domain.Reading{After: position}, domain.Origin{Source: domain.Cache}},
		{"/v1/accounts/1?consistency=replica", domain.Reading{Want: domain.Follower}, domain.Origin{Source: domain.Replica, Timeline: 2}},
		{"/v1/transfers/" + transferID, domain.Reading{}, domain.Origin{Source: domain.Cache}},
	}
	var asked domain.Reading
	var origin domain.Origin
	h := newHandler(t, fake{read: func(want domain.Reading) (domain.Origin, error) {
		asked = want
		return origin, nil
	}})
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, tt := range tests {
			t.Run(method+" "+tt.path, func(t *testing.T) {
				origin = tt.origin
				w := do(t, h, method, tt.path, "", "Ledger-Position", position.String())
				if w.Code != 200 {
					t.Fatalf("status = %d; want 200; body %s", w.Code, w.Body)
				}
				if diff := cmp.Diff(tt.want, asked); diff != "" {
					t.Errorf("reading (-want +got):\n%s", diff)
				}
				timeline := ""
				if tt.origin.Timeline > 0 {
					timeline = "2"
				}
				wantHeaders(t, w, map[string]string{"Ledger-Timeline": timeline, "Ledger-Source": string(tt.origin.Source)})
			})
		}
	}
}

func TestConditionalReads(t *testing.T) {
	h := newHandler(t, fake{read: func(domain.Reading) (domain.Origin, error) { return domain.Origin{Source: domain.Cache}, nil }})
	tests := []struct {
		noneMatch string
		status    int
	}{
		{`"3"`, 304}, {`W/"3"`, 304}, {`"2", "3"`, 304}, {`*`, 304}, {`"2"`, 200}, {`"2",W/"4"`, 200}, {`3`, 400}, {`"3`, 400}, {`"3" "4"`, 400},
	}
	for _, tt := range tests {
		w := do(t, h, http.MethodGet, "/v2/accounts/1", "", "If-None-Match", tt.noneMatch)
		if w.Code != tt.status || (w.Body.Len() == 0) != (tt.status == 304) {
			t.Errorf("If-None-Match %s: status %d, body %q; want %d", tt.noneMatch, w.Code, w.Body, tt.status)
		}
		if tt.status != 400 {
			wantHeaders(t, w, map[string]string{"ETag": `"3"`, "Cache-Control": "private, no-cache"})
		}
	}
}

func TestConditionalChanges(t *testing.T) {
	tests := []struct {
		match    string
		versions domain.Versions // that the ledger is asked for
		status   int             // 200 if it is asked
	}{
		{"", nil, 200},
		{`*`, nil, 200},
		{`"3"`, domain.Versions{3}, 200},
		{`"2", "3"`, domain.Versions{2, 3}, 200},
		{`W/"2","3" , "x"`, domain.Versions{3}, 200},
		{`W/"3"`, nil, 412},
		{`"x"`, nil, 412},
		{`"0"`, nil, 412},
		{`"03", "+3"`, nil, 412},
		{`3`, nil, 400},
		{`"3", *`, nil, 400},
	}
	var asked bool
	var versions domain.Versions
	h := newHandler(t, fake{customer: func(ifVersion domain.Versions, c domain.CustomerChange) (payments.Written[domain.Customer], error) {
		asked, versions = true, ifVersion
		if c.Name == nil || *c.Name != "Ada" || c.Email != nil || c.Status != nil {
			t.Errorf("change = %+v; want the name alone", c)
		}
		return payments.Written[domain.Customer]{Value: domain.Customer{ID: 7, Version: 4}}, nil
	}})
	for _, tt := range tests {
		asked, versions = false, nil
		w := do(t, h, http.MethodPatch, "/v2/customers/7", `{"name":"Ada"}`, "If-Match", tt.match, "Content-Type", "application/merge-patch+json")
		if w.Code != tt.status || asked != (tt.status == http.StatusOK) || !slices.Equal(versions, tt.versions) {
			t.Errorf("If-Match %s: status %d, versions %v; want %d, %v; body %s", tt.match, w.Code, versions, tt.status, tt.versions, w.Body)
		}
		if w.Code == 200 {
			wantHeaders(t, w, map[string]string{"ETag": `"4"`})
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/v2/customers/7", strings.NewReader(`{"name":"Ada"}`))
	r.Header["If-Match"] = []string{`"2"`, `"3", "5"`}
	if w := serve(h, r); w.Code != http.StatusOK || !slices.Equal(versions, domain.Versions{2, 3, 5}) {
		t.Errorf("If-Match in two lines: status %d, versions %v; want 200, 2 3 5; body %s", w.Code, versions, w.Body)
	}
}

// TestPages walks through a list by the links in its answers.
func TestPages(t *testing.T) {
	ids := []string{"00000000-0000-8000-8000-000000000001", "00000000-0000-8000-8000-000000000002", "00000000-0000-8000-8000-000000000003"}
	h := newHandler(t, fake{list: func(p domain.Page) (payments.List[domain.Transfer], error) {
		if p.Sort != domain.ByAmount || !p.Descending || p.Limit != 1 {
			t.Errorf("page = %+v; want one by descending amount", p)
		}
		i := 0
		if p.After != nil {
			i = 1 + strings.Index("789", p.After.Value)
		}
		l := payments.List[domain.Transfer]{Items: []domain.Transfer{{ID: uuid.MustParse(ids[i]), Amount: int64(7 + i)}}}
		if i < 2 {
			l.Next = &domain.Cursor{Value: string("789"[i]), ID: ids[i]}
		}
		return l, nil
	}})
	path, pages := "/v2/transfers?sort=-amount&limit=1&account=1", 0
	for ; path != ""; pages++ {
		w := do(t, h, http.MethodGet, path, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), ids[pages]) {
			t.Fatalf("page %d: status %d, body %s; want %s", pages, w.Code, w.Body, ids[pages])
		}
		wantHeaders(t, w, map[string]string{"Cache-Control": "no-store"})
		path, _ = strings.CutPrefix(w.Header().Get("Link"), "<")
		path, _ = strings.CutSuffix(path, `>; rel="next"`)
		if hasNext := strings.Contains(w.Body.String(), `"next":"`); hasNext != (path != "") {
			t.Errorf("page %d: next in body %t; link %q", pages, hasNext, path)
		}
		if path != "" && !strings.Contains(path, "account=1") {
			t.Errorf("link %q lacks the filter", path)
		}
	}
	if pages != 3 {
		t.Errorf("%d pages; want 3", pages)
	}
}

func TestEmptyList(t *testing.T) {
	h := newHandler(t, fake{list: func(domain.Page) (payments.List[domain.Transfer], error) {
		return payments.List[domain.Transfer]{}, nil
	}})
	if w := do(t, h, http.MethodGet, "/v2/transfers", ""); w.Code != 200 || w.Body.String() != `{"items":[]}`+"\n" {
		t.Errorf("status %d, body %s; want 200 and no items", w.Code, w.Body)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	h := newHandler(t, fake{place: func(context.Context, domain.Transfer) (payments.Written[domain.Transfer], error) { panic("boom") }})
	for range 2 { // the second shows that the first gave its place back
		wantProblem(t, do(t, h, http.MethodPut, "/v2/transfers/"+transferID, body), 500, "internal")
	}
}

func TestShedAndBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, fake{place: func(ctx context.Context, _ domain.Transfer) (payments.Written[domain.Transfer], error) {
			<-ctx.Done()
			return payments.Written[domain.Transfer]{}, ctx.Err()
		}})
		first := make(chan int)
		began := time.Now()
		go func() { first <- do(t, h, http.MethodPut, "/v2/transfers/"+transferID, body).Code }()
		synctest.Wait()
		wantProblem(t, do(t, h, http.MethodPut, "/v2/transfers/"+transferID, body), 503, "overloaded")
		if w := do(t, h, http.MethodGet, "/docs", ""); w.Code != 200 {
			t.Errorf("documentation beyond the limit: status %d; want 200", w.Code)
		}
		if code := <-first; code != 504 || time.Since(began) != 3*time.Second {
			t.Errorf("first request: status %d after %s; want 504 after 3s", code, time.Since(began))
		}
	})
}

func TestHangUpDoesNotCancel(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	h := newHandler(t, fake{place: func(ctx context.Context, tr domain.Transfer) (payments.Written[domain.Transfer], error) {
		hangUp()
		return payments.Written[domain.Transfer]{Value: tr}, ctx.Err()
	}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPut, "/v2/transfers/"+transferID, strings.NewReader(body)))
	if w.Code != 201 {
		t.Errorf("status = %d; want 201", w.Code)
	}
}

func TestGuards(t *testing.T) {
	asked := 0
	h := newHandler(t, fake{place: func(ctx context.Context, tr domain.Transfer) (payments.Written[domain.Transfer], error) {
		asked++
		if who := domain.PrincipalOf(ctx).Subject; who != "ada" {
			t.Errorf("principal = %q; want ada", who)
		}
		return payments.Written[domain.Transfer]{Value: tr}, nil
	}}, func(o *api.Options) {
		o.Guards = []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					api.Refuse(w, r, http.StatusUnauthorized, "unauthenticated", "say who you are")
					return
				}
				next.ServeHTTP(w, r.WithContext(domain.WithPrincipal(r.Context(), domain.Principal{Subject: "ada"})))
			})
		}}
	})
	wantProblem(t, do(t, h, http.MethodPut, "/v2/transfers/"+transferID, body), 401, "unauthenticated")
	w := do(t, h, http.MethodPut, "/v2/transfers/"+transferID, body, "Authorization", "Bearer x")
	if w.Code != 201 || asked != 1 {
		t.Errorf("status %d, asked %d times; want 201, once", w.Code, asked)
	}
	if w := do(t, h, http.MethodGet, "/docs", ""); w.Code != 200 {
		t.Errorf("documentation without a principal: status %d; want 200", w.Code)
	}
}

func TestDeprecation(t *testing.T) {
	h := newHandler(t, fake{read: func(domain.Reading) (domain.Origin, error) { return domain.Origin{}, nil }})
	for path, status := range map[string]int{"/v1/accounts/1": 200, "/v1/accounts/x": 400, "/v1/nothing": 404} {
		w := do(t, h, http.MethodGet, path, "")
		if w.Code != status {
			t.Errorf("GET %s = %d; want %d", path, w.Code, status)
		}
		wantHeaders(t, w, map[string]string{"Deprecation": "@1793491200", "Sunset": "Mon, 01 Nov 2027 00:00:00 GMT"})
		want := []string{
			`</docs/v1>; rel="deprecation"; type="text/html"`, `</docs/v1>; rel="sunset"; type="text/html"`,
			`</v2` + strings.TrimPrefix(path, "/v1") + `>; rel="successor-version"`,
		}
		if diff := cmp.Diff(want, w.Header()["Link"]); diff != "" {
			t.Errorf("Link of %s (-want +got):\n%s", path, diff)
		}
	}
	w := do(t, h, http.MethodGet, "/v2/accounts/1", "")
	wantHeaders(t, w, map[string]string{"Deprecation": "", "Sunset": "", "Link": ""})
}
