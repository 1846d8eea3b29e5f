package chaostest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A Row is what [Conformance] needs to know to try one kind of fault.
type Row struct {
	Kind   string
	Family string   // what its times are judged with
	Target string   // as a scenario names it
	Values []string // parameters, as NAME=VALUE
	Probe  Probe    // sees the target whole before, broken meanwhile and whole afterwards

	// Needs is what not every machine has, for example "netem in the kernel".
	// Where the fault is refused for the lack of it the row is skipped. A fault
	// that needs nothing must not be refused.
	Needs string

	// Calm says that the probe is not at work while the fault comes into effect,
	// because it takes itself what the fault takes away.
	Calm bool

	// Lasts is how long the fault lasts that ends by itself; zero: three seconds.
	Lasts time.Duration
}

// A Program is a program that injects faults, each in a process of its own and
// with a guard in another.
type Program interface {
	// Inject starts a process that injects the fault of a row for a while.
	Inject(t *testing.T, r Row, last time.Duration) Process

	// Start does what each start does first: it mends what processes left that
	// are no more.
	Start(ctx context.Context) error
}

// A Process has injected a fault, or is about to.
type Process interface {
	// Settled blocks until the process says that it has seen the fault in
	// effect, and returns how long after the inject call that was. The error
	// wraps [sut.ErrUnsupported] if the environment lacks what the fault needs.
	Settled(ctx context.Context) (time.Duration, error)

	// Ended blocks until the process has ended by itself, having seen the fault
	// gone, and returns how long after the recover call that was.
	Ended(ctx context.Context) (time.Duration, error)

	// Kill kills the process with SIGKILL, and its guard first if that is meant
	// too, and returns when the process is no more.
	Kill(guardToo bool) error

	// Pending returns how many faults its journal has that are not mended.
	Pending() (int, error)
}

// Conformance holds a program to what is wanted of every fault, whatever its
// kind, on a real environment:
//
//   - it is seen in effect and seen gone, by its own observation and by a client
//   - the program is killed with SIGKILL while it is in effect: within ten
//     seconds the target is whole and the journal has nothing pending
//   - the program and its guard are killed: the next start does the same
type Conformance struct {
	Program Program

	inEffect, whole map[string][]time.Duration // by family
}

// Test takes the fault of a row through its lives, in a test of the kind's name.
// The environment must be whole when it begins, and is when it ends.
func (c *Conformance) Test(t *testing.T, r Row) {
	t.Helper()
	t.Run(r.Kind, func(t *testing.T) {
		began := time.Now()
		l := &life{t: t, row: r, suite: c}
		l.expect(false, "before anything was done")
		l.ends()
		l.survivesRunner()
		l.survivesGuard()
		t.Logf("%s: all in %s", r.Kind, time.Since(began).Round(time.Millisecond))
	})
}

// Log prints the times of each family that were seen: inject to in effect and
// recover to whole.
func (c *Conformance) Log(t *testing.T) {
	t.Helper()
	t.Logf("%-12s %5s %22s %5s %22s", "family", "n", "inject to effect p95", "n", "recover to whole p95")
	for _, family := range slices.Sorted(maps.Keys(c.inEffect)) {
		in, out := c.inEffect[family], c.whole[family]
		t.Logf("%-12s %5d %22s %5d %22s", family, len(in), P95(in), len(out), P95(out))
	}
}

// P95 is the nearest rank of the 95th percentile, in whole milliseconds; zero
// of nothing.
func P95(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)*95+99)/100-1].Round(time.Millisecond)
}

// note keeps a time that was seen.
func (c *Conformance) note(inEffect bool, family string, took time.Duration) {
	if c.inEffect == nil {
		c.inEffect, c.whole = map[string][]time.Duration{}, map[string][]time.Duration{}
	}
	if inEffect {
		c.inEffect[family] = append(c.inEffect[family], took)
		return
	}
	c.whole[family] = append(c.whole[family], took)
}

// A life is one row at work.
type life struct {
	t     *testing.T
	row   Row
	suite *Conformance
}

// How long faults last that end by themselves, and those that are ended by
// force.
const (
	shortLife = 3 * time.Second
	longLife  = 5 * time.Minute
)

