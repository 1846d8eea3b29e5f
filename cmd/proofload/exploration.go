package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/explore"
	"github.com/proofload/proofload/scenarios/run"
	"github.com/proofload/proofload/sut/stack"
)

// An exploration is one execution of the explore command.
type exploration struct {
	app      *app
	flags    exploreFlags
	settings explore.Settings
	deck     *explore.Deck
	began    time.Time

	runs     int           // that were made
	told     int           // of these, that say something
	beside   time.Duration // the longest that a run took beside its load
	unsound  bool          // a run left a warm stack that may be broken for good
	torn     bool          // and its databases with it
	failed   []string      // the checks that the timeline in question failed; nil before there is one
	saved    bool
	original explore.Timeline
}

// settle fills in what all scenarios have in common.
func (e *exploration) settle() error {
	f := e.flags
	e.settings = explore.Settings{
		Name: "explore-" + strconv.FormatUint(f.seed, 10), About: []string{"Found by: " + e.command()},
		Target: e.fromOut(f.target), Workload: e.fromOut(f.workload), Rate: f.rate, Settle: f.settle, Options: map[string]string{},
	}
	for _, o := range f.options {
		name, value, ok := strings.Cut(o, "=")
		if !ok {
			return fmt.Errorf("--option %q: write NAME=VALUE, for example replication=async", o)
		}
		e.settings.Options[name] = value
	}
	return nil
}

// fromOut makes the path of a file relative to the scenario that is to be saved.
// What is no file stays as it is.
func (e *exploration) fromOut(name string) string {
	if !isFile(name) || filepath.IsAbs(name) {
		return name
	}
	if path, err := filepath.Rel(filepath.Dir(e.flags.out), name); err == nil {
		return filepath.ToSlash(path)
	}
	return name
}

// command is what finds the same again.
func (e *exploration) command() string {
	f := e.flags
	text := fmt.Sprintf("proofload explore --seed %d --budget %s --target %s --rate %g --within %s --settle %s --most %d",
		f.seed, scenarios.FormatDuration(f.budget), f.target, f.rate, scenarios.FormatDuration(f.within), scenarios.FormatDuration(f.settle), f.most)
	if f.runs > 0 {
		text += fmt.Sprintf(" --runs %d", f.runs)
	}
	if len(f.options) > 0 {
		text += " --option " + strings.Join(f.options, " --option ")
	}
	if f.workload != mixed {
		text += " --workload " + f.workload
	}
	if f.allow != "" {
		text += " --allow " + f.allow
	}
	if len(f.kinds) > 0 {
		text += " --faults " + strings.Join(f.kinds, ",")
	}
	return text
}

func (e *exploration) runFlags() runFlags {
	return runFlags{plan: planFlags{allow: e.flags.allow}, stack: e.flags.stack, keep: "never", progress: progressQuiet, ci: ciNone, hasty: true}
}

// scenario makes the scenario of a timeline, as it would be saved.
func (e *exploration) scenario(t explore.Timeline) (*scenarios.Scenario, error) {
	return scenarios.Parse(e.flags.out, e.settings.Scenario(t), e.app.lookup)
}

// explore draws and runs timelines until one fails, and makes that one shorter.
func (e *exploration) explore(ctx context.Context) error {
	e.say("seed %d, budget %s: %s", e.flags.seed, scenarios.FormatDuration(e.flags.budget), strings.Join(e.deck.Kinds(), ", "))
	// Mending and judging go on after the budget, as after Ctrl-C.
	within, cancel := context.WithDeadline(ctx, e.began.Add(e.flags.budget))
	defer cancel()
	for n := uint64(1); len(e.deck.Kinds()) > 0; n++ {
		t := e.deck.Draw(e.flags.seed, n)
		ending, err := e.run(within, t)
		switch {
		case errors.Is(err, explore.ErrEnough):
			return e.conclude(ctx)
		case err != nil:
			return err
		case ending == explore.Failed:
			e.original = t
			return e.shorten(within, ctx, t)
		}
	}
	return exit(reports.ExitInconclusive, fmt.Errorf("nothing is left to break: none of the faults could be had of %s", e.flags.target))
}

