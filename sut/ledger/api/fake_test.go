package api_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/payments"
)

const (
	transferID = "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"
	body       = `{"from":1,"to":2,"amount":250,"currency":"EUR"}`
)

// fake is a ledger that does as the test says. Whatever a test does not expect
// to be asked panics.
type fake struct {
	api.Ledger

	place    func(ctx context.Context, t domain.Transfer) (payments.Written[domain.Transfer], error)
	refund   func(r domain.Refund) (payments.Written[domain.Transfer], error)
	read     func(want domain.Reading) (domain.Origin, error)
	list     func(p domain.Page) (payments.List[domain.Transfer], error)
	customer func(ifVersion domain.Versions, c domain.CustomerChange) (payments.Written[domain.Customer], error)
}

func (f fake) Place(ctx context.Context, t domain.Transfer) (payments.Written[domain.Transfer], error) {
	return f.place(ctx, t)
}

func (f fake) Refund(_ context.Context, r domain.Refund) (payments.Written[domain.Transfer], error) {
	return f.refund(r)
}

func (f fake) Transfer(_ context.Context, id uuid.UUID, want domain.Reading) (domain.Transfer, domain.Origin, error) {
	origin, err := f.read(want)
	return domain.Transfer{ID: id, From: 1, To: 2, Amount: 250, Currency: "EUR", Status: domain.Settled, CreatedAt: time.Unix(0, 0)}, origin, err
}

func (f fake) Account(_ context.Context, id int64, want domain.Reading) (domain.Account, domain.Origin, error) {
	origin, err := f.read(want)
	return domain.Account{ID: id, CustomerID: 7, Currency: "EUR", Status: domain.Open, Balance: 100, Version: 3}, origin, err
}

func (f fake) Transfers(
	_ context.Context, _ domain.TransferFilter, p domain.Page, _ domain.Reading,
) (payments.List[domain.Transfer], error) {
	return f.list(p)
}

func (f fake) ChangeCustomer(
	_ context.Context, _ int64, ifVersion domain.Versions, c domain.CustomerChange,
) (payments.Written[domain.Customer], error) {
	return f.customer(ifVersion, c)
}

// newHandler serves one request at a time.
func newHandler(tb testing.TB, l api.Ledger, change ...func(*api.Options)) http.Handler {
	tb.Helper()
	opts := api.Options{
		Instance: "api-1", RequestTimeout: 3 * time.Second, MaxInFlight: 1, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&opts)
	}
	h, err := api.New(l, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// do serves a request; headers are pairs.
func do(t *testing.T, h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("X-Correlation-ID", "corr-1")
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	h.ServeHTTP(w, r)
	return w
}

// doReader places a transfer with a body that comes from a reader.
func doReader(t *testing.T, h http.Handler, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v2/transfers/"+transferID, body)
	r.Header.Set("X-Correlation-ID", "corr-1")
	return serve(h, r)
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// report is a problem document.
type report struct {
	Type, Title, Code, Outcome, Detail, Instance string
	Status                                       int
	Correlation                                  string `json:"correlation_id"`
	Errors                                       []fieldReport
}

type fieldReport struct{ Detail, Pointer, Parameter, Header string }

// wantProblem checks that an answer is a problem document and returns it.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code string) report {
	t.Helper()
	var got report
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	if w.Code != status || got.Status != status || got.Code != code {
		t.Errorf("status %d, problem %+v; want %d %s", w.Code, got, status, code)
	}
	if got.Type != "/docs#"+code || got.Title == "" || got.Correlation != "corr-1" || got.Instance == "" {
		t.Errorf("type %q, title %q, correlation %q, instance %q; want /docs#%s, any, corr-1, any",
			got.Type, got.Title, got.Correlation, got.Instance, code)
	}
	wantHeaders(t, w, map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store"})
	if retry := w.Header().Get("Retry-After"); (retry != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("Retry-After = %q with status %d", retry, status)
	}
	return got
}

func wantHeaders(t *testing.T, w *httptest.ResponseRecorder, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s = %q; want %q", name, got, value)
		}
	}
}
