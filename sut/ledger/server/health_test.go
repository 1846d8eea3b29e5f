package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/proofload/proofload/sut/ledger/resilience"
	"github.com/proofload/proofload/sut/ledger/server"
)

var errGone = errors.New("connection refused")

// A thing is a dependency that can be broken.
type thing struct {
	broken atomic.Bool
	hangs  atomic.Bool // until its context ends
	checks atomic.Int64
}

func (d *thing) check(ctx context.Context) error {
	d.checks.Add(1)
	if d.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if d.broken.Load() {
		return errGone
	}
	return nil
}

// ask sends a health check and returns status and answer.
func ask(h *server.Health, path string) (status int, text string) {
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody)) //nolint:noctx // needs no context
	return w.Code, strings.TrimSpace(w.Body.String())
}

func wantReady(t *testing.T, h *server.Health, path string, status int, text string) {
	t.Helper()
	if gotStatus, got := ask(h, path); gotStatus != status || got != text {
		t.Errorf("%s = %d %q; want %d %q", path, gotStatus, got, status, text)
	}
	if gotStatus, _ := ask(h, "/livez"); gotStatus != http.StatusOK {
		t.Errorf("/livez = %d; want 200 whatever happens", gotStatus)
	}
}

// watch runs the health until the test ends.
func watch(t *testing.T, h *server.Health) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// TestReadiness has what is required and what is not go away and come back.
func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var database, redis thing
		h := server.NewHealth(server.HealthOptions{},
			server.Dependency{Name: "database", Required: true, Check: database.check},
			server.Dependency{Name: "redis", Check: redis.check})
		wantReady(t, h, "/readyz", 503, "waiting for database")
		database.broken.Store(true)
		redis.broken.Store(true)
		watch(t, h)
		synctest.Wait()
		wantReady(t, h, "/readyz", 503, "waiting for database")
		wantReady(t, h, "/readyz?exclude=database&draining=404", 200, "ready")
		database.broken.Store(false)
		<-time.After(500 * time.Millisecond) // what is down is checked this often
		synctest.Wait()
		wantReady(t, h, "/readyz", 200, "ready") // without redis
		database.hangs.Store(true)
		<-time.After(29 * time.Second)
		wantReady(t, h, "/readyz", 200, "ready") // as of the last check
		<-time.After(3*time.Second + time.Nanosecond)
		wantReady(t, h, "/readyz", 503, "waiting for database")
		database.hangs.Store(false)
		<-time.After(3 * time.Second)
		wantReady(t, h, "/readyz", 200, "ready")
		h.Drain()
		wantReady(t, h, "/readyz", 503, "draining")
		wantReady(t, h, "/readyz?exclude=database", 503, "draining")
		wantReady(t, h, "/readyz?exclude=database&draining=404", 404, "draining")
	})
}

// TestBackgroundChecks counts checks: one every 30 s of what works, two a
// second of what does not, and one at once of what is in doubt.
func TestBackgroundChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var database thing
		h := server.NewHealth(server.HealthOptions{}, server.Dependency{Name: "database", Required: true, Check: database.check})
		watch(t, h)
		count := func(what string, want int64) {
			t.Helper()
			synctest.Wait()
			if got := database.checks.Swap(0); got != want {
				t.Errorf("%d checks %s; want %d", got, what, want)
			}
		}
		count("at the start", 1)
		for range 100 { // asking does not check
			ask(h, "/readyz")
			ask(h, "/healthz")
		}
		count("while asked", 0)
		<-time.After(5 * time.Minute)
		count("in five minutes", 10)
		database.broken.Store(true)
		h.Doubt("redis")
		count("when something else is in doubt", 0)
		h.Doubt("database")
		h.Doubt("database")
		synctest.Wait()
		wantReady(t, h, "/readyz", 503, "waiting for database")
		database.checks.Store(0)
		<-time.After(10 * time.Second)
		count("in ten seconds of an outage", 20)
		database.broken.Store(false)
		h.Doubt("database")
		count("when it may be back", 1)
		wantReady(t, h, "/readyz", 200, "ready")
	})
}

