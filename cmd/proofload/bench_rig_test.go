//go:build integration

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/loadgen/ledgerload"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// What make bench-ledger and make soak run are benchmarks, so that no run of
// the tests starts them: each has one iteration, which takes minutes.

const (
	minAchieved   = 99.0 // percent of the arrivals that have to be sent in time
	steadyPhase   = "steady"
	settleTimeout = 5 * time.Minute
	maxBehind     = 1 << 20 // bytes of WAL that a replica may lack when the load begins
)

// A benchRig is a stack of its own, and the load for it.
type benchRig struct {
	st   *stack.Stack
	base string // URL of the entry point
	load *ledgerload.Workload

	drill int // number of the last one
}

// startRig stands a stack up that is removed when the benchmark ends, also by
// Ctrl-C or SIGTERM, which end the context returned.
func startRig(b *testing.B, id string, options map[string]string) (context.Context, *benchRig) {
	b.Helper()
	b.Cleanup(loadgen.CollectSeldom()) // as the command does
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	b.Cleanup(stop)
	if _, err := stack.Engine(ctx); err != nil {
		b.Fatal(err)
	}
	down := func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if _, err := stack.Down(bounded, false, id); err != nil {
			b.Error(err)
		}
	}
	down() // what was left by one that was killed
	b.Cleanup(down)
	say("standing up a stack with the data set %s", options["data"])
	st, err := stack.Up(ctx, stack.Config{Name: stack.LedgerName, ID: id, Run: id, Options: options})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Detach() })
	_, total := st.Parts()
	say("it is up after %s", total.Round(time.Second))
	r := &benchRig{st: st}
	r.base, _ = st.Endpoint("api")
	var nonce [6]byte
	rand.Read(nonce[:]) // never fails
	if r.load, err = ledgerload.New(ledgerload.Config{Seed: 1, Accounts: st.Accounts(), Nonce: nonce}); err != nil {
		b.Fatal(err)
	}
	if err := r.settle(ctx); err != nil {
		b.Fatal(err)
	}
	return ctx, r
}

// settle brings the databases to rest after the loading of data: what the
// loading left to do, and to write, would otherwise be done during the
// measurement.
func (r *benchRig) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := r.settlePrimary(ctx); err != nil {
		return err
	}
	for _, n := range r.st.Topology().ByRole(sut.RoleDatabase) {
		err := r.on(ctx, n.Name, func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "CHECKPOINT")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *benchRig) settlePrimary(ctx context.Context) error {
	return r.onPrimary(ctx, func(conn *pgx.Conn) error {
		for _, sql := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			var behind int64
			err := conn.QueryRow(ctx, `SELECT coalesce(max(pg_current_wal_lsn() - replay_lsn), 0)::bigint FROM pg_stat_replication`).Scan(&behind)
			if err != nil || behind < maxBehind {
				return err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("wait for replicas, which lack %d bytes: %w", behind, ctx.Err())
			}
		}
	})
}

// onPrimary gives a connection to the primary, past the pooler, as superuser.
func (r *benchRig) onPrimary(ctx context.Context, do func(*pgx.Conn) error) error {
	primary, err := r.st.Primary(ctx)
	if err != nil {
		return err
	}
	return r.on(ctx, primary.Name, do)
}

// on gives a connection to a database node, past the pooler, as superuser.
func (r *benchRig) on(ctx context.Context, node string, do func(*pgx.Conn) error) error {
	url, _ := r.st.Endpoint("postgres/" + node)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", node, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := do(conn); err != nil {
		return fmt.Errorf("query %s: %w", node, err)
	}
	return nil
}

// instances names the nodes that serve the interface.
func (r *benchRig) instances() []string {
	var names []string
	for _, n := range r.st.Topology().ByRole(sut.RoleService) {
		names = append(names, n.Name)
	}
	return names
}

// A stretch is load at one rate, measured after a warm-up.
type stretch struct {
	rate    float64 // a second
	warmUp  time.Duration
	measure time.Duration
}

// A loadResult is how a stretch went. Latencies count from when an operation
// was scheduled and are those of operations whose contract held.
type loadResult struct {
	Rate     float64              `json:"rate_per_s"`
	Seconds  float64              `json:"seconds"`
	Achieved float64              `json:"achieved_percent"` // of the arrivals: sent before the stretch ended
	LagP99   float64              `json:"send_lag_p99_ms"`
	Errors   map[string]int64     `json:"errors"` // by class
	All      opResult             `json:"all"`
	Ops      map[string]*opResult `json:"ops"`
}

