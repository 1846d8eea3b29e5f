// Package api is the HTTP interface of the ledger, in two versions side by
// side, with the OpenAPI document and the pages that document it.
//
// An answer of 201 or 200 to a change says that it is committed. Answers of the
// 4xx kind say that nothing was changed. After 503 and 504 the client has to
// repeat the request, with the same id, to learn what happened.
//
// Requests pass this chain, outermost first:
//
//	correlate       names the request and the instance
//	telemetry       counts, times and traces it by the pattern of its route
//	logRequests     one line for each request
//	compress        gzip
//	recoverPanics   answers with a problem
//	deprecate       the headers of the first version
//	guards          authentication and rate limits, see [Options]
//	negotiate       media types and the query
//	budget          bounds the time from here on
//	receive         reads the body, within limits of size and time
//	shed            bounds the requests that are being worked on
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/payments"
)

// A Ledger serves the use cases; [payments.Ledger] does.
type Ledger interface {
	Customers
	Accounts
	Transfers
	Statements
	Notifications
}

// Customers serves the use cases of customers.
type Customers interface {
	CreateCustomer(ctx context.Context, c domain.NewCustomer) (payments.Written[domain.Customer], error)
	ReplaceCustomer(ctx context.Context, id int64, ifVersion domain.Versions, f domain.CustomerFields) (payments.Written[domain.Customer], error)
	ChangeCustomer(ctx context.Context, id int64, ifVersion domain.Versions, c domain.CustomerChange) (payments.Written[domain.Customer], error)
	DeleteCustomer(ctx context.Context, id int64, ifVersion domain.Versions) (domain.Origin, error)
	Customer(ctx context.Context, id int64, want domain.Reading) (domain.Customer, domain.Origin, error)
	Customers(ctx context.Context, f domain.CustomerFilter, p domain.Page, want domain.Reading) (payments.List[domain.Customer], error)
}

// Accounts serves the use cases of accounts.
type Accounts interface {
	OpenAccount(ctx context.Context, a domain.NewAccount) (payments.Written[domain.Account], error)
	SetAccountStatus(ctx context.Context, id int64, ifVersion domain.Versions, status domain.AccountStatus) (payments.Written[domain.Account], error)
	Account(ctx context.Context, id int64, want domain.Reading) (domain.Account, domain.Origin, error)
	Accounts(ctx context.Context, f domain.AccountFilter, p domain.Page, want domain.Reading) (payments.List[domain.Account], error)
}

// Transfers serves the use cases of transfers and refunds.
type Transfers interface {
	Place(ctx context.Context, t domain.Transfer) (payments.Written[domain.Transfer], error)
	Refund(ctx context.Context, r domain.Refund) (payments.Written[domain.Transfer], error)
	Transfer(ctx context.Context, id uuid.UUID, want domain.Reading) (domain.Transfer, domain.Origin, error)
	Transfers(ctx context.Context, f domain.TransferFilter, p domain.Page, want domain.Reading) (payments.List[domain.Transfer], error)
}

// Statements serves the use cases of statements.
type Statements interface {
	RequestStatement(ctx context.Context, s domain.Statement) (payments.Written[domain.Statement], error)
	DeleteStatement(ctx context.Context, id uuid.UUID) (domain.Origin, error)
	Statement(ctx context.Context, id uuid.UUID, want domain.Reading) (domain.Statement, domain.Origin, error)
	Statements(ctx context.Context, f domain.StatementFilter, p domain.Page, want domain.Reading) (payments.List[domain.Statement], error)
}

// Notifications serves the use case of notifications.
type Notifications interface {
	Notifications(ctx context.Context, f domain.NotificationFilter, p domain.Page, want domain.Reading) (payments.List[domain.Notification], error)
}

// Options are the surroundings and the bounds of the interface.
type Options struct {
	Instance       string
	RequestTimeout time.Duration // for the body to arrive and the work to be done
	MaxInFlight    int           // requests being worked on

	// Guards stand before everything that costs something, in this order. It
	// is theirs to refuse requests, for which there is [Refuse], and to put the
	// [domain.Principal] into the context.
	Guards []func(http.Handler) http.Handler

	Telemetry *obs.Telemetry // nil for none
	Log       *slog.Logger
}

// New returns the handler of the whole interface. Health checks and metrics
// are served beside it, so that none of its limits applies to them.
func New(ledger Ledger, opts Options) (http.Handler, error) {
	r := chi.NewRouter()
	r.Use(correlate(opts.Instance), middleware.GetHead)
	outer := r.With(observe(opts.Telemetry), logRequests(opts.Log), compress(), recoverPanics(opts.Log), deprecate)
	outer.NotFound(func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, errNoRoute) })
	outer.MethodNotAllowed(methodNotAllowed(r))
	inner := outer.With(opts.Guards...).With(
		negotiate, budget(opts.RequestTimeout), receive, shed(opts.MaxInFlight))

	s := newSurface(inner, opts.Log)
	customerOperations{ledger}.add(s)
	accountOperations{ledger}.add(s)
	transferOperations{ledger}.add(s)
	statementOperations{ledger}.add(s)
	notificationOperations{ledger}.add(s)
	firstVersion{ledger}.add(s)
	pages, err := documentation(s.OpenAPI())
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		outer.Method(http.MethodGet, p.path, p)
	}
	return r, nil
}

// observe counts, times and traces requests by the pattern of their route.
func observe(t *obs.Telemetry) func(http.Handler) http.Handler {
	if t == nil {
		return func(next http.Handler) http.Handler { return next }
	}
	return t.Middleware(func(r *http.Request) string { return chi.RouteContext(r.Context()).RoutePattern() })
}