// ends injects the fault and lets its time run out.
func (l *life) ends() {
	l.t.Helper()
	last := l.row.Lasts
	if last == 0 {
		last = shortLife
	}
	p := l.inject(last)
	ctx, cancel := context.WithTimeout(l.t.Context(), last+recoverTimeout)
	defer cancel()
	took, err := p.Ended(ctx)
	if err != nil {
		l.t.Fatalf("ended by itself: %v", err)
	}
	l.suite.note(false, l.row.Family, took)
	l.t.Logf("%s: seen gone %s after the recover call", l.row.Kind, took.Round(time.Millisecond))
	l.clean(p, "after its end")
}

// survivesRunner kills the runner.
func (l *life) survivesRunner() {
	l.t.Helper()
	p := l.inject(longLife)
	began := time.Now()
	if err := p.Kill(false); err != nil {
		l.t.Fatal(err)
	}
	l.clean(p, "after the runner was killed")
	l.t.Logf("%s: clean %s after the runner was killed", l.row.Kind, time.Since(began).Round(time.Millisecond))
}

// survivesGuard kills runner and guard.
func (l *life) survivesGuard() {
	l.t.Helper()
	p := l.inject(longLife)
	if err := p.Kill(true); err != nil {
		l.t.Fatal(err)
	}
	if n, err := p.Pending(); err != nil || n == 0 {
		l.t.Fatalf("with runner and guard killed the journal has %d pending faults, %v", n, err)
	}
	began := time.Now()
	if err := l.suite.Program.Start(l.t.Context()); err != nil {
		l.t.Fatalf("the next start: %v", err)
	}
	l.clean(p, "after the next start")
	l.t.Logf("%s: clean %s after the next start", l.row.Kind, time.Since(began).Round(time.Millisecond))
}

// inject starts a process, and sees the fault in effect in both ways. The probe
// is at work from the beginning, if it may, so that there is traffic to break.
func (l *life) inject(last time.Duration) Process {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), settleTimeout)
	defer cancel()
	p := l.suite.Program.Inject(l.t, l.row, last)
	broken := make(chan error, 1)
	begin := make(chan struct{})
	go func() {
		<-begin
		broken <- l.see(ctx, true)
	}()
	if !l.row.Calm {
		close(begin)
	}
	took, err := p.Settled(ctx)
	if l.row.Calm {
		close(begin)
	}
	if err != nil {
		cancel()
		l.t.Logf("the probe, meanwhile: %v", <-broken)
		if errors.Is(err, sut.ErrUnsupported) && l.row.Needs != "" {
			l.t.Skipf("needs %s: %v", l.row.Needs, err)
		}
		l.t.Fatalf("settle: %v", err)
	}
	if err := <-broken; err != nil {
		l.t.Fatalf("seen in effect, but not by the probe: %v", err)
	}
	l.suite.note(true, l.row.Family, took)
	l.t.Logf("%s: seen in effect %s after the inject call", l.row.Kind, took.Round(time.Millisecond))
	return p
}

// clean wants the target whole and nothing pending, in time.
func (l *life) clean(p Process, when string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), healWithin)
	defer cancel()
	err := chaos.Watch(ctx, func(context.Context) error {
		n, err := p.Pending()
		if err == nil && n > 0 {
			err = fmt.Errorf("the journal has %d pending faults", n)
		}
		return err
	})
	if err = errors.Join(err, l.see(ctx, false)); err != nil {
		l.t.Fatalf("%s: %v", when, err)
	}
}

// expect wants the probe to agree before long.
func (l *life) expect(broken bool, when string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), effectTimeout)
	defer cancel()
	if err := l.see(ctx, broken); err != nil {
		l.t.Fatalf("%s: %v", when, err)
	}
}

// see probes until the target is as wanted.
func (l *life) see(ctx context.Context, want bool) error {
	return chaos.Watch(ctx, func(ctx context.Context) error {
		broken, err := l.row.Probe(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("probe: %w", err)
		case broken != want:
			return fmt.Errorf("the probe says broken: %t, want %t", broken, want)
		}
		return nil
	})
}
