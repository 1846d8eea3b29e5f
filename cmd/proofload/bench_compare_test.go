//go:build integration

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/compare"
)

// comparedScenario is a load on a system whose speed is set.
const comparedScenario = `proofload: scenario/v1
name: gate
about: A constant load on a system whose speed is set.
target: sim/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: warmup, for: 5s, rate: 20/s -> 200/s, score: false}
    - {name: steady, for: %s, rate: 200/s}
objectives:
  steady: {errors: 1%%}
`

// What is compared: the simulation answers after this time, or after so much more
// that medians, which the way there and back is part of, are a tenth higher.
const (
	comparedLatency = "20ms"
	slowerLatency   = "22.2ms"
)

// comparedFor is how long a phase is in which a tenth is promised to be found. In a
// shorter one there are too few windows for that, and in one of less than the
// other for any comparison.
const (
	comparedFor   = 5 * time.Minute
	comparedLeast = time.Minute
)

// comparedOrder is that of the runs: e is an equal one, s a slower one. They
// alternate, so that a machine that drifts in an hour does so for both. Seven
// equal runs are 21 pairs.
const comparedOrder = "esesesesesee"

// mostAgain is how many runs are done again, for they did not pass.
const mostAgain = 6

// A comparedRun is one whose profile was kept.
type comparedRun struct {
	name    string // of the baseline that it is kept as
	profile *compare.Profile
}

// A runComparer compares real runs of the simulation with each other.
type runComparer struct {
	program string
	dir     string // where the runs and baselines are
	length  time.Duration
	again   int // runs that did not pass
}

// BenchmarkCompare is what make bench-compare runs: runs of the simulation, one
// after another, and compare for each pair of them. BENCH_COMPARE is how long the
// compared phase is, BENCH_COMPARE_RUNS how many runs there are; what was run is
// kept in BENCH_COMPARE_DIR, and is not run again.
func BenchmarkCompare(b *testing.B) {
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	b.Cleanup(stop)
	c := &runComparer{length: variable(b, "BENCH_COMPARE", comparedFor, parseDuration)}
	if c.length < comparedLeast {
		b.Fatalf("BENCH_COMPARE: %s is too short to be compared, want %s", c.length, comparedLeast)
	}
	total := variable(b, "BENCH_COMPARE_RUNS", len(comparedOrder), parseRuns)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		b.Fatal(err)
	}
	c.dir = variable(b, "BENCH_COMPARE_DIR", filepath.Join(".proofload", "bench", "compare-"+c.length.String()), parseText)
	if !filepath.IsAbs(c.dir) {
		c.dir = filepath.Join(root, c.dir) // as the caller of make means it
	}
	if c.program = filepath.Join(os.Getenv("PROOFLOAD_BIN"), "proofload"); !filepath.IsAbs(c.program) {
		b.Fatal("PROOFLOAD_BIN names no directory with proofload in it")
	}
	if err = os.MkdirAll(c.dir, 0o750); err == nil {
		err = os.WriteFile(filepath.Join(c.dir, "gate.yaml"), fmt.Appendf(nil, comparedScenario, c.length), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Chdir(c.dir)
	say("%d runs, %s each, are kept in %s", total, c.length, c.dir)
	runs, err := c.runs(ctx, comparedOrder[:total])
	if err != nil {
		b.Fatal(err)
	}
	for _, problem := range c.report(runs) {
		b.Error(problem)
	}
	b.ReportMetric(0, "ns/op") // says nothing here
}

func parseRuns(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err == nil && (n < 3 || n > len(comparedOrder)) {
		err = fmt.Errorf("%d is not from 3 to %d", n, len(comparedOrder))
	}
	return n, err
}

// runs does those runs that are not there yet.
func (c *runComparer) runs(ctx context.Context, order string) ([]comparedRun, error) {
	var runs []comparedRun
	n := map[rune]int{}
	for _, kind := range order {
		n[kind]++
		name, latency := fmt.Sprintf("equal-%d", n[kind]), comparedLatency
		if kind == 's' {
			name, latency = fmt.Sprintf("slower-%d", n[kind]), slowerLatency
		}
		p, err := findBaseline(compare.Prefix+name, "gate")
		if errors.Is(err, fs.ErrNotExist) {
			if err = c.run(ctx, name, latency); err == nil {
				p, err = findBaseline(compare.Prefix+name, "gate")
			}
		}
		if err != nil {
			return nil, err
		}
		if last := p.Phases[len(p.Phases)-1]; last.For != c.length {
			return nil, fmt.Errorf("run %s in %s is of %s and not of %s: name another directory", name, c.dir, last.For, c.length)
		}
		said, err := c.proofload(ctx, "baseline", "show", name+"/gate")
		if err != nil {
			return nil, err
		}
		lines := strings.Split(strings.TrimSpace(said), "\n")
		say("%-9s latency=%s  %s", name, latency, lines[len(lines)-1])
		runs = append(runs, comparedRun{name, p})
	}
	return runs, nil
}

// run runs until the run may be a baseline: one whose generator fell behind would
// make each comparison with it inconclusive.
func (c *runComparer) run(ctx context.Context, name, latency string) error {
	for {
		_, runErr := c.proofload(ctx, "run", "gate.yaml", "--option", "latency="+latency, "--progress", "quiet")
		if ctx.Err() != nil {
			return fmt.Errorf("%w: what was run is kept in %s", ctx.Err(), c.dir)
		}
		said, err := c.proofload(ctx, "baseline", "set", "latest", name)
		if err == nil {
			return nil
		}
		c.again++
		say("%s is done again: %s", name, strings.TrimSpace(said))
		if c.again > mostAgain {
			return fmt.Errorf("%d runs did not pass, the machine is not quiet: %w", c.again, errors.Join(runErr, err))
		}
	}
}

// proofload returns what the program said.
func (c *runComparer) proofload(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, closeTimeout
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("proofload %s: %w", args[0], err)
	}
	return string(out), err
}

