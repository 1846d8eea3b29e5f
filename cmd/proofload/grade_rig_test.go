//go:build integration

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/defects"
	"github.com/proofload/proofload/sut/stack"
)

// A grader plants defects in the service of a warm stack and has the judge look
// for them. The programs are those that make build made.
type grader struct {
	root string // of the module
	bin  string // directory of the sound programs
	dir  string // where runs are kept
	id   string // of the stack
	warm bool   // it was up before

	image string // of the service with a defect in it that the stack runs
}

// A grading is one run of a scenario against the service with a defect in it, or
// with none.
type grading struct {
	Defect   string   `json:"defect"` // empty: the sound service
	Group    string   `json:"group,omitempty"`
	Layer    string   `json:"layer,omitempty"`
	Scenario string   `json:"scenario"`
	Expected []string `json:"expected,omitempty"`
	Chance   bool     `json:"chance,omitempty"`
	Run      string   `json:"run"`
	Began    string   `json:"began"`
	Verdict  string   `json:"verdict"`
	Exit     int      `json:"exit"`
	Problem  string   `json:"problem,omitempty"`
	Named    []string `json:"named"`           // checks and metrics that failed
	Unclear  []string `json:"unclear"`         // those that came to no verdict
	Found    int      `json:"found,omitempty"` // what the expected check counted
	InRange  bool     `json:"in_range"`
	Detected bool     `json:"detected"`
	Right    bool     `json:"right"`   // an expected check is among those that failed
	Took     float64  `json:"took_s"`  // all of it, from building on
	Ready    float64  `json:"ready_s"` // of that, until the service was ready
}

// newGrader finds the programs, and brings the stack up unless it is. What was
// not up before is taken down again.
func newGrader(ctx context.Context, tb testing.TB) *grader {
	tb.Helper()
	if _, err := stack.Engine(ctx); err != nil {
		tb.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		tb.Fatal(err)
	}
	g := &grader{root: root, bin: os.Getenv("PROOFLOAD_BIN"), dir: filepath.Join(root, ".proofload", "grade"), id: stack.LedgerName}
	if g.bin == "" {
		g.bin = filepath.Join(root, "bin")
	}
	if err = os.MkdirAll(g.dir, 0o750); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { g.leave(context.WithoutCancel(ctx), tb) })
	tb.Setenv("PROOFLOAD_BIN", g.bin)
	st, err := stack.Attach(ctx, stack.Config{Name: stack.LedgerName, AsIs: true})
	if g.warm = err == nil; g.warm {
		err = st.Detach()
	} else if errors.Is(err, stack.ErrNotUp) {
		err = g.bringUp(ctx, nil)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// bringUp brings the stack up from nothing.
func (g *grader) bringUp(ctx context.Context, options map[string]string) error {
	st, err := stack.Up(ctx, stack.Config{Name: stack.LedgerName, Options: options})
	if st != nil {
		err = errors.Join(err, st.Detach())
	}
	return err
}

// leave leaves the stack as it was found.
func (g *grader) leave(ctx context.Context, tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	tb.Setenv("PROOFLOAD_BIN", g.bin)
	var err error
	if g.warm {
		err = g.renew(ctx, nil)
	} else {
		_, err = stack.Down(ctx, false, g.id)
	}
	if err = errors.Join(err, forget(ctx, g.image)); err != nil {
		tb.Error(err)
	}
}

// forget removes the image of a defect that the stack does not run any more, if
// there is one.
func forget(ctx context.Context, image string) error {
	if image == "" {
		return nil
	}
	return stack.RemoveImage(ctx, image)
}

// renew puts the service that PROOFLOAD_BIN names into the stack. One with other
// options, or that a defect has broken beyond that, is brought up from nothing.
func (g *grader) renew(ctx context.Context, options map[string]string) error {
	st, err := stack.Renew(ctx, stack.Config{Name: stack.LedgerName, Options: options})
	if err == nil {
		return st.Detach()
	}
	if ctx.Err() != nil {
		return err
	}
	say("the stack is brought up anew: %v", err)
	if _, downErr := stack.Down(ctx, false, g.id); downErr != nil {
		return errors.Join(err, downErr)
	}
	return g.bringUp(ctx, options)
}

// plant makes a directory of programs with defects in them: the service, or, for
// those of the stack, the proofload that makes its images. The others are the sound
// ones.
func (g *grader) plant(ctx context.Context, tb testing.TB, planted ...defects.Defect) (bin string) {
	tb.Helper()
	p, err := defects.Plant(ctx, g.root, tb.TempDir(), planted...)
	if err != nil {
		tb.Fatal(err)
	}
	bin = tb.TempDir()
	for _, command := range []string{"ledgerd", "linkd", "proofload"} {
		changed := slices.ContainsFunc(planted, func(d defects.Defect) bool {
			return command == "ledgerd" && !d.InStack() || command == "proofload" && d.InStack()
		})
		file := filepath.Join(bin, command)
		if changed {
			err = p.Build(ctx, command, file)
		} else {
			err = os.Symlink(filepath.Join(g.bin, command), file)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return bin
}

// bringUpWith has the programs of a directory bring the stack up from nothing, with
// images that another proofload would not make.
func (g *grader) bringUpWith(ctx context.Context, bin string, options map[string]string) error {
	args := []string{"up"}
	for name, value := range options {
		args = append(args, "--option", name+"="+value)
	}
	if _, err := stack.Down(ctx, false, g.id); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "proofload"), args...)
	cmd.Dir = g.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("bring up the stack with the defect in it: %w\n%s", err, out)
	}
	return nil
}

