// Package api is the HTTP interface of the ledger.
//
// An answer of 201 or 200 to a transfer says that it is committed. Answers of
// the 4xx kind say that nothing was changed. After 503 and 504 the client has
// to repeat the request, with the same id, to learn what happened.
package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/payments"
)

// A Ledger serves the use cases; [payments.Ledger] does.
type Ledger interface {
	Place(ctx context.Context, t domain.Transfer) (payments.Receipt, error)
	Transfer(ctx context.Context, id uuid.UUID, want domain.Consistency) (domain.Transfer, domain.Origin, error)
	Account(ctx context.Context, id int64, want domain.Consistency) (domain.Account, domain.Origin, error)
}

// Health answers the health checks.
type Health interface {
	Live(w http.ResponseWriter, r *http.Request)
	Ready(w http.ResponseWriter, r *http.Request)
}

// Options are the bounds of the interface.
type Options struct {
	Instance       string
	RequestTimeout time.Duration
	MaxInFlight    int
}

const maxBody = 4 << 10

// New returns the handler of the whole interface. Health checks pass none of
// the limits that protect the ledger.
func New(ledger Ledger, health Health, opts Options, log *slog.Logger) http.Handler {
	h := handlers{ledger: ledger, log: log}
	r := chi.NewRouter()
	r.Use(identify(opts.Instance))
	r.Get("/livez", health.Live)
	r.Get("/readyz", health.Ready)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, errNoRoute) })
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, errMethodNotAllowed) })
	r.Route("/v1", func(r chi.Router) {
		r.Use(logRequests(log), recoverPanics(log), shed(opts.MaxInFlight), deadline(opts.RequestTimeout))
		r.Put("/transfers/{id}", h.putTransfer)
		r.Get("/transfers/{id}", h.getTransfer)
		r.Get("/accounts/{id}", h.getAccount)
	})
	return r
}

type handlers struct {
	ledger Ledger
	log    *slog.Logger
}

type transferBody struct {
	ID        uuid.UUID     `json:"id"`
	From      int64         `json:"from"`
	To        int64         `json:"to"`
	Amount    int64         `json:"amount"`
	Currency  string        `json:"currency"`
	Status    domain.Status `json:"status"`
	CreatedAt time.Time     `json:"created_at"`
}

type accountBody struct {
	ID       int64  `json:"id"`
	Currency string `json:"currency"`
	Balance  int64  `json:"balance"`
	Version  int64  `json:"version"`
}

func (h handlers) putTransfer(w http.ResponseWriter, r *http.Request) {
	t, err := readTransfer(w, r)
	if err != nil {
		h.fail(w, r, domain.Origin{}, err)
		return
	}
	receipt, err := h.ledger.Place(r.Context(), t)
	if err != nil {
		h.fail(w, r, receipt.Origin, err)
		return
	}
	status := http.StatusCreated
	if receipt.Replayed {
		status = http.StatusOK
	}
	h.answer(w, status, receipt.Origin, bodyOf(receipt.Transfer))
}

func readTransfer(w http.ResponseWriter, r *http.Request) (domain.Transfer, error) {
	id, err := parseID(chi.URLParam(r, "id"))
	if err != nil {
		return domain.Transfer{}, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return domain.Transfer{}, malformed("the body is larger than %d bytes", maxBody)
	}
	if err != nil {
		return domain.Transfer{}, malformed("the body ended early")
	}
	t, err := decodeTransfer(body)
	t.ID = id
	return t, err
}

func (h handlers) getTransfer(w http.ResponseWriter, r *http.Request) {
	id, err1 := parseID(chi.URLParam(r, "id"))
	want, err2 := parseConsistency(r.URL.Query().Get("consistency"))
	if err := errors.Join(err1, err2); err != nil {
		h.fail(w, r, domain.Origin{}, err)
		return
	}
	t, origin, err := h.ledger.Transfer(r.Context(), id, want)
	if err != nil {
		h.fail(w, r, origin, err)
		return
	}
	h.answer(w, http.StatusOK, origin, bodyOf(t))
}

func (h handlers) getAccount(w http.ResponseWriter, r *http.Request) {
	id, err1 := parseAccount(chi.URLParam(r, "id"))
	want, err2 := parseConsistency(r.URL.Query().Get("consistency"))
	if err := errors.Join(err1, err2); err != nil {
		h.fail(w, r, domain.Origin{}, err)
		return
	}
	a, origin, err := h.ledger.Account(r.Context(), id, want)
	if err != nil {
		h.fail(w, r, origin, err)
		return
	}
	h.answer(w, http.StatusOK, origin, accountBody(a))
}

func bodyOf(t domain.Transfer) transferBody {
	return transferBody{
		ID: t.ID, From: t.From, To: t.To, Amount: t.Amount, Currency: t.Currency, Status: t.Status, CreatedAt: t.CreatedAt.UTC(),
	}
}

// answer writes a success.
func (h handlers) answer(w http.ResponseWriter, status int, origin domain.Origin, body any) {
	setOrigin(w, origin)
	writeJSON(w, status, "application/json", body)
}

// fail writes a problem and logs the cause of a failure; a refusal needs no
// more than its request line.
func (h handlers) fail(w http.ResponseWriter, r *http.Request, origin domain.Origin, err error) {
	if problemOf(err).Status >= http.StatusInternalServerError {
		h.log.WarnContext(r.Context(), "request failed", obs.Err(err))
	}
	setOrigin(w, origin)
	writeProblem(w, r, err)
}

// setOrigin tells who served the request, as far as that is known.
func setOrigin(w http.ResponseWriter, origin domain.Origin) {
	if origin.Source != "" {
		w.Header().Set("Ledger-Source", string(origin.Source))
	}
	if origin.Timeline > 0 {
		w.Header().Set("Ledger-Timeline", strconv.Itoa(origin.Timeline))
	}
}