// report compares each run with each and says what of that is wrong.
func (c *runComparer) report(runs []comparedRun) (problems []string) {
	var equal, slower []comparedRun
	for _, r := range runs {
		if strings.HasPrefix(r.name, "equal") {
			equal = append(equal, r)
		} else {
			slower = append(slower, r)
		}
	}
	var alike, worse, back tallied
	for i, a := range equal {
		for _, b := range equal[i+1:] {
			alike.take(a, b, true)
		}
		for _, b := range slower {
			worse.take(a, b, false)
			back.take(b, a, false)
		}
	}
	say("equal:  %s; pairs share runs, %d of them share none", &alike, len(equal)/2)
	say("slower: %s", &worse)
	say("slower against equal, the other way round: %s", &back)
	say("runs that did not pass and were done again: %d", c.again)
	if alike.flagged+alike.unclear+back.flagged > 0 {
		problems = append(problems, fmt.Sprintf("what is not slower is called so: %v %v", alike.odd, back.odd))
	}
	if c.length >= comparedFor && worse.flagged < worse.pairs {
		problems = append(problems, fmt.Sprintf("%d of %d regressions are not seen", worse.pairs-worse.flagged, worse.pairs))
	}
	return problems
}

// tallied counts pairs, and by how much their medians differ in percent.
type tallied struct {
	pairs, flagged, unclear int
	whole                   int // of those flagged, for the phase as a whole
	changes                 []float64
	odd                     []string // the pairs that were flagged
}

// take compares two runs as the command does, the other way round too if either
// counts.
func (t *tallied) take(a, b comparedRun, either bool) {
	limits := compare.DefaultLimits(compare.DefaultThreshold)
	told := compare.Compare(a.profile, b.profile, limits)
	for _, d := range told.Differences {
		if d.Op == "" && d.Metric == "p50" {
			t.changes = append(t.changes, d.Change)
		}
	}
	if either && told.Outcome == check.Pass {
		told = compare.Compare(b.profile, a.profile, limits)
	}
	t.pairs++
	switch told.Outcome {
	case check.Fail:
		t.flagged++
		t.odd = append(t.odd, fmt.Sprintf("%s and %s: %s", a.name, b.name, told.Sentence))
		if slices.ContainsFunc(told.Differences, func(d reports.Difference) bool { return d.Worse && d.Op == "" }) {
			t.whole++
		}
	case check.Pass:
	default:
		t.unclear++
	}
}

func (t *tallied) String() string {
	if len(t.changes) == 0 {
		return fmt.Sprintf("%d of %d pairs flagged", t.flagged, t.pairs)
	}
	return fmt.Sprintf("%d of %d pairs flagged (%d for the phase as a whole), %d inconclusive; medians differ by %+.1f to %+.1f %%",
		t.flagged, t.pairs, t.whole, t.unclear, slices.Min(t.changes), slices.Max(t.changes))
}
