package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

// A Dependency is something outside of the process that it works with.
type Dependency struct {
	Name     string
	Required bool                        // the instance is not ready without it
	Check    func(context.Context) error // whether it works
	Breaker  *resilience.Breaker         // nil if none guards it
}

const (
	defaultEvery   = 30 * time.Second
	defaultAgain   = 500 * time.Millisecond
	defaultTimeout = 2 * time.Second
)

// HealthOptions say how dependencies are checked.
type HealthOptions struct {
	Every   time.Duration // between checks of what works; 0 means 30 s
	Again   time.Duration // between checks of what does not; 0 means 500 ms
	Timeout time.Duration // of a check; 0 means 2 s
	Log     *slog.Logger
}

// Health checks the dependencies in the background and answers the health
// checks. No answer waits for a dependency.
//
//	/livez    200 as long as the process answers, whatever its dependencies do
//	/readyz   200 if all that is required works, and the process does not drain
//	/healthz  the state of each dependency; 503 if one that is required is down
//
// A failure is known before its next check is due if somebody reports a
// [Health.Doubt], which is what a circuit breaker that opens is good for.
//
// A load balancer in front of instances that share their dependencies should
// not ask for /readyz as it is, for an outage would take out all instances at
// once, and with them what they can do without. With
// /readyz?exclude=database it learns whether the process takes requests; see
// [Health.Ready].
type Health struct {
	opts     HealthOptions
	draining atomic.Bool
	deps     []*dependency

	mu sync.Mutex // guards what changes of each dependency
}

// dependency is one that is watched.
type dependency struct {
	Dependency
	doubts chan struct{}

	state     state
	since     time.Time // of the state
	checked   time.Time
	latency   time.Duration // of the last check
	lastError string
	errorAt   time.Time
	failures  uint64
}

type state string

const (
	unknown state = "unknown" // not checked yet
	up      state = "up"
	down    state = "down"
)

// NewHealth returns the health of an instance with these dependencies, which
// is not ready before [Health.Run] has found those that are required to work.
func NewHealth(opts HealthOptions, deps ...Dependency) *Health {
	if opts.Every <= 0 {
		opts.Every = defaultEvery
	}
	if opts.Again <= 0 {
		opts.Again = defaultAgain
	}
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	h := &Health{opts: opts}
	for _, d := range deps {
		h.Add(d)
	}
	return h
}

// Add adds a dependency. It must not be called once [Health.Run] was.
func (h *Health) Add(d Dependency) {
	h.deps = append(h.deps, &dependency{
		Dependency: d, doubts: make(chan struct{}, 1), state: unknown, since: time.Now(),
	})
}

// Run checks the dependencies until ctx is done.
func (h *Health) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, d := range h.deps {
		wg.Go(func() { h.watch(ctx, d) })
	}
	wg.Wait()
}

func (h *Health) watch(ctx context.Context, d *dependency) {
	for {
		wait := h.opts.Every
		if !h.check(ctx, d) {
			wait = h.opts.Again
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-d.doubts:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Doubt has a dependency checked at once. It does not wait for that.
func (h *Health) Doubt(name string) {
	for _, d := range h.deps {
		if d.Name != name {
			continue
		}
		select {
		case d.doubts <- struct{}{}:
		default: // it will be checked
		}
	}
}

// Drain makes the instance unready for good.
func (h *Health) Drain() { h.draining.Store(true) }

// check checks a dependency once and reports whether it works.
func (h *Health) check(ctx context.Context, d *dependency) bool {
	bounded, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	began := time.Now()
	err := d.Check(bounded)
	if err != nil && ctx.Err() != nil {
		return false // the process ends; that is no failure
	}
	now := time.Now()
	found := up
	if err != nil {
		found = down
	}
	h.mu.Lock()
	was, held := d.state, now.Sub(d.since)
	d.checked, d.latency = now, now.Sub(began)
	if found != was {
		d.state, d.since = found, now
	}
	if err != nil {
		d.failures++
		// That a breaker refused the check does not say what is wrong.
		if !errors.Is(err, resilience.ErrOpen) || d.lastError == "" {
			d.lastError, d.errorAt = err.Error(), now
		}
	}
	h.mu.Unlock()
	h.tell(ctx, d, was, held, err)
	return err == nil
}

// tell logs a change of state.
func (h *Health) tell(ctx context.Context, d *dependency, was state, held time.Duration, err error) {
	name := slog.String(obs.DependencyKey, d.Name)
	switch {
	case err != nil && was != down:
		h.opts.Log.WarnContext(ctx, "dependency is down", name, slog.Bool("required", d.Required), obs.Err(err))
	case err == nil && was != up:
		h.opts.Log.InfoContext(ctx, "dependency is up", name, slog.Duration("after", held))
	}
}