type opResult struct {
	Count  int64   `json:"count"`
	Errors int64   `json:"errors"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

func newOpResult(c *history.Cell) opResult {
	quantile := func(q float64) float64 { return milliseconds(c.Latency(history.OK, q)) }
	return opResult{Count: c.Offered, Errors: c.Errors(), P50: quantile(0.5), P99: quantile(0.99), Max: quantile(1)}
}

// drive offers a stretch of load and returns how it went. It calls seen, which
// may be nil, with the end of each operation that is measured.
func (r *benchRig) drive(ctx context.Context, s stretch, seen func(*history.Event)) (loadResult, error) {
	rec, err := history.NewRecorder(io.Discard)
	if err != nil {
		return loadResult{}, err
	}
	r.drill++
	cfg := loadgen.Config{
		BaseURL: r.base, Workload: r.load, Recorder: rec, Drill: r.drill, Seed: 1, Start: rec.Now(),
		Phases: []loadgen.Phase{
			{Name: "warm-up", For: s.warmUp, From: s.rate / 2, To: s.rate},
			{Name: steadyPhase, For: s.measure, From: s.rate, To: s.rate},
		},
	}
	end := cfg.Start + s.warmUp + s.measure
	tally, inTime := history.NewTally(), int64(0)
	rec.Tap(func(e *history.Event) {
		if e.By != history.ByLoad || e.Kind == history.Invoke || e.Phase != steadyPhase {
			return
		}
		tally.Observe(e)
		if e.Sent > 0 && e.Sent <= end {
			inTime++
		}
		if seen != nil {
			seen(e)
		}
	})
	_, err = loadgen.Drive(ctx, cfg)
	err = errors.Join(err, rec.Close())
	if err != nil {
		return loadResult{}, err
	}
	all := tally.Cell("", "")
	result := loadResult{
		Rate: s.rate, Seconds: s.measure.Seconds(), Achieved: 100 * float64(inTime) / float64(max(1, all.Offered)),
		LagP99: milliseconds(all.Lag(0.99)), Errors: all.ByClass, All: newOpResult(all), Ops: map[string]*opResult{},
	}
	for _, op := range tally.Ops() {
		of := newOpResult(tally.Cell("", op))
		result.Ops[op] = &of
	}
	return result, nil
}

// holds reports whether the load was offered and served without an error, and
// within the limit (ms) at the 99th percentile.
func (l loadResult) holds(limit float64) bool {
	return l.All.Errors == 0 && l.All.P99 <= limit && l.Achieved >= minAchieved
}

// A machine is where a measurement was made, and when.
type machine struct {
	CPUs int       `json:"cpus"`
	Go   string    `json:"go"`
	At   time.Time `json:"at"`
}

func thisMachine() machine {
	return machine{runtime.NumCPU(), runtime.Version(), time.Now().UTC().Truncate(time.Second)}
}

// save writes raw figures and says where.
func save(b *testing.B, name string, figures any) {
	b.Helper()
	content, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join("..", "..", ".proofload", "bench")
	file, err := filepath.Abs(filepath.Join(dir, name+"-"+time.Now().UTC().Format("20060102-150405")+".json"))
	if err = errors.Join(err, os.MkdirAll(dir, 0o750)); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, append(content, '\n'), 0o600); err != nil {
		b.Fatal(err)
	}
	say("raw figures: %s", file)
}

// say prints a line at once: the benchmark's own log comes at its end.
func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

// variable reads a variable of the environment.
func variable[T any](b *testing.B, name string, otherwise T, parse func(string) (T, error)) T {
	b.Helper()
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	parsed, err := parse(value)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return parsed
}

func parseDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err == nil && d < 5*time.Second {
		err = fmt.Errorf("%s is shorter than 5s", d)
	}
	return d, err
}

func parseRate(value string) (float64, error) {
	rate, err := strconv.ParseFloat(value, 64)
	if err == nil && !(rate >= 1 && rate <= 100_000) {
		err = fmt.Errorf("%g a second is not from 1 to 100000", rate)
	}
	return rate, err
}

func parseText(value string) (string, error) { return value, nil }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
