package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/proofload/proofload/sut/ledger/resilience"
)

var (
	errDown    = errors.New("down")
	errRefusal = errors.New("insufficient funds")
)

func fail(context.Context) error    { return errDown }
func succeed(context.Context) error { return nil }

// trip makes a closed breaker with TripAfter 3 open.
func trip(t *testing.T, b *resilience.Breaker) {
	t.Helper()
	for range 3 {
		if err := b.Do(t.Context(), fail); !errors.Is(err, errDown) {
			t.Fatalf("Do on a closed breaker = %v; want %v", err, errDown)
		}
	}
	if got := b.State(); got != resilience.OpenState {
		t.Fatalf("State after 3 failures = %s; want open", got)
	}
}

// TestBreakerLifeCycle opens a breaker, has a probe fail and the next one
// succeed.
func TestBreakerLifeCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		b := resilience.NewBreaker(resilience.Settings{
			Name: "redis", TripAfter: 3, OpenFor: time.Second,
			OnChange: func(name string, from, to resilience.State) {
				changes = append(changes, fmt.Sprintf("%s %s -> %s", name, from, to))
			},
		})
		trip(t, b)
		err := b.Do(t.Context(), func(context.Context) error {
			t.Error("an open breaker made a call")
			return nil
		})
		if !errors.Is(err, resilience.ErrOpen) || err.Error() != "redis: circuit open" {
			t.Errorf("Do on an open breaker = %v; want redis: circuit open", err)
		}

		<-time.After(time.Second + 1) // the clock of the bubble
		if got := b.State(); got != resilience.HalfOpen {
			t.Errorf("State after OpenFor = %s; want half-open", got)
		}
		if err := b.Do(t.Context(), fail); !errors.Is(err, errDown) {
			t.Errorf("probe = %v; want %v", err, errDown)
		}
		if err := b.Do(t.Context(), succeed); !errors.Is(err, resilience.ErrOpen) {
			t.Errorf("Do after a failed probe = %v; want open", err)
		}

		<-time.After(time.Second + 1)
		if err := b.Do(t.Context(), succeed); err != nil {
			t.Errorf("probe = %v; want nil", err)
		}
		want := []string{
			"redis closed -> open", "redis open -> half-open", "redis half-open -> open",
			"redis open -> half-open", "redis half-open -> closed",
		}
		if diff := cmp.Diff(want, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestBreakerProbesOnce has many callers arrive while the first one probes.
func TestBreakerProbesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := resilience.NewBreaker(resilience.Settings{Name: "redis", TripAfter: 3, OpenFor: time.Second})
		trip(t, b)
		<-time.After(time.Second + 1)

		leave := make(chan struct{})
		probe := make(chan error, 1)
		go func() {
			probe <- b.Do(t.Context(), func(context.Context) error {
				<-leave
				return nil
			})
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := b.Do(t.Context(), succeed); !errors.Is(err, resilience.ErrOpen) {
					t.Errorf("Do beside the probe = %v; want open", err)
				}
			})
		}
		wg.Wait()
		close(leave)
		if err := <-probe; err != nil {
			t.Errorf("probe = %v; want nil", err)
		}
		if err := b.Do(t.Context(), succeed); err != nil || b.State() != resilience.Closed {
			t.Errorf("Do after the probe = %v, %s; want nil, closed", err, b.State())
		}
	})
}

// TestBreakerCounts lists what does and what does not speak against a
// dependency.
// TestTryIsBounded has the call that tries whether the dependency is back hang.
func TestTryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := resilience.NewBreaker(resilience.Settings{Name: "database", TripAfter: 3, OpenFor: time.Second, TryFor: 2 * time.Second})
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		took := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			if err := b.Do(ctx, hang); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != want {
				t.Errorf("Do = %v after %s; want a deadline after %s", err, time.Since(began), want)
			}
		}
		trip(t, b)
		<-time.After(time.Second + 1)
		took(2 * time.Second)
		if got := b.State(); got != resilience.OpenState {
			t.Errorf("State after a try in vain = %s; want open", got)
		}
		<-time.After(time.Second + 1)
		if err := b.Do(ctx, succeed); err != nil {
			t.Fatal(err)
		}
		took(time.Minute - 4*time.Second - 2) // not bounded while closed
	})
}

