package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/live/web"
	"github.com/proofload/proofload/reports/otlp"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut/stack"
)

// runFlags are the choices of the run command beside those of the plan.
type runFlags struct {
	plan     planFlags
	stack    string // cold or warm
	keep     string // never, failed or always
	progress string // auto, tty, plain, json or quiet
	ci       string // auto, github, gitlab or none
	ui       string // address of the live page; empty: there is none
	gates    string // auto, wait or yes
	unclear  string // 4, fail or pass: what an inconclusive run exits with
	metrics  string // address to scrape metrics at; empty: there is none
	otlp     string // address of a collector; empty: there is none
	hasty    bool   // do not wait for the work of a system that did not come back

	views *views // what is open of these
}

// What to show while a run goes on.
const (
	progressAuto  = "auto"
	progressTTY   = "tty"
	progressPlain = "plain"
	progressJSON  = "json"
	progressQuiet = "quiet"
)

// What a run without a verdict exits with.
const (
	unclearOwn  = "4"
	unclearFail = "fail"
	unclearPass = "pass"
)

// exitCode is what the process ends with where its runs ended with a code.
func (f runFlags) exitCode(code int) int {
	switch {
	case code == reports.ExitInconclusive && f.unclear == unclearFail:
		return reports.ExitFail
	case code == reports.ExitInconclusive && f.unclear == unclearPass:
		return reports.ExitPass
	}
	return code
}

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|DIRECTORY...",
		Short: "Carry scenarios out and give a verdict",
		Long: `Stands the target up, waits until it is healthy, applies load and timeline, mends
everything that was broken, reads the final state, and judges what was recorded.
Several scenarios, or all of a directory, go one after the other; all are planned
before the first begins, and the exit code is the worst of theirs.

Ctrl-C stops the load, mends, takes the target down and writes the report. A
second Ctrl-C skips the report. A third one leaves at once.

On a terminal, keys do without Enter: a stops the run as Ctrl-C does, g answers
the gate that is open, l shows the newest of what the nodes log. For a and g, y
and n answer what is asked then.`,
		Example: `  proofload run primary-failover --repeat 1
  proofload run primary-failover --option replication=async
  proofload run ./my-scenario.yaml --stack warm --once
  proofload run scenarios/ --keep failed
  proofload run primary-failover --ui --metrics`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return exit(reports.ExitUsage, err)
			}
			return a.runAll(cmd.Context(), args, flags)
		},
	}
	flags.plan.register(cmd)
	cmd.Flags().StringVar(&flags.stack, "stack", "cold", "cold: a new stack for this run; warm: use one that is up, or leave it up")
	cmd.Flags().StringVar(&flags.keep, "keep", "never", "keep a cold stack after the run: never, failed or always")
	cmd.Flags().StringVar(&flags.progress, "progress", progressAuto, "what to show meanwhile: auto (tty or plain), tty (five lines that are redrawn), plain, json (a JSON object a line) or quiet")
	cmd.Flags().StringVar(&flags.ci, "ci", ciAuto, "tell a CI system more than the exit code: auto, github (step summary, annotations, logs of what failed), gitlab or none")
	cmd.Flags().StringVar(&flags.gates, "gates", gatesAuto, "what to do at a gate: wait (for yes or no at the terminal, proofload approve or the live page), yes (pass it), or auto (wait where somebody looks on, else refuse to begin)")
	cmd.Flags().StringVar(&flags.unclear, "inconclusive", unclearOwn, "exit code of a run without a verdict: 4 of its own, fail (1) or pass (0); the verdict stays")
	cmd.Flags().StringVar(&flags.ui, "ui", "", "show the run on a web page of this machine, at an address or any free port; its URL is printed")
	cmd.Flags().Lookup("ui").NoOptDefVal = "127.0.0.1:0"
	cmd.Flags().StringVar(&flags.metrics, "metrics", "", "answer scrapes in the format of OpenMetrics on this machine, below /metrics at an address")
	cmd.Flags().Lookup("metrics").NoOptDefVal = "127.0.0.1:" + web.MetricsPort
	cmd.Flags().StringVar(&flags.otlp, "otlp", "", "send metrics while a run goes on, and all of it with a trace when it is over, to the collector at this URL (OTLP over HTTP)")
	cmd.Flags().Lookup("otlp").NoOptDefVal = "http://127.0.0.1:4318"
	return cmd
}

