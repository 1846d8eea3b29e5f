package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/resilience"
	"github.com/proofload/proofload/sut/ledger/server"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	acquireTimeout = time.Second
	drainTimeout   = 8 * time.Second
	flushTimeout   = 2 * time.Second // for what the collector of traces has not got yet

	// How long a circuit stays open until one call may try again, and how long
	// that may take. Meanwhile requests fail that might succeed, so both are
	// short where a return is awaited; a cache is only missed.
	databaseOpenFor = 300 * time.Millisecond
	databaseTryFor  = time.Second
	redisOpenFor    = 500 * time.Millisecond
	brokerOpenFor   = time.Second
)

// A process is what those that serve have in common. What it opens is closed
// by close, in the reverse order.
type process struct {
	cfg       Config
	log       *slog.Logger
	telemetry *obs.Telemetry
	health    *server.Health
	primary   *store.Primary
	replica   *store.Replica
	cache     *cache.Cache
	breakers  []*resilience.Breaker

	work    []func(context.Context) // ends when the process is told to
	support []func(context.Context) // ends when the work has, and the requests
	closers []func() error
}

// openProcess opens everything that API and worker share. No connection is
// made yet.
func openProcess(ctx context.Context, service string, cfg Config, logs io.Writer) (p *process, err error) {
	// What clients were promised is finished on what is opened here after ctx
	// is done.
	ctx = context.WithoutCancel(ctx)
	p = &process{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	notifier, err := p.openLog(ctx, service, logs)
	if err != nil {
		return p, err
	}
	p.telemetry, err = obs.NewTelemetry(ctx, obs.TelemetryOptions{
		Service: service, Instance: cfg.Instance, OTLPEndpoint: cfg.OTLPEndpoint, SampleRatio: cfg.TraceRatio, Log: p.log,
	})
	if err != nil {
		return p, err
	}
	p.onClose(func() error {
		bounded, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		if err := p.telemetry.Shutdown(bounded); err != nil {
			p.log.WarnContext(ctx, "traces were lost", obs.Err(err)) // no reason to fail: all that matters is done
		}
		return nil
	})
	p.health = server.NewHealth(server.HealthOptions{Every: cfg.HealthInterval, Log: p.log})
	p.support = append(p.support, p.health.Run)
	if err := p.openDatabase(ctx); err != nil {
		return p, err
	}
	if err := p.openCache(ctx); err != nil {
		return p, err
	}
	metrics := []prometheus.Collector{p.health.Collector()}
	if notifier != nil {
		metrics = append(metrics, notifier)
	}
	if err := p.measure(metrics...); err != nil {
		return p, err
	}
	return p, nil
}

// openLog makes the logger. If there is a webhook it also hears of what is
// critical, until everything else is closed.
func (p *process) openLog(ctx context.Context, service string, logs io.Writer) (*obs.Notifier, error) {
	p.log = NewLogger(logs, p.cfg)
	if p.cfg.AlertWebhook == "" {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	notifier, err := obs.NewNotifier(obs.NotifierOptions{
		Webhook: p.cfg.AlertWebhook, Service: service, Instance: p.cfg.Instance, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	p.log = obs.NewLogger(logs, p.cfg.LogLevel, p.cfg.Instance, notifier.Wrap)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { notifier.Run(ctx) })
	p.onClose(func() error {
		cancel()
		wg.Wait()
		return nil
	})
	return notifier, nil
}

// openDatabase opens the paths to the primary and to the replicas. Without
// replicas the primary answers.
func (p *process) openDatabase(ctx context.Context) (err error) {
	opts := store.Options{
		MaxConns:       int32(p.cfg.DatabaseConns), //nolint:gosec // bounded by LoadConfig
		AcquireTimeout: min(acquireTimeout, p.cfg.RequestTimeout), TxTimeout: p.cfg.RequestTimeout,
		Spans: p.telemetry.Tracer, SlowQuery: p.cfg.SlowQuery, Log: p.log,
	}
	opts.Breaker = p.breaker(ctx, resilience.Settings{Name: "database", OpenFor: databaseOpenFor, TryFor: databaseTryFor})
	if p.primary, err = store.OpenPrimary(ctx, p.cfg.DatabaseURL, opts); err != nil {
		return err
	}
	p.onClose(func() error { p.primary.Close(); return nil })
	p.health.Add(server.Dependency{Name: "database", Required: true, Check: p.primary.Check, Breaker: opts.Breaker})

	opts.Breaker = p.breaker(ctx, resilience.Settings{Name: "replica", OpenFor: databaseOpenFor, TryFor: databaseTryFor})
	if p.replica, err = store.OpenReplica(ctx, p.cfg.ReplicaURL, opts); err != nil {
		return err
	}
	p.onClose(func() error { p.replica.Close(); return nil })
	p.health.Add(server.Dependency{Name: "replica", Check: p.replica.Check, Breaker: opts.Breaker})
	return p.measure(p.primary.Collector("primary"), p.replica.Collector("replica"))
}

// openCache opens the cache, without which everything is right and slower.
func (p *process) openCache(ctx context.Context) (err error) {
	breaker := p.breaker(ctx, resilience.Settings{Name: "redis", OpenFor: redisOpenFor})
	p.cache, err = cache.Open(p.cfg.RedisURL, cache.Options{Breaker: breaker, Tracer: p.telemetry.Tracer, Log: p.log})
	if err != nil {
		return err
	}
	p.onClose(p.cache.Close)
	p.support = append(p.support, p.cache.Run)
	p.health.Add(server.Dependency{Name: "redis", Check: p.cache.Check, Breaker: breaker})
	return p.measure(p.cache.Collector())
}

// breaker returns the breaker of a dependency. When it opens, somebody is told
// and the health takes a look.
func (p *process) breaker(ctx context.Context, s resilience.Settings) *resilience.Breaker {
	s.OnChange = func(name string, from, to resilience.State) {
		level := slog.LevelDebug // a try, or one that failed
		switch {
		case from == resilience.Closed:
			level = obs.LevelCritical
		case to == resilience.Closed:
			level = slog.LevelInfo
		}
		p.log.Log(ctx, level, "circuit breaker changed", slog.String(obs.DependencyKey, name),
			slog.String("from", from.String()), slog.String("to", to.String()))
		if to != resilience.HalfOpen {
			p.health.Doubt(name)
		}
	}
	b := resilience.NewBreaker(s)
	p.breakers = append(p.breakers, b)
	return b
}

// measure adds metrics to those that are served.
func (p *process) measure(metrics ...prometheus.Collector) error {
	for _, m := range metrics {
		if err := p.telemetry.Registry.Register(m); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

func (p *process) onClose(closer func() error) { p.closers = append(p.closers, closer) }

// close closes what was opened, the last first.
func (p *process) close() error {
	var errs []error
	for _, closer := range slices.Backward(p.closers) {
		errs = append(errs, closer())
	}
	p.closers = nil
	return errors.Join(errs...)
}

// handler serves what operators ask for, and beside it the interface, if there
// is one. Operators are subject to none of the limits that protect the ledger.
func (p *process) handler(next http.Handler) http.Handler {
	operators := http.NewServeMux()
	operators.Handle("/", p.health.Handler())
	operators.Handle("GET /metrics", p.telemetry.Handler())
	if next == nil {
		return operators
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez", "/readyz", "/healthz", "/metrics":
			operators.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// run serves and works until ctx is done or the server fails. The interface is
// nil where there is none.
func (p *process) run(ctx context.Context, next http.Handler) error {
	if err := p.measure(resilience.Collector(p.breakers...)); err != nil {
		return err
	}
	supported, end := context.WithCancel(context.WithoutCancel(ctx))
	var support sync.WaitGroup
	for _, run := range p.support {
		support.Go(func() { run(supported) })
	}
	defer func() {
		end()
		support.Wait()
	}()
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range p.work {
		group.Go(func() error {
			run(ctx)
			return nil
		})
	}
	group.Go(func() error {
		return server.Run(ctx, p.handler(next), p.health, server.Options{
			Listen: p.cfg.Listen, RequestTimeout: p.cfg.RequestTimeout, ClientTimeout: p.cfg.ClientTimeout,
			DrainDelay: p.cfg.DrainDelay, DrainTimeout: drainTimeout,
		}, p.log)
	})
	return group.Wait()
}
