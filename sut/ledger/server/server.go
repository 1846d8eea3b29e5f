// Package server runs the HTTP side of a process: its health checks, its
// timeouts and its orderly end.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proofload/proofload/sut/ledger/obs"
)

// Health answers the health checks.
//
// An instance is alive as long as it answers. It becomes ready once it has
// reached everything it depends on, and then stays ready until it drains: what
// all instances share would, when it fails, take all of them out of the load
// balancer at once and add the balancer's own delay to the recovery.
type Health struct {
	mu       sync.Mutex
	pending  map[string]struct{}
	draining bool
}

// NewHealth returns a health that is ready once each of the gates was passed.
func NewHealth(gates ...string) *Health {
	h := &Health{pending: map[string]struct{}{}}
	for _, g := range gates {
		h.pending[g] = struct{}{}
	}
	return h
}

// Pass says that a gate was passed.
func (h *Health) Pass(gate string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pending, gate)
}

// Drain makes the instance unready for good.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Live answers the liveness check.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") }

// Ready answers the readiness check.
func (h *Health) Ready(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	draining, pending := h.draining, slices.Sorted(maps.Keys(h.pending))
	h.mu.Unlock()
	switch {
	case draining:
		answer(w, http.StatusServiceUnavailable, "draining")
	case len(pending) > 0:
		answer(w, http.StatusServiceUnavailable, "waiting for "+strings.Join(pending, ", "))
	default:
		answer(w, http.StatusOK, "ready")
	}
}

// Handler serves nothing but the health checks.
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", h.Live)
	mux.HandleFunc("GET /readyz", h.Ready)
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client is gone if this fails; there is nobody to tell
}

// Options are the bounds of a server.
type Options struct {
	Listen         string
	RequestTimeout time.Duration // what handlers are given; writing may take a little longer
	DrainDelay     time.Duration // between becoming unready and refusing connections
	DrainTimeout   time.Duration // for requests in flight to finish
}

// Run serves until ctx is done, then drains: it becomes unready, waits for
// load balancers to see that, finishes what is in flight and returns.
func Run(ctx context.Context, h http.Handler, health *Health, opts Options, log *slog.Logger) error {
	const slack = 2 * time.Second
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: slack,
		ReadTimeout:       opts.RequestTimeout + slack,
		WriteTimeout:      opts.RequestTimeout + 2*slack,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", opts.Listen, err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	log.InfoContext(ctx, "listening", slog.String("addr", ln.Addr().String()))
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}

	health.Drain()
	log.InfoContext(ctx, "draining", slog.Duration("delay", opts.DrainDelay))
	ctx = context.WithoutCancel(ctx)
	select {
	case err := <-served:
		return fmt.Errorf("serve while draining: %w", err)
	case <-time.After(opts.DrainDelay):
	}
	ctx, cancel := context.WithTimeout(ctx, opts.DrainTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("finish requests in flight: %w", err), srv.Close())
	}
	return nil
}

// PassWhen passes the gate once check succeeds, asking again after each pause.
func (h *Health) PassWhen(ctx context.Context, gate string, pause time.Duration, check func(context.Context) error, log *slog.Logger) {
	for {
		err := check(ctx)
		if err == nil {
			h.Pass(gate)
			return
		}
		log.WarnContext(ctx, "not ready", slog.String("gate", gate), obs.Err(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