// conclude says that nothing failed, or that nobody can tell.
func (e *exploration) conclude(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return exit(reports.ExitInterrupted, fmt.Errorf("interrupted after %d runs, in which nothing failed", e.runs))
	case e.told == 0 && e.flags.runs > 0 && e.runs == e.flags.runs:
		return exit(reports.ExitInconclusive, fmt.Errorf("%s said nothing; raise --runs", runsOf(e.runs)))
	case e.told == 0:
		return exit(reports.ExitInconclusive, fmt.Errorf("no run said anything within %s: a run takes about %s; raise --budget, or lower --within and --settle",
			e.flags.budget, e.takes(explore.Timeline{})))
	}
	fmt.Fprintf(e.app.stdout, "PASS  nothing failed in %s   seed %d   %s\n", runsOf(e.told), e.flags.seed, time.Since(e.began).Round(time.Second))
	return nil
}

// runsOf says how many runs there were.
func runsOf(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}

// shorten makes a timeline that failed shorter, and says how to see it fail.
func (e *exploration) shorten(within, ctx context.Context, t explore.Timeline) error {
	drawn := e.runs
	if err := e.save(t); err != nil {
		return err
	}
	var saving error
	shortest, err := explore.Minimize(within, t, e.run, func(t explore.Timeline) { saving = errors.Join(saving, e.save(t)) })
	if err = errors.Join(err, saving); err != nil {
		return errors.Join(err, e.report(shortest, drawn, ""))
	}
	again := "it was not run again, the budget or the number of runs is over"
	switch ending, err := e.run(within, shortest); {
	case ctx.Err() != nil:
		again = "interrupted before it could be shorter"
	case errors.Is(err, explore.ErrEnough):
	case err != nil:
		return errors.Join(err, e.report(shortest, drawn, ""))
	case ending == explore.Failed:
		again = "it failed again when it was run once more"
	default:
		again = "it did not fail when it was run once more: whether it does is a matter of luck, run it with --repeat 5"
	}
	if err := e.report(shortest, drawn, again); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return exit(reports.ExitInterrupted, nil)
	}
	return exit(reports.ExitFail, nil)
}

// report says what failed and how to see it again.
func (e *exploration) report(t explore.Timeline, drawn int, again string) error {
	if !e.saved {
		return nil
	}
	w := e.app.stdout
	fmt.Fprintf(w, "FAIL  %s in run %d of seed %d\n", strings.Join(e.failed, ", "), drawn, e.flags.seed)
	fmt.Fprintf(w, "  timeline   %s\n", t)
	fmt.Fprintf(w, "  shortened  from %s to %s, in %d runs; %s\n",
		faultsOver(e.original), faultsOver(t), e.runs-drawn, again)
	_, err := fmt.Fprintf(w, "  again      proofload run %s%s\n", e.flags.out, e.allowed())
	return err
}

// faultsOver says how many faults there are, and in what time.
func faultsOver(t explore.Timeline) string {
	if len(t.Faults) == 1 {
		return "1 fault over " + t.End().String()
	}
	return fmt.Sprintf("%d faults over %s", len(t.Faults), t.End())
}

func (e *exploration) allowed() string {
	if e.flags.allow == "" {
		return ""
	}
	return " --allow " + e.flags.allow
}

// save writes the scenario of a timeline that failed, as a whole or not at all.
func (e *exploration) save(t explore.Timeline) error {
	dir := reports.Directory{Path: filepath.Dir(e.flags.out)}
	if err := dir.Write(filepath.Base(e.flags.out), e.settings.Scenario(t)); err != nil {
		return exit(reports.ExitUsage, fmt.Errorf("save what failed: %w", err))
	}
	e.saved = true
	return nil
}

// takes is how long a run of a timeline takes, going by those before.
func (e *exploration) takes(t explore.Timeline) time.Duration {
	return (e.settings.Length(t) + e.beside).Round(time.Second)
}

// run carries a timeline out, if there is time for it.
func (e *exploration) run(ctx context.Context, t explore.Timeline) (explore.Ending, error) {
	if ctx.Err() != nil || time.Since(e.began)+e.takes(t) > e.flags.budget || e.flags.runs > 0 && e.runs == e.flags.runs {
		return "", explore.ErrEnough
	}
	began := time.Now()
	if err := e.anew(ctx); err != nil {
		return "", err
	}
	sc, err := e.scenario(t)
	if err != nil {
		return "", exit(reports.ExitUsage, err)
	}
	s, result, err := e.app.perform(ctx, sc, e.runFlags())
	if err == nil {
		err = run.Render(s.dir, result, e.app.attached(s.dir))
	}
	if err != nil {
		return "", err
	}
	took := time.Since(began)
	e.beside = max(e.beside, took-e.settings.Length(t))
	e.runs++
	ending, says := e.judge(s, result)
	e.unsound = result.Exit != reports.ExitPass
	e.torn = slices.ContainsFunc(result.Checks, func(v check.Verdict) bool {
		return v.Outcome == check.Fail && (v.Check == "one-primary" || v.Check == "replicas-agree")
	})
	e.say("run %d, %s: %s in %s: %s", e.runs, t, ending, took.Round(time.Second), says)
	return ending, e.stops(ctx, s, result)
}

