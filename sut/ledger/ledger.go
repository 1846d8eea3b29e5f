// Package ledger is a payments service: transfers between accounts, booked
// twice, settled asynchronously. It is what the built-in systems under test
// run, and imports nothing of the harness.
//
// The package wires the processes together. What they are made of lies below:
//
//	domain      terms and rules
//	store       PostgreSQL
//	cache       Redis
//	payments    the use cases, on top of store and cache
//	api         HTTP
//	jobs        RabbitMQ: the outbox relay and what follows a request
//	server      health checks, timeouts, draining
//	resilience  circuit breakers
//	obs         logs, metrics, traces, notifications
package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/payments"
	"github.com/proofload/proofload/sut/ledger/resilience"
	"github.com/proofload/proofload/sut/ledger/server"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	lagEvery       = 5 * time.Second
	monthsAhead    = 2
	partitionsCare = 6 * time.Hour
	purgeCare      = time.Minute
	purgedAtOnce   = 1000
	careTimeout    = 2 * time.Minute
	careAgain      = time.Minute // after it failed
)

// RunAPI serves the HTTP interface until ctx is done, then drains. It logs JSON
// lines.
func RunAPI(ctx context.Context, cfg Config, logs io.Writer) (err error) {
	p, err := openProcess(ctx, "ledger-api", cfg, logs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	ledger := payments.New(p.primary, p.replica, p.cache, cfg.RequestTimeout)
	handler, err := api.New(ledger, api.Options{
		Instance: cfg.Instance, RequestTimeout: cfg.RequestTimeout, MaxInFlight: cfg.MaxInFlight,
		Telemetry: p.telemetry, Log: p.log,
	})
	if err != nil {
		return fmt.Errorf("make interface: %w", err)
	}
	return p.run(ctx, handler)
}

// RunWorker relays the outbox, does what was asked for and keeps things tidy
// until ctx is done. It logs JSON lines.
func RunWorker(ctx context.Context, cfg Config, logs io.Writer) (err error) {
	p, err := openProcess(ctx, "ledger-worker", cfg, logs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	breaker := p.breaker(context.WithoutCancel(ctx), resilience.Settings{Name: "broker", OpenFor: brokerOpenFor})
	broker := jobs.NewBroker(cfg.AMQPURL, jobs.Options{Breaker: breaker, Tracer: p.telemetry.Tracer, Log: p.log})
	p.onClose(broker.Close)
	consuming := newAwaited(jobs.Queues())
	p.health.Add(server.Dependency{Name: "broker", Required: true, Breaker: breaker, Check: func(ctx context.Context) error {
		if err := broker.Check(ctx); err != nil {
			return err
		}
		return consuming.wait(ctx)
	}})
	lag := store.NewLag(p.primary, p.replica, lagEvery)
	if err := p.measure(broker.Collector(), lag); err != nil {
		return err
	}
	relay := &jobs.Relay{Ledger: p.primary, Broker: broker, Interval: cfg.RelayInterval, Log: p.log}
	p.support = append(p.support, lag.Run)
	p.work = append(p.work, relay.Run,
		func(ctx context.Context) {
			broker.Consume(ctx, consuming.arrived,
				jobs.Settlement(p.primary, p.cache), jobs.Notifications(p.primary), jobs.Projection(p.primary),
				jobs.Statements(p.primary, cfg.Statements, cfg.StatementTime))
		},
		p.care("prepare partitions", partitionsCare, func(ctx context.Context) error {
			return p.primary.EnsurePartitions(ctx, monthsAhead)
		}),
		p.care("purge events", purgeCare, func(ctx context.Context) error {
			return purge(ctx, store.EventsKept, p.primary.PurgeEvents)
		}),
		p.care("purge notifications", purgeCare, func(ctx context.Context) error {
			return purge(ctx, store.NotificationsKept, p.primary.PurgeNotifications)
		}),
	)
	return p.run(ctx, nil)
}

// purge has what nobody will need again deleted, a little at a time.
func purge(
	ctx context.Context, kept time.Duration, some func(ctx context.Context, age time.Duration, limit int) (int64, error),
) error {
	for {
		deleted, err := some(ctx, kept, purgedAtOnce)
		if err != nil || deleted < purgedAtOnce {
			return err
		}
	}
}

// care returns a function that does something from time to time, until its
// context is done. The first time is at once.
func (p *process) care(what string, every time.Duration, do func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		for {
			bounded, cancel := context.WithTimeout(ctx, careTimeout)
			err := do(bounded)
			cancel()
			wait := every
			if err != nil && ctx.Err() == nil {
				wait = min(every, careAgain)
				p.log.WarnContext(ctx, "upkeep failed", slog.String("what", what), slog.Duration("again_in", wait), obs.Err(err))
			}
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	}
}

// awaited are names that have to come up once each.
type awaited struct {
	all chan struct{} // closed once they have

	mu      sync.Mutex
	missing []string
}

func newAwaited(names []string) *awaited {
	return &awaited{all: make(chan struct{}), missing: slices.Clone(names)}
}

// arrived notes one, which may come up again later.
func (a *awaited) arrived(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.Index(a.missing, name)
	if i < 0 {
		return
	}
	if a.missing = slices.Delete(a.missing, i, i+1); len(a.missing) == 0 {
		close(a.all)
	}
}

// wait waits until all have arrived. If ctx ends before, the error names those
// that have not.
func (a *awaited) wait(ctx context.Context) error {
	select {
	case <-a.all:
		return nil
	case <-ctx.Done():
		a.mu.Lock()
		defer a.mu.Unlock()
		return fmt.Errorf("not consuming yet: %s: %w", strings.Join(a.missing, ", "), ctx.Err())
	}
}

// NewLogger returns the logger of a process: JSON lines with correlation ids.
func NewLogger(w io.Writer, cfg Config) *slog.Logger {
	return obs.NewLogger(w, cfg.LogLevel, cfg.Instance)
}