// status is what /healthz says of a dependency, without what differs from run
// to run.
type status struct {
	Name, State, Breaker string
	Required             bool
	Since                time.Time
	LatencyMS            float64    `json:"latency_ms"`
	LastError            string     `json:"last_error"`
	LastErrorAt          *time.Time `json:"last_error_at"`
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now().UTC()
		var database, redis thing
		breaker := resilience.NewBreaker(resilience.Settings{Name: "redis", TripAfter: 2, OpenFor: 10 * time.Second})
		h := server.NewHealth(server.HealthOptions{},
			server.Dependency{Name: "database", Required: true, Check: func(ctx context.Context) error {
				<-time.After(1500 * time.Microsecond) // to be seen as the latency
				return database.check(ctx)
			}},
			server.Dependency{Name: "redis", Breaker: breaker, Check: func(ctx context.Context) error {
				return breaker.Do(ctx, redis.check)
			}})
		report := func(code int, state string, want ...status) {
			t.Helper()
			gotCode, text := ask(h, "/healthz")
			var got struct {
				Status       string
				Dependencies []status
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if gotCode != code || got.Status != state {
				t.Errorf("/healthz = %d %s; want %d %s", gotCode, got.Status, code, state)
			}
			if diff := cmp.Diff(want, got.Dependencies); diff != "" {
				t.Errorf("/healthz (-want +got):\n%s", diff)
			}
		}
		report(503, "down",
			status{Name: "database", State: "unknown", Required: true, Since: began},
			status{Name: "redis", State: "unknown", Since: began, Breaker: "closed"})
		watch(t, h)
		<-time.After(10 * time.Millisecond)
		ready := began.Add(1500 * time.Microsecond)
		report(200, "up",
			status{Name: "database", State: "up", Required: true, Since: ready, LatencyMS: 1.5},
			status{Name: "redis", State: "up", Since: began, Breaker: "closed"})

		redis.broken.Store(true)
		h.Doubt("redis")
		<-time.After(time.Second) // two failures, and a check that the breaker refuses
		failed, again := began.Add(10*time.Millisecond), began.Add(510*time.Millisecond)
		report(200, "degraded",
			status{Name: "database", State: "up", Required: true, Since: ready, LatencyMS: 1.5},
			status{Name: "redis", State: "down", Since: failed, Breaker: "open", LastError: errGone.Error(), LastErrorAt: &again})

		redis.broken.Store(false)
		<-time.After(10*time.Second + time.Millisecond)
		h.Drain()
		back := began.Add(11010 * time.Millisecond)
		report(200, "draining",
			status{Name: "database", State: "up", Required: true, Since: ready, LatencyMS: 1.5},
			status{Name: "redis", State: "up", Since: back, Breaker: "closed", LastError: errGone.Error(), LastErrorAt: &again})
	})
}

func TestHealthMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var database, redis thing
		redis.broken.Store(true)
		h := server.NewHealth(server.HealthOptions{},
			server.Dependency{Name: "database", Required: true, Check: database.check},
			server.Dependency{Name: "redis", Check: redis.check})
		watch(t, h)
		<-time.After(1600 * time.Millisecond)
		registry := prometheus.NewRegistry()
		registry.MustRegister(h.Collector())
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
		want := `# HELP ledger_dependency_check_failures_total Checks of a dependency that failed.
# TYPE ledger_dependency_check_failures_total counter
ledger_dependency_check_failures_total{dependency="database"} 0
ledger_dependency_check_failures_total{dependency="redis"} 4
# HELP ledger_dependency_checked_timestamp_seconds Unix time of the last check of a dependency.
# TYPE ledger_dependency_checked_timestamp_seconds gauge
ledger_dependency_checked_timestamp_seconds{dependency="database"} 9.466848e+08
ledger_dependency_checked_timestamp_seconds{dependency="redis"} 9.466848015e+08
# HELP ledger_dependency_up Whether the last check of a dependency went well.
# TYPE ledger_dependency_up gauge
ledger_dependency_up{dependency="database"} 1
ledger_dependency_up{dependency="redis"} 0
# HELP ledger_ready Whether the instance is ready.
# TYPE ledger_ready gauge
ledger_ready 1
`
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// TestChangesAreLogged logs when a dependency goes and comes, and not that it
// is still away.
func TestChangesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var database thing
		var out strings.Builder
		h := server.NewHealth(server.HealthOptions{Log: slog.New(slog.NewTextHandler(&out, nil))},
			server.Dependency{Name: "database", Required: true, Check: database.check})
		database.broken.Store(true)
		watch(t, h)
		<-time.After(2200 * time.Millisecond)
		database.broken.Store(false)
		<-time.After(time.Second)
		synctest.Wait()
		if got := strings.Count(out.String(), `"dependency is down" dependency=database required=true error="connection refused"`); got != 1 {
			t.Errorf("log %s: %d times down; want once", out.String(), got)
		}
		if got := strings.Count(out.String(), `"dependency is up" dependency=database after=2.5s`); got != 1 {
			t.Errorf("log %s: %d times up; want once, after 2.5s", out.String(), got)
		}
	})
}