// check reports values that no flag has.
func (f runFlags) check() error {
	var errs []error
	for _, c := range []struct {
		flag, value string
		allowed     []string
	}{
		{"stack", f.stack, []string{"cold", "warm"}},
		{"keep", f.keep, []string{"never", "failed", "always"}},
		{"progress", f.progress, []string{progressAuto, progressTTY, progressPlain, progressJSON, progressQuiet}},
		{"gates", f.gates, []string{gatesAuto, gatesWait, gatesYes}},
		{"inconclusive", f.unclear, []string{unclearOwn, unclearFail, unclearPass}},
		{"ci", f.ci, []string{ciAuto, ciGitHub, ciGitLab, ciNone}},
	} {
		if !slices.Contains(c.allowed, c.value) {
			errs = append(errs, oneOf(c.flag, c.value, c.allowed))
		}
	}
	for flag, address := range map[string]string{"ui": f.ui, "metrics": f.metrics} {
		if _, _, err := web.Address(address); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	if f.otlp != "" {
		if _, err := otlp.Endpoint(f.otlp); err != nil {
			errs = append(errs, fmt.Errorf("--otlp: %w", err))
		}
	}
	if err := f.plan.check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// run carries a scenario out, from plan to verdict.
func (a *app) run(ctx context.Context, sc *scenarios.Scenario, flags runFlags) error {
	s, result, err := a.perform(ctx, sc, flags)
	if err != nil {
		return err
	}
	defer s.page.close()
	err = a.conclude(s, result)
	s.page.finish(ctx, result, s.dir.File(reports.FileHTML))
	a.sendOTLP(ctx, flags.otlp, result)
	return err
}

// perform carries a scenario out and judges it.
func (a *app) perform(ctx context.Context, sc *scenarios.Scenario, flags runFlags) (*session, *reports.Result, error) {
	p, err := a.buildPlan(sc, flags.plan)
	if err != nil {
		return nil, nil, err
	}
	err = a.attended(p, flags)
	if err != nil {
		return nil, nil, err
	}
	if err = inWindow(p.target, time.Duration(len(p.Drills))*p.Duration()); err != nil {
		return nil, nil, exit(reports.ExitUsage, err)
	}
	if err = p.Opens(p.allowed, time.Now()); err != nil {
		return nil, nil, exit(reports.ExitUsage, err)
	}
	if err = p.able(os.DirFS("/")); err != nil {
		return nil, nil, exit(reports.ExitEnvironment, err)
	}
	if strings.HasPrefix(p.Target, stackPrefix) {
		if _, err = stack.Engine(ctx); err != nil {
			return nil, nil, exit(reports.ExitEnvironment, err)
		}
	}
	if err = a.healLeftovers(ctx); err != nil {
		return nil, nil, exit(reports.ExitFaultsLeft, err)
	}
	s, err := a.newSession(p, flags)
	if err != nil {
		return nil, nil, exit(reports.ExitUsage, err)
	}
	s.page = flags.views.begin(ctx, s)
	for _, w := range p.Warnings {
		s.say(fmt.Sprintf("%s:%d:%d: warning: %s", sc.File, w.Pos.Line, w.Pos.Col, w.Msg))
	}
	result, err := s.carryOutHeld(ctx)
	if err != nil {
		s.page.close()
		return nil, nil, err
	}
	return s, result, nil
}

// carryOutHeld carries a session out with the right to break its target.
func (s *session) carryOutHeld(ctx context.Context) (*reports.Result, error) {
	if err := s.hold(ctx); err != nil {
		return nil, err
	}
	result, err := s.carryOut(ctx)
	return result, errors.Join(err, s.letGo())
}
