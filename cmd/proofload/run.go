package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
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
}

// What to show while a run goes on.
const (
	progressAuto  = "auto"
	progressTTY   = "tty"
	progressPlain = "plain"
	progressJSON  = "json"
	progressQuiet = "quiet"
)

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
second Ctrl-C skips the report. A third one leaves at once.`,
		Example: `  proofload run primary-failover --repeat 1
  proofload run primary-failover --option replication=async
  proofload run ./my-scenario.yaml --stack warm --once
  proofload run scenarios/ --keep failed`,
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
	cmd.Flags().StringVar(&flags.ci, "ci", ciAuto, "tell a CI system more than the exit code: auto, github (step summary, annotations), gitlab or none")
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
		{"ci", f.ci, []string{ciAuto, ciGitHub, ciGitLab, ciNone}},
	} {
		if !slices.Contains(c.allowed, c.value) {
			errs = append(errs, fmt.Errorf("--%s %q: want one of %q", c.flag, c.value, c.allowed))
		}
	}
	if f.plan.repeat < 0 {
		errs = append(errs, fmt.Errorf("--repeat %d: want 1 or more", f.plan.repeat))
	}
	return errors.Join(errs...)
}

// run carries a scenario out, from plan to verdict.
func (a *app) run(ctx context.Context, sc *scenarios.Scenario, flags runFlags) error {
	s, result, err := a.perform(ctx, sc, flags)
	if err != nil {
		return err
	}
	return a.conclude(s, result)
}

// perform carries a scenario out and judges it.
func (a *app) perform(ctx context.Context, sc *scenarios.Scenario, flags runFlags) (*session, *reports.Result, error) {
	p, err := a.buildPlan(sc, flags.plan)
	if err != nil {
		return nil, nil, err
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
	for _, w := range p.Warnings {
		s.say(fmt.Sprintf("%s:%d:%d: warning: %s", sc.File, w.Pos.Line, w.Pos.Col, w.Msg))
	}
	err = s.hold(ctx)
	if err != nil {
		return nil, nil, err
	}
	result, err := s.carryOut(ctx)
	err = errors.Join(err, s.letGo())
	if err != nil {
		return nil, nil, err
	}
	return s, result, nil
}