func TestBreakerCounts(t *testing.T) {
	canceled := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	same := func(ctx context.Context) context.Context { return ctx }
	tests := []struct {
		name  string
		ctx   func(context.Context) context.Context
		calls []error
		want  resilience.State
	}{
		{"failures in a row", same, []error{errDown, errDown, errDown}, resilience.OpenState},
		{"failures with a success between", same, []error{errDown, errDown, nil, errDown, errDown}, resilience.Closed},
		{"failures with a refusal between", same, []error{errDown, errDown, errRefusal, errDown, errDown}, resilience.Closed},
		{"refusals", same, []error{errRefusal, errRefusal, errRefusal}, resilience.Closed},
		{"timeouts", same, []error{context.DeadlineExceeded, context.DeadlineExceeded, context.DeadlineExceeded}, resilience.OpenState},
		{"callers who gave up", same, []error{context.Canceled, context.Canceled, context.Canceled}, resilience.Closed},
		{"callers who had given up before", canceled, []error{errDown, errDown, errDown}, resilience.Closed},
		{
			"another breaker's refusals", same,
			[]error{fmt.Errorf("x: %w", resilience.ErrOpen), resilience.ErrOpen, resilience.ErrOpen},
			resilience.OpenState,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := resilience.NewBreaker(resilience.Settings{
				Name: "database", TripAfter: 3, OpenFor: time.Hour,
				IsFailure: func(err error) bool { return !errors.Is(err, errRefusal) },
			})
			ctx := tt.ctx(t.Context())
			for i, result := range tt.calls {
				err := b.Do(ctx, func(context.Context) error { return result })
				if ctx.Err() == nil && !errors.Is(err, result) {
					t.Errorf("call %d: Do = %v; want %v", i, err, result)
				}
			}
			if got := b.State(); got != tt.want {
				t.Errorf("State = %s; want %s", got, tt.want)
			}
		})
	}
}

// TestBreakerSurvivesPanic has a call panic: it counts as a failure, and the
// breaker does not stay busy with it.
func TestBreakerSurvivesPanic(t *testing.T) {
	b := resilience.NewBreaker(resilience.Settings{Name: "redis", TripAfter: 1, OpenFor: time.Hour})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Do swallowed the panic")
			}
		}()
		_ = b.Do(t.Context(), func(context.Context) error { panic("boom") })
	}()
	if got := b.State(); got != resilience.OpenState {
		t.Errorf("State after a panic = %s; want open", got)
	}
}

func TestNilBreaker(t *testing.T) {
	var b *resilience.Breaker
	if err := b.Do(t.Context(), fail); !errors.Is(err, errDown) {
		t.Errorf("Do = %v; want %v", err, errDown)
	}
	if b.State() != resilience.Closed || b.Name() != "" {
		t.Errorf("State, Name = %s, %q; want closed, empty", b.State(), b.Name())
	}
}

func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := resilience.NewBreaker(resilience.Settings{Name: "redis"})
		for i := range 5 {
			if got := b.State(); got != resilience.Closed {
				t.Fatalf("State after %d failures = %s; want closed", i, got)
			}
			_ = b.Do(t.Context(), fail)
		}
		if got := b.State(); got != resilience.OpenState {
			t.Errorf("State after 5 failures = %s; want open", got)
		}
		<-time.After(time.Second + 1)
		if got := b.State(); got != resilience.HalfOpen {
			t.Errorf("State after 1 s = %s; want half-open", got)
		}
	})
}

func TestCollector(t *testing.T) {
	down := resilience.NewBreaker(resilience.Settings{Name: "redis", TripAfter: 3, OpenFor: time.Hour})
	trip(t, down)
	for range 2 {
		_ = down.Do(t.Context(), succeed)
	}
	up := resilience.NewBreaker(resilience.Settings{Name: "primary"})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(resilience.Collector(down, nil, up))
	want := `# HELP ledger_breaker_opened_total Times that the circuit breaker of a dependency opened.
# TYPE ledger_breaker_opened_total counter
ledger_breaker_opened_total{dependency="primary"} 0
ledger_breaker_opened_total{dependency="redis"} 1
# HELP ledger_breaker_refused_total Calls that the circuit breaker of a dependency refused.
# TYPE ledger_breaker_refused_total counter
ledger_breaker_refused_total{dependency="primary"} 0
ledger_breaker_refused_total{dependency="redis"} 2
# HELP ledger_breaker_state State of the circuit breaker of a dependency: 0 closed, 1 half-open, 2 open.
# TYPE ledger_breaker_state gauge
ledger_breaker_state{dependency="primary"} 0
ledger_breaker_state{dependency="redis"} 2
`
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&got, f); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
