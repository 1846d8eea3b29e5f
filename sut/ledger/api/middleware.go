package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/proofload/proofload/sut/ledger/obs"
)

var (
	errNoRoute    = refuse("no_route", "no such resource")
	errMethod     = refuse("method_not_allowed", "the resource has no such method")
	errOverloaded = refuse("overloaded", "too many requests in flight")
)

// Refuse answers a request with a problem document, for guards.
func Refuse(w http.ResponseWriter, r *http.Request, status int, code, detail string) {
	write(w, r, kind{status: status, code: code, title: http.StatusText(status)}.problem(detail))
}

// correlate names the instance and the request, in the answer and in the
// context.
func correlate(instance string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := obs.WithCorrelation(r.Context(), r.Header.Get(obs.CorrelationHeader))
			w.Header().Set(obs.CorrelationHeader, obs.Correlation(ctx))
			w.Header().Set("Ledger-Instance", instance)
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// logRequests writes one line for each request: writes and what was refused at
// level info; at debug reads that went well, which are most and matter least,
// and what failed, which is logged with its cause where it did.
func logRequests(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			next.ServeHTTP(ww, r)
			level := slog.LevelInfo
			if reads(r) && ww.Status() < http.StatusBadRequest || ww.Status() >= http.StatusInternalServerError {
				level = slog.LevelDebug
			}
			log.LogAttrs(r.Context(), level, "request",
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", ww.Status()),
				slog.Int("bytes", ww.BytesWritten()), slog.Duration("took", time.Since(began)))
		})
	}
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// recoverPanics turns a panic of a handler into an answer, except the one by
// which net/http aborts a response.
func recoverPanics(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer answerPanic(w, r, log)
			next.ServeHTTP(w, r)
		})
	}
}

// answerPanic must be deferred.
func answerPanic(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	log.Log(r.Context(), obs.LevelCritical, "handler panicked",
		slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	writeProblem(w, r, fmt.Errorf("panic: %v", cause))
}

// methodNotAllowed answers requests for which there is a path but no method.
func methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	methods := []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, m := range methods {
			lookUp := m
			if m == http.MethodHead {
				lookUp = http.MethodGet
			}
			if routes.Match(chi.NewRouteContext(), lookUp, r.URL.EscapedPath()) {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) == 0 {
			writeProblem(w, r, errNoRoute)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, r, errMethod)
	}
}

// shed refuses requests beyond a number in flight at once, without a queue: a
// request that waits for its turn wastes the deadline it has.
func shed(limit int) func(http.Handler) http.Handler {
	inFlight := make(chan struct{}, limit)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case inFlight <- struct{}{}:
				defer func() { <-inFlight }()
				next.ServeHTTP(w, r)
			default:
				writeProblem(w, r, errOverloaded)
			}
		})
	}
}

// budget bounds the time for a request.
//
// A client that hangs up does not end it. The work is short and bounded, and
// abandoning a query costs a database connection: a crowd of impatient clients
// would empty the pool.
func budget(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), d)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}
