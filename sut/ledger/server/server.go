// Package server runs the HTTP side of a process: its health checks, its
// timeouts and its orderly end.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options are the bounds of a server.
type Options struct {
	Listen         string
	RequestTimeout time.Duration // what handlers are given; writing may take a little longer
	ClientTimeout  time.Duration // for the head of a request to arrive; bodies and answers get it beyond RequestTimeout
	DrainDelay     time.Duration // between becoming unready and refusing connections
	DrainTimeout   time.Duration // for requests in flight to finish
}

// Run serves until ctx is done, then drains: it becomes unready, waits for
// load balancers to see that, finishes what is in flight and returns. While it
// waits it serves on, and asks clients to leave the connection with each answer.
func Run(ctx context.Context, h http.Handler, health *Health, opts Options, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           hangUpWhenDraining(h, health),
		ReadHeaderTimeout: opts.ClientTimeout,
		ReadTimeout:       opts.RequestTimeout + opts.ClientTimeout,
		WriteTimeout:      opts.RequestTimeout + 2*opts.ClientTimeout,
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

// hangUpWhenDraining ends connections that are kept alive with an answer, so
// that few are left to be closed under a client that is about to use one.
func hangUpWhenDraining(next http.Handler, health *Health) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if health.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