// try runs a scenario against the service with defects in it, of which the first
// gives the grading its name; with none it is the sound service.
func (g *grader) try(ctx context.Context, tb testing.TB, scenario string, planted ...defects.Defect) (tr grading, r *reports.Result) {
	tb.Helper()
	began := time.Now()
	tr = grading{Scenario: scenario, Began: began.UTC().Format(time.RFC3339)}
	bin := g.bin
	if len(planted) > 0 {
		d := planted[0]
		tr.Defect, tr.Group, tr.Layer, tr.Expected, tr.Chance = d.Name, d.Group, d.Layer, d.Checks, d.Chance
		bin = g.plant(ctx, tb, planted...)
	}
	tb.Setenv("PROOFLOAD_BIN", bin)
	src, err := defects.Scenario(scenario)
	if err != nil {
		tb.Fatal(err)
	}
	sc, err := scenarios.Parse(scenario, src, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if err = g.ready(ctx, bin, sc.Options, planted); err != nil {
		tb.Fatal(err)
	}
	tr.Ready = time.Since(began).Seconds()
	r = g.run(ctx, tb, sc, bin)
	tr.judge(r, planted)
	tr.Took = time.Since(began).Seconds()
	return tr, r
}

// ready has the stack run the programs of a directory, which have defects in them.
func (g *grader) ready(ctx context.Context, bin string, options map[string]string, planted []defects.Defect) (err error) {
	old := g.image
	g.image = ""
	switch {
	case slices.ContainsFunc(planted, defects.Defect.InStack):
		if err = g.bringUpWith(ctx, bin, options); err == nil {
			g.image, err = databaseImage(ctx)
		}
	default:
		if err = g.renew(ctx, options); err == nil && len(planted) > 0 {
			g.image, err = stack.ServiceImage(ctx)
		}
	}
	if old != g.image {
		err = errors.Join(err, forget(ctx, old))
	}
	return err
}

// databaseImage names the image that the databases of the stack run.
func databaseImage(ctx context.Context) (string, error) {
	st, err := stack.Attach(ctx, stack.Config{Name: stack.LedgerName, AsIs: true})
	if err != nil {
		return "", err
	}
	return st.Images()[st.Topology().ByRole(sut.RoleDatabase)[0].Name], st.Detach()
}

// run runs a scenario against the warm stack.
func (g *grader) run(ctx context.Context, tb testing.TB, sc *scenarios.Scenario, bin string) *reports.Result {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), sc.Name+".yaml")
	if err := os.WriteFile(file, sc.Source, 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "proofload"), "run", file, "--stack", "warm", "--progress", "quiet")
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "PROOFLOAD_BIN="+bin)
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, closeTimeout
	out, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		tb.Fatal(err)
	}
	tb.Logf("%s", out)
	r, err := readResult(reports.Directory{Path: filepath.Join(g.dir, runsRoot, reports.Latest)})
	if err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return r
}

// judge takes over what a run found, and compares it with what was planted.
func (tr *grading) judge(r *reports.Result, planted []defects.Defect) {
	tr.Run, tr.Verdict, tr.Exit, tr.Problem = r.Run, r.Verdict, r.Exit, r.Problem
	counts := map[string]int{}
	note := func(name string, o check.Outcome) {
		switch o {
		case check.Fail:
			tr.Named = append(tr.Named, name)
		case check.Inconclusive:
			tr.Unclear = append(tr.Unclear, name)
		case check.Pass:
		}
	}
	for _, v := range r.Checks {
		note(v.Check, v.Outcome)
		for _, group := range v.Groups {
			counts[v.Check] += group.Count
		}
	}
	for _, o := range r.Objectives {
		note(o.Metric, o.Outcome)
	}
	slices.Sort(tr.Named)
	slices.Sort(tr.Unclear)
	tr.Named, tr.Unclear = slices.Compact(tr.Named), slices.Compact(tr.Unclear)
	tr.Detected = r.Exit == reports.ExitFail
	for _, d := range planted {
		for _, name := range d.Checks {
			if slices.Contains(tr.Named, name) {
				tr.Right = true
				tr.Found = max(tr.Found, counts[name])
			}
		}
		tr.InRange = tr.Right && tr.Found >= d.Least && (d.Most == 0 || tr.Found <= d.Most)
	}
}

// String says in a line how a grading went.
func (tr grading) String() string {
	name := tr.Defect
	if name == "" {
		name = "(sound)"
	}
	return fmt.Sprintf("%-24s %-18s %-12s %5.1f s  named by %v, expected %v, unclear %v %s", name, tr.Scenario, tr.Verdict, tr.Took, tr.Named, tr.Expected, tr.Unclear, tr.Problem)
}
