package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/payments"
	"github.com/proofload/proofload/sut/ledger/server"
)

const (
	transferID = "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"
	body       = `{"from":1,"to":2,"amount":250,"currency":"EUR"}`
)

// script is a ledger that does as the test says.
type script struct {
	place func(ctx context.Context, t domain.Transfer) (payments.Receipt, error)
	read  func(want domain.Consistency) (domain.Origin, error)
}

func (s script) Place(ctx context.Context, t domain.Transfer) (payments.Receipt, error) {
	return s.place(ctx, t)
}

func (s script) Transfer(_ context.Context, id uuid.UUID, want domain.Consistency) (domain.Transfer, domain.Origin, error) {
	origin, err := s.read(want)
	return domain.Transfer{ID: id, From: 1, To: 2, Amount: 250, Currency: "EUR", Status: domain.Settled, CreatedAt: time.Unix(0, 0)}, origin, err
}

func (s script) Account(_ context.Context, id int64, want domain.Consistency) (domain.Account, domain.Origin, error) {
	origin, err := s.read(want)
	return domain.Account{ID: id, Currency: "EUR", Balance: 100, Version: 3}, origin, err
}

// newHandler serves one request at a time.
func newHandler(l api.Ledger) http.Handler {
	return api.New(l, server.NewHealth(), api.Options{
		Instance: "api-1", RequestTimeout: 3 * time.Second, MaxInFlight: 1,
	}, slog.New(slog.DiscardHandler))
}

func do(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("X-Correlation-ID", "corr-1")
	h.ServeHTTP(w, r)
	return w
}

