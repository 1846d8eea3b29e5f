// Package ledger is a payments service: transfers between accounts, booked
// twice, settled asynchronously. It is what the built-in systems under test
// run, and imports nothing of the harness.
//
// The package wires the processes together. What they are made of lies below:
//
//	domain    terms and rules
//	store     PostgreSQL
//	cache     Redis
//	payments  the use cases, on top of store and cache
//	api       HTTP
//	jobs      RabbitMQ: the outbox relay and the settlement
//	server    health checks, timeouts, draining
//	obs       logs and correlation ids
package ledger

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/payments"
	"github.com/proofload/proofload/sut/ledger/server"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	acquireTimeout  = time.Second
	workerTxTimeout = 10 * time.Second // a batch of the relay is published inside its transaction
	checkPause      = 500 * time.Millisecond
	drainTimeout    = 8 * time.Second
)

// RunAPI serves the HTTP interface until ctx is done, then drains.
func RunAPI(ctx context.Context, cfg Config, log *slog.Logger) (err error) {
	// What clients were promised is finished on these after ctx is done.
	opening := context.WithoutCancel(ctx)
	opts := store.Options{
		MaxConns:       int32(cfg.DatabaseConns), //nolint:gosec // bounded by LoadConfig
		AcquireTimeout: min(acquireTimeout, cfg.RequestTimeout), TxTimeout: cfg.RequestTimeout,
	}
	primary, err := store.OpenPrimary(opening, cfg.DatabaseURL, opts)
	if err != nil {
		return err
	}
	defer primary.Close()
	replica, err := store.OpenReplica(opening, cfg.ReplicaURL, opts)
	if err != nil {
		return err
	}
	defer replica.Close()
	c, err := cache.Open(cfg.RedisURL, cfg.CacheTTL, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()

	health := server.NewHealth("database")
	ledger := payments.New(primary, replica, c, cfg.RequestTimeout)
	handler := api.New(ledger, health, api.Options{
		Instance: cfg.Instance, RequestTimeout: cfg.RequestTimeout, MaxInFlight: cfg.MaxInFlight,
	}, log)
	return serve(ctx, handler, health, cfg, log, background{c.Run, databaseGate(health, primary, log)})
}

// RunWorker relays and settles until ctx is done.
func RunWorker(ctx context.Context, cfg Config, log *slog.Logger) (err error) {
	primary, err := store.OpenPrimary(context.WithoutCancel(ctx), cfg.DatabaseURL, store.Options{
		MaxConns:       int32(cfg.DatabaseConns), //nolint:gosec // bounded by LoadConfig
		AcquireTimeout: acquireTimeout, TxTimeout: workerTxTimeout,
	})
	if err != nil {
		return err
	}
	defer primary.Close()
	c, err := cache.Open(cfg.RedisURL, cfg.CacheTTL, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()

	health := server.NewHealth("database", "broker")
	broker := jobs.NewBroker(cfg.AMQPURL, log)
	relay := &jobs.Relay{Ledger: primary, Broker: broker, Interval: cfg.RelayInterval, Log: log}
	settlement := &jobs.Settlement{
		Ledger: primary, Cache: c, Broker: broker, Ready: func() { health.Pass("broker") }, Log: log,
	}
	return serve(ctx, health.Handler(), health, cfg, log,
		background{relay.Run, settlement.Run, c.Run, databaseGate(health, primary, log)})
}

// background is what runs beside the server of a process until it ends.
type background []func(context.Context)

// serve runs server and background until ctx is done or the server fails.
func serve(ctx context.Context, h http.Handler, health *server.Health, cfg Config, log *slog.Logger, bg background) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range bg {
		group.Go(func() error {
			run(ctx)
			return nil
		})
	}
	group.Go(func() error {
		return server.Run(ctx, h, health, server.Options{
			Listen: cfg.Listen, RequestTimeout: cfg.RequestTimeout, DrainDelay: cfg.DrainDelay, DrainTimeout: drainTimeout,
		}, log)
	})
	return group.Wait()
}

// databaseGate passes the gate of the database once it can serve.
func databaseGate(health *server.Health, primary *store.Primary, log *slog.Logger) func(context.Context) {
	return func(ctx context.Context) { health.PassWhen(ctx, "database", checkPause, primary.Check, log) }
}

// Migrate brings the schema up to date and returns its version. The database
// URL must lead straight to the primary, not to a pooler.
func Migrate(ctx context.Context, cfg Config, log *slog.Logger) (int64, error) {
	return store.Migrate(ctx, cfg.DatabaseURL, log)
}

// A SeedPlan says which accounts are to exist.
type SeedPlan struct {
	Accounts int    // ids 1 to this
	Currency string // ISO 4217
	Opening  int64  // balance each begins with, minor units
}

// Seed sees to it that the accounts of the plan exist and returns how many it
// made. Accounts that exist are left as they are.
func Seed(ctx context.Context, cfg Config, plan SeedPlan) (created int64, err error) {
	return store.Seed(ctx, cfg.DatabaseURL, plan.Accounts, plan.Currency, plan.Opening)
}

// NewLogger returns the logger of a process: JSON lines with correlation ids.
func NewLogger(w io.Writer, cfg Config) *slog.Logger {
	return obs.NewLogger(w, cfg.LogLevel, cfg.Instance)
}
