package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
)

const (
	problemType       = "application/problem+json"
	retryAfterSeconds = "1"
)

// A problem is a problem document (RFC 9457).
type problem struct {
	Type        string        `json:"type" format:"uri-reference" doc:"Where the kind of problem is documented." example:"/docs#insufficient_funds"`
	Title       string        `json:"title" doc:"The kind of problem in words." example:"Insufficient funds"`
	Status      int           `json:"status" doc:"The status code of the response." example:"422"`
	Detail      string        `json:"detail,omitempty" doc:"What went wrong this time." example:"account 7: insufficient funds"`
	Instance    string        `json:"instance,omitempty" format:"uri-reference" doc:"The path that was asked for." example:"/v2/transfers/6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"`
	Code        string        `json:"code" doc:"The kind of problem for programs." example:"insufficient_funds"`
	Outcome     string        `json:"outcome,omitempty" enum:"unknown" doc:"Set to unknown if the change may have happened, may happen still, or may never happen: repeat the request with the same id to learn it."`
	Correlation string        `json:"correlation_id,omitempty" doc:"What to look for in logs and traces." example:"b0c5f1b2-7d0f-4f0e-8c39-0f6f6f1f5e11"`
	Errors      []fieldReport `json:"errors,omitempty" doc:"What is wrong with which part of the request."`

	headers http.Header // of the response
}

// A fieldReport says what is wrong with one part of a request.
type fieldReport struct {
	Detail    string `json:"detail" example:"must be an integer from 1 to 9223372036854775807"`
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer into the body." example:"#/amount"`
	Parameter string `json:"parameter,omitempty" doc:"Name of a parameter of the path or the query."`
	Header    string `json:"header,omitempty" doc:"Name of a header."`
}

// Error implements error.
func (p *problem) Error() string { return p.Detail }

// GetStatus implements [huma.StatusError].
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders implements [huma.HeadersError].
func (p *problem) GetHeaders() http.Header { return p.headers }

// ContentType implements [huma.ContentTypeFilter].
func (p *problem) ContentType(string) string { return problemType }

// A refusal is an error that was found before any use case was asked.
type refusal struct {
	code   string
	detail string
	fields []fieldReport
}

// Error implements error.
func (r *refusal) Error() string { return r.detail }

func refuse(code, format string, args ...any) error {
	return &refusal{code: code, detail: fmt.Sprintf(format, args...)}
}

func invalid(field, detail string) error {
	return &refusal{
		code: "invalid", detail: field + ": " + detail, fields: []fieldReport{{Detail: detail, Pointer: "#/" + field}},
	}
}

// A failure is an error of a use case with where it came from, as far as that
// is known.
type failure struct {
	origin domain.Origin
	cause  error
}

// Error implements error.
func (f *failure) Error() string { return f.cause.Error() }

// Unwrap serves [errors.Is].
func (f *failure) Unwrap() error { return f.cause }

func failed(origin domain.Origin, cause error) error { return &failure{origin: origin, cause: cause} }

// problemOf translates an error. Refusals are explained to the client; of
// failures it learns no more than it can act on.
func problemOf(err error) *problem {
	k := kindOf(err)
	p := k.problem(err.Error())
	if p.Status >= http.StatusInternalServerError {
		p.Detail = k.advice
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		p.Errors = r.fields
	}
	if errors.Is(err, domain.ErrUnknownOutcome) {
		p.Outcome = "unknown"
		p.Detail = "the outcome is unknown: repeat the request with the same id"
	}
	if f, ok := errors.AsType[*failure](err); ok {
		setOrigin(p.headers, f.origin)
	}
	return p
}

// completeProblems is a [huma.Transformer]. It gives the problems that
// operations return what they share, and turns what huma found wrong with a
// request into problems of the same form.
func completeProblems(ctx huma.Context, _ string, v any) (any, error) {
	var p *problem
	switch found := v.(type) {
	case *problem:
		p = found
	case *huma.ErrorModel:
		p = problemOf(judge(found, ctx.Operation().Path))
		for name := range p.headers {
			ctx.SetHeader(name, p.headers.Get(name))
		}
	default:
		return v, nil
	}
	if x, ok := ctx.(*exchange); ok {
		x.status = p.Status
	}
	u := ctx.URL()
	p.Instance, p.Correlation = u.EscapedPath(), obs.Correlation(ctx.Context())
	return p, nil
}

// judge tells a body that can be read, but whose fields are wrong, from all
// else that can be wrong with the form of a request. The first version of the
// interface makes no difference.
func judge(found *huma.ErrorModel, path string) error {
	if found.Status >= http.StatusInternalServerError {
		return errors.New(found.Detail)
	}
	r := &refusal{code: "invalid", detail: found.Detail}
	details := make([]string, len(found.Errors))
	for i, e := range found.Errors {
		in, name, deeper := strings.Cut(e.Location, ".")
		report := fieldReport{Detail: e.Message}
		switch {
		case in == "header":
			report.Header = name
		case in != "body":
			report.Parameter = name
		case deeper:
			report.Pointer = "#/" + name
		default:
			name = "body"
		}
		if in != "body" || !deeper {
			r.code = "malformed"
		}
		details[i] = name + ": " + e.Message
		r.fields = append(r.fields, report)
	}
	if len(details) > 0 {
		r.detail = strings.Join(details, "; ")
	}
	if len(details) == 0 || strings.HasPrefix(path, v1+"/") {
		r.code = "malformed"
	}
	return r
}

// writeProblem answers with the problem of an error, outside of operations.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) { write(w, r, problemOf(err)) }