func TestPutTransferProblems(t *testing.T) {
	tests := []struct {
		err     error
		status  int
		code    string
		outcome string
	}{
		{domain.ErrConflict, 409, "id_conflict", ""},
		{domain.ErrSameAccount, 422, "same_account", ""},
		{fmt.Errorf("account 9: %w", domain.ErrUnknownAccount), 422, "unknown_account", ""},
		{domain.ErrWrongCurrency, 422, "wrong_currency", ""},
		{domain.ErrInsufficientFunds, 422, "insufficient_funds", ""},
		{fmt.Errorf("x: %w: %w", domain.ErrUnavailable, context.DeadlineExceeded), 503, "unavailable", ""},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), 504, "deadline", ""},
		{fmt.Errorf("x: %w: %w", domain.ErrUnknownOutcome, context.DeadlineExceeded), 504, "deadline", "unknown"},
		{fmt.Errorf("x: %w: server closed", domain.ErrUnknownOutcome), 503, "unknown_outcome", "unknown"},
		{fmt.Errorf("syntax error at password 'hunter2'"), 500, "internal", ""}, //nolint:perfsprint // as drivers do
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.err), func(t *testing.T) {
			h := newHandler(script{place: func(context.Context, domain.Transfer) (payments.Receipt, error) {
				return payments.Receipt{}, tt.err
			}})
			w := do(t, h, http.MethodPut, "/v1/transfers/"+transferID, body)
			var got struct {
				Title, Code, Outcome, Detail string
				Status                       int
				Correlation                  string `json:"correlation_id"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("body %q: %v", w.Body, err)
			}
			if w.Code != tt.status || got.Status != tt.status || got.Code != tt.code || got.Outcome != tt.outcome {
				t.Errorf("%v: status %d, body %+v; want %d %s, outcome %q", tt.err, w.Code, got, tt.status, tt.code, tt.outcome)
			}
			if got.Title != http.StatusText(tt.status) || got.Correlation != "corr-1" {
				t.Errorf("title %q, correlation %q; want %q, corr-1", got.Title, got.Correlation, http.StatusText(tt.status))
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("Content-Type = %q; want application/problem+json", ct)
			}
			if retry := w.Header().Get("Retry-After"); (retry != "") != (tt.status == 503) {
				t.Errorf("Retry-After = %q with status %d", retry, tt.status)
			}
			if tt.status >= 500 && strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("body %s repeats the cause of a failure", w.Body)
			}
		})
	}
}

func TestPutTransferAnswers(t *testing.T) {
	for replayed, status := range map[bool]int{false: 201, true: 200} {
		h := newHandler(script{place: func(_ context.Context, tr domain.Transfer) (payments.Receipt, error) {
			tr.Status, tr.CreatedAt = domain.Accepted, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600))
			return payments.Receipt{Transfer: tr, Replayed: replayed, Origin: domain.Origin{Source: domain.Primary, Timeline: 7}}, nil
		}})
		w := do(t, h, http.MethodPut, "/v1/transfers/"+transferID, body)
		want := `{"id":"` + transferID + `","from":1,"to":2,"amount":250,"currency":"EUR","status":"accepted","created_at":"2026-01-02T02:04:05.000006Z"}` + "\n"
		if diff := cmp.Diff(want, w.Body.String()); w.Code != status || diff != "" {
			t.Errorf("replayed %t: status %d; want %d; body (-want +got):\n%s", replayed, w.Code, status, diff)
		}
		wantHeaders(t, w, map[string]string{
			"Ledger-Instance": "api-1", "Ledger-Timeline": "7", "Ledger-Source": "primary",
			"X-Correlation-ID": "corr-1", "Content-Type": "application/json",
		})
	}
}

func wantHeaders(t *testing.T, w *httptest.ResponseRecorder, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s = %q; want %q", name, got, value)
		}
	}
}

func TestReads(t *testing.T) {
	tests := []struct {
		path   string
		origin domain.Origin
		want   domain.Consistency
		status int
	}{
		{"/v1/accounts/1", domain.Origin{Source: domain.Cache}, domain.Default, 200},
		{"/v1/accounts/1?consistency=strong", domain.Origin{Source: domain.Primary, Timeline: 2}, domain.Strong, 200},
		{"/v1/accounts/1?consistency=replica", domain.Origin{Source: domain.Replica, Timeline: 2}, domain.Follower, 200},
		{"/v1/transfers/" + transferID, domain.Origin{Source: domain.Cache}, domain.Default, 200},
		{"/v1/accounts/1?consistency=quorum", domain.Origin{}, "", 400},
		{"/v1/accounts/x", domain.Origin{}, "", 400},
		{"/v1/transfers/x", domain.Origin{}, "", 400},
		{"/v1/nothing", domain.Origin{}, "", 404},
		{"/elsewhere", domain.Origin{}, "", 404},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			h := newHandler(script{read: func(want domain.Consistency) (domain.Origin, error) {
				if want != tt.want {
					t.Errorf("consistency = %q; want %q", want, tt.want)
				}
				return tt.origin, nil
			}})
			w := do(t, h, http.MethodGet, tt.path, "")
			if w.Code != tt.status {
				t.Fatalf("status = %d; want %d; body %s", w.Code, tt.status, w.Body)
			}
			timeline := ""
			if tt.origin.Timeline > 0 {
				timeline = "2"
			}
			wantHeaders(t, w, map[string]string{
				"Ledger-Instance": "api-1", "Ledger-Timeline": timeline, "Ledger-Source": string(tt.origin.Source),
			})
		})
	}
}

func TestBodyTooLarge(t *testing.T) {
	h := newHandler(script{})
	if w := do(t, h, http.MethodPut, "/v1/transfers/"+transferID, strings.Repeat(" ", 5000)+body); w.Code != 400 {
		t.Errorf("status = %d; want 400", w.Code)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	h := newHandler(script{place: func(context.Context, domain.Transfer) (payments.Receipt, error) { panic("boom") }})
	for range 2 { // the second shows that the first gave its place back
		if w := do(t, h, http.MethodPut, "/v1/transfers/"+transferID, body); w.Code != 500 {
			t.Errorf("status = %d; want 500", w.Code)
		}
	}
}

func TestShedAndDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(script{place: func(ctx context.Context, _ domain.Transfer) (payments.Receipt, error) {
			<-ctx.Done()
			return payments.Receipt{}, ctx.Err()
		}})
		first := make(chan int)
		began := time.Now()
		go func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v1/transfers/"+transferID, strings.NewReader(body))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			first <- w.Code
		}()
		synctest.Wait()
		w := do(t, h, http.MethodPut, "/v1/transfers/"+transferID, body)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("beyond the limit: status %d, Retry-After %q; want 503 with one", w.Code, w.Header().Get("Retry-After"))
		}
		if w := do(t, h, http.MethodGet, "/livez", ""); w.Code != 200 {
			t.Errorf("health check beyond the limit: status %d; want 200", w.Code)
		}
		if code := <-first; code != 504 || time.Since(began) != 3*time.Second {
			t.Errorf("first request: status %d after %s; want 504 after 3s", code, time.Since(began))
		}
	})
}

func TestHangUpDoesNotCancel(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	h := newHandler(script{place: func(ctx context.Context, tr domain.Transfer) (payments.Receipt, error) {
		hangUp()
		return payments.Receipt{Transfer: tr}, ctx.Err()
	}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPut, "/v1/transfers/"+transferID, strings.NewReader(body)))
	if w.Code != 201 {
		t.Errorf("status = %d; want 201", w.Code)
	}
}