// anew has a warm stack begin anew after a run in which not all was well: what was
// broken for good would fail each run after it, also with nothing broken in it.
func (e *exploration) anew(ctx context.Context) error {
	if !e.unsound || e.flags.stack != "warm" || !strings.HasPrefix(e.flags.target, stackPrefix) {
		return nil
	}
	cfg := stackConfig(e.flags.target, e.settings.Options, e.settings.Name, nil)
	err := errors.New("its databases do not follow one primary")
	if !e.torn {
		var st *stack.Stack
		if st, err = stack.Renew(ctx, cfg); err == nil {
			return st.Detach()
		}
	}
	if ctx.Err() != nil {
		return explore.ErrEnough
	}
	e.say("the stack is brought up anew: %v", err)
	if _, err = stack.Down(ctx, false, cfg.Name); err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	return nil
}

// stops returns why nothing more may be run.
func (e *exploration) stops(ctx context.Context, s *session, r *reports.Result) error {
	switch {
	case r.Exit == reports.ExitEnvironment && setAside(s.ending):
		return nil
	case r.Exit == reports.ExitFaultsLeft:
		return exit(r.Exit, errors.New(strings.Join(r.FaultsLeft, "\n")))
	case ctx.Err() != nil:
		return explore.ErrEnough
	case r.Exit == reports.ExitEnvironment, r.Exit == reports.ExitStopped:
		return exit(r.Exit, errors.New(r.Problem))
	}
	return nil
}

// notMade returns what kept a run from breaking something, or nil.
func notMade(end run.Ending) *run.StepError {
	step, ok := errors.AsType[*run.StepError](errors.Join(end.NotReady, end.Failed))
	if ok && (step.Step == "make" || step.Step == "inject") {
		return step
	}
	return nil
}

// setAside reports whether a run ended because of a fault that is not drawn again.
func setAside(end run.Ending) bool { return notMade(end) != nil }

// judge says what a run says. Once something has failed, only what fails in the
// same way counts. A fault that the target cannot have is not drawn again.
func (e *exploration) judge(s *session, r *reports.Result) (ending explore.Ending, says string) {
	if step := notMade(s.ending); step != nil {
		if errors.Is(step, chaos.ErrConflict) { // the one before took a while to be mended
			return explore.Unclear, step.Error()
		}
		e.deck.SetAside(step.Entry.Verb, step.Entry.Target)
		return explore.Unclear, step.Error() + ", which is left out from now on"
	}
	var failed []string
	for _, v := range r.Checks {
		switch {
		case v.Outcome == check.Fail:
			failed = append(failed, v.Check)
		case v.Check == "faults-proven" && v.Outcome != check.Pass && len(r.Faults) > 0:
			says = v.Reason
		}
	}
	if r.Generator.Fell {
		says = "the load generator fell behind"
	}
	if s.ending.Unfinished() {
		says = r.Problem
	}
	same := e.failed == nil || slices.ContainsFunc(failed, func(name string) bool { return slices.Contains(e.failed, name) })
	switch {
	case len(failed) > 0 && same && !s.ending.Canceled:
		if e.failed == nil {
			e.failed = failed
		}
		e.told++
		return explore.Failed, strings.TrimSuffix(r.Sentence, ".")
	case says != "":
		return explore.Unclear, says
	}
	e.told++
	if len(failed) > 0 {
		return explore.Survived, "another failure: " + strings.Join(failed, ", ")
	}
	return explore.Survived, "all was well"
}

// say tells the user a line of progress.
func (e *exploration) say(format string, args ...any) {
	fmt.Fprintf(e.app.stderr, "%8s  %s\n", time.Since(e.began).Round(time.Second), fmt.Sprintf(format, args...))
}
