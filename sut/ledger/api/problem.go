package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
)

// problem is a problem document (RFC 9457). The type is always about:blank,
// which that document allows to leave out; Code tells problems of one status
// apart.
type problem struct {
	Title       string `json:"title"`
	Status      int    `json:"status"`
	Detail      string `json:"detail,omitempty"`
	Code        string `json:"code"`
	Outcome     string `json:"outcome,omitempty"` // "unknown" if the change may have happened
	Correlation string `json:"correlation_id,omitempty"`
}

const retryAfterSeconds = "1"

var (
	errOverloaded       = errors.New("too many requests in flight")
	errNoRoute          = errors.New("no such resource")
	errMethodNotAllowed = errors.New("method not allowed")
)

// problemOf translates an error of a use case. Refusals are explained to the
// client; of failures it learns no more than it can act on.
func problemOf(err error) problem {
	p := describe(err)
	p.Title = http.StatusText(p.Status)
	if errors.Is(err, domain.ErrUnknownOutcome) {
		p.Outcome = "unknown"
		p.Detail = "the outcome is unknown: repeat the request with the same id"
	}
	return p
}

func describe(err error) problem {
	refusals := []struct {
		err    error
		status int
		code   string
	}{
		{domain.ErrConflict, http.StatusConflict, "id_conflict"},
		{domain.ErrSameAccount, http.StatusUnprocessableEntity, "same_account"},
		{domain.ErrUnknownAccount, http.StatusUnprocessableEntity, "unknown_account"},
		{domain.ErrWrongCurrency, http.StatusUnprocessableEntity, "wrong_currency"},
		{domain.ErrInsufficientFunds, http.StatusUnprocessableEntity, "insufficient_funds"},
		{domain.ErrNotFound, http.StatusNotFound, "not_found"},
		{errNoRoute, http.StatusNotFound, "no_route"},
		{errMethodNotAllowed, http.StatusMethodNotAllowed, "method_not_allowed"},
		{errOverloaded, http.StatusServiceUnavailable, "overloaded"},
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return problem{Status: r.status, Code: r.code, Detail: err.Error()}
		}
	}
	if _, ok := errors.AsType[malformedError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "malformed", Detail: err.Error()}
	}
	switch {
	// Waiting for a dependency in vain is that dependency's absence, also if
	// the wait was ended by a deadline of its own.
	case errors.Is(err, domain.ErrUnavailable):
		return problem{Status: http.StatusServiceUnavailable, Code: "unavailable", Detail: "a dependency is unavailable"}
	case errors.Is(err, context.DeadlineExceeded):
		return problem{Status: http.StatusGatewayTimeout, Code: "deadline", Detail: "the request took too long"}
	case errors.Is(err, domain.ErrUnknownOutcome):
		return problem{Status: http.StatusServiceUnavailable, Code: "unknown_outcome"}
	}
	return problem{Status: http.StatusInternalServerError, Code: "internal", Detail: "an internal error, see the log"}
}

// writeProblem answers with the problem document of an error.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.Correlation = obs.Correlation(r.Context())
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfterSeconds)
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

// writeJSON answers with a value whose encoding cannot fail.
func writeJSON(w http.ResponseWriter, status int, contentType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"title":"Internal Server Error","status":500,"code":"internal"}`)
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails; there is nobody to tell
}