func write(w http.ResponseWriter, r *http.Request, p *problem) {
	p.Instance, p.Correlation = r.URL.EscapedPath(), obs.Correlation(r.Context())
	h := w.Header()
	maps.Copy(h, p.headers)
	h.Set("Content-Type", problemType)
	body, err := json.Marshal(p)
	if err != nil { // cannot be
		body = []byte(`{}`)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails; there is nobody to tell
}

// A kind is what problems of one kind have in common.
type kind struct {
	err    error // what errors are of this kind, nil for refusals of this package
	status int
	code   string
	title  string
	advice string // to clients
}

// problem returns a document of the kind.
func (k kind) problem(detail string) *problem {
	p := &problem{
		Type: docsPath + "#" + k.code, Title: k.title, Status: k.status, Detail: detail, Code: k.code,
		headers: http.Header{"Cache-Control": {noStore}},
	}
	if p.Status == http.StatusServiceUnavailable {
		p.headers.Set("Retry-After", retryAfterSeconds)
	}
	return p
}

func kindOf(err error) kind {
	r, refused := errors.AsType[*refusal](err)
	for _, k := range kinds() {
		if refused && k.code == r.code || !refused && k.err != nil && errors.Is(err, k.err) {
			return k
		}
	}
	return internal()
}

func internal() kind {
	return kind{
		nil, http.StatusInternalServerError, "internal", "Internal error",
		"an internal error: the log has more under the correlation id",
	}
}

// kinds returns all kinds of problems. An error that is of several kinds is of
// the first: waiting for a dependency in vain is that dependency's absence, also
// if the wait was ended by a deadline of its own.
func kinds() []kind {
	return []kind{
		{nil, http.StatusBadRequest, "malformed", "Malformed request", "path, query, headers or body cannot be read: see errors"},
		{domain.ErrBadCursor, http.StatusBadRequest, "bad_cursor", "Cursor of another list", "begin again at the first page"},
		{domain.ErrNotFound, http.StatusNotFound, "not_found", "Not found", "there is no such thing, or not any more"},
		{nil, http.StatusNotFound, "no_route", "No such resource", "the path is not part of the interface"},
		{nil, http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed", "the Allow header has the methods of the resource"},
		{nil, http.StatusNotAcceptable, "not_acceptable", "Not acceptable", "answers are application/json"},
		{nil, http.StatusRequestTimeout, "body_timeout", "Request too slow", "the body did not arrive in time: nothing was done"},
		{domain.ErrConflict, http.StatusConflict, "id_conflict", "Id used before", "make a new id for a new request"},
		{domain.ErrEmailTaken, http.StatusConflict, "email_taken", "Email address taken", "another customer has the address"},
		{domain.ErrInUse, http.StatusConflict, "in_use", "In use", "delete first what refers to it"},
		{domain.ErrNotEmpty, http.StatusConflict, "not_empty", "Account not empty", "only empty accounts can be closed"},
		{domain.ErrVersion, http.StatusPreconditionFailed, "version_mismatch", "Changed meanwhile", "read it again, with its new ETag"},
		{nil, http.StatusRequestEntityTooLarge, "too_large", "Body too large", "bodies have at most 8 KiB"},
		{nil, http.StatusUnsupportedMediaType, "unsupported_media_type", "Unsupported media type", "bodies are application/json in UTF-8, uncompressed"},
		{nil, http.StatusUnprocessableEntity, "invalid", "Invalid fields", "fields of the body are missing, unknown or out of range: see errors"},
		{domain.ErrSameAccount, http.StatusUnprocessableEntity, "same_account", "Same account twice", "payer and payee must differ"},
		{domain.ErrUnknownAccount, http.StatusUnprocessableEntity, "unknown_account", "Unknown account", "the body names an account that does not exist"},
		{domain.ErrUnknownCustomer, http.StatusUnprocessableEntity, "unknown_customer", "Unknown customer", "the body names a customer that does not exist"},
		{domain.ErrWrongCurrency, http.StatusUnprocessableEntity, "wrong_currency", "Wrong currency", "both accounts must have the currency of the transfer"},
		{domain.ErrAccountNotOpen, http.StatusUnprocessableEntity, "account_not_open", "Account not open", "frozen and closed accounts neither give nor take"},
		{domain.ErrCustomerNotActive, http.StatusUnprocessableEntity, "customer_not_active", "Customer not active", "suspended customers neither give nor take"},
		{domain.ErrInsufficientFunds, http.StatusUnprocessableEntity, "insufficient_funds", "Insufficient funds", "the payer has less than the amount"},
		{domain.ErrBalanceLimit, http.StatusUnprocessableEntity, "balance_limit", "Balance limit", "the payee's balance would be larger than 9223372036854775807"},
		{domain.ErrRefundExceeds, http.StatusUnprocessableEntity, "refund_exceeds", "Refund too large", "all refunds of a transfer together are at most its amount"},
		{domain.ErrNotRefundable, http.StatusUnprocessableEntity, "not_refundable", "Not refundable", "refunds cannot be refunded"},
		internal(),
		{nil, http.StatusServiceUnavailable, "overloaded", "Overloaded", "too many requests in flight: repeat it after Retry-After"},
		{domain.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "Dependency unavailable", "a dependency is unavailable, nothing was changed: repeat it after Retry-After"},
		{domain.ErrBehind, http.StatusServiceUnavailable, "behind", "Replica behind", "no replica has come as far as the position: repeat it after Retry-After"},
		{context.DeadlineExceeded, http.StatusGatewayTimeout, "deadline", "Took too long", "the request took too long"},
		{domain.ErrUnknownOutcome, http.StatusServiceUnavailable, "unknown_outcome", "Outcome unknown", "repeat the request with the same id to learn the outcome"},
	}
}
