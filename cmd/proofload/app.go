package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
)

// runsRoot is where run directories are made, below the working directory.
var runsRoot = filepath.Join(".proofload", "runs") //nolint:gochecknoglobals // a constant that the language has no form for

// An app is the command with the process around it given as values.
type app struct {
	stdout, stderr       io.Writer
	stdoutTTY, stderrTTY bool
	typed                io.Reader                        // what is typed at the terminal; nil: there is none
	terminal             *terminal                        // the same, key by key
	lookup               func(name string) (string, bool) // of the environment
	width                func() int                       // of the terminal in columns, 0 if unknown
	hurry                <-chan struct{}                  // closed when a report is not worth waiting for

	desk    desk     // where gates are answered
	console *console // what keys do; nil: there are none
	secrets secrets  // of the files that were read

	unaudited atomic.Bool // something was done that is not in the audit log

	origins origins // of settings, and of what plans are made of

	color    string // flag: auto, always or never
	settings string // flag: the file of settings
}

// An exitError carries the exit code of a failed command. An error without
// text was already told to the user.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exit makes an error that ends the process with a code. A nil err prints
// nothing.
func exit(code int, err error) error { return &exitError{code: code, err: err} }

// main runs the command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	a.stdout, a.stderr = a.secrets.guard(a.stdout), a.secrets.guard(a.stderr)
	root := a.command() //nolint:contextcheck // the commands get it from ExecuteContext
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && a.unaudited.Load() {
		err = exit(reports.ExitInconclusive, errors.New("not all that was done is in the audit log"))
	}
	if err == nil {
		return reports.ExitPass
	}
	// What is not marked otherwise is wrong usage: cobra's own errors.
	code := reports.ExitUsage
	if e, ok := errors.AsType[*exitError](err); ok {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(a.stderr, "proofload: "+scenarios.Printable(text))
	}
	return code
}

// command builds the command tree.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "proofload",
		Short: "Prove that a system survives what it is going to meet",
		Long: `Proofload stands a complete system up, drives it with open-model load, breaks it
on a timeline, fails it over, and says with numbers whether it kept its promises:
latency, availability, recovery time (RTO) and acknowledged data (RPO).

Exit codes: 0 pass, 1 an objective or check missed, 2 usage or invalid file,
3 the environment did not come up, 4 inconclusive, 5 stopped by a condition,
6 a fault may still be in place, 130 interrupted and healed.`,
		Example: `  proofload run primary-failover
  proofload plan primary-failover
  proofload report latest`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate(versionLine())
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "colour the output: auto, always or never")
	a.registerSettings(root)
	root.AddCommand(
		a.initCommand(), a.schemaCommand(), a.doctorCommand(),
		a.runCommand(), a.exploreCommand(), a.planCommand(), a.validateCommand(), a.workloadCommand(), a.calibrateCommand(), a.listCommand(),
		a.upCommand(), a.downCommand(), a.statusCommand(), a.logsCommand(),
		a.approveCommand(), a.checkCommand(), a.reportCommand(), a.explainCommand(), a.compareCommand(), a.baselineCommand(),
		a.injectCommand(), a.faultsCommand(), a.healCommand(), a.auditCommand(), a.guardCommand(), a.guardTerminalCommand(), a.versionCommand(),
	)
	speakPlainly(root)
	a.completions(root)
	root.SetFlagErrorFunc(flagError)
	return root
}

// flagError says which flag was probably meant where there is none of that name,
// and what a flag takes.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return refusedValue(e.GetFlag(), e.GetValue())
	}
	_, name, unknown := strings.Cut(err.Error(), "unknown flag: --")
	if !unknown {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := scenarios.Closest(name, known); near != "" {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w: %s --help lists them", err, cmd.CommandPath())
}

// colored decides whether to colour output: the flag first, then NO_COLOR,
// FORCE_COLOR, CLICOLOR_FORCE, and whether it goes to a terminal that can.
func (a *app) colored(tty bool) bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	if v, ok := a.lookup("NO_COLOR"); ok && v != "" {
		return false
	}
	force, _ := a.lookup("FORCE_COLOR")
	always, _ := a.lookup("CLICOLOR_FORCE")
	switch {
	case force == "0" || force == "false":
		return false
	case force != "" || always != "" && always != "0":
		return true
	}
	if v, _ := a.lookup("TERM"); v == "dumb" {
		return false
	}
	return tty
}

// redraws decides whether progress is redrawn, which takes escape sequences:
// where they are not wanted there are lines instead, unless they are asked for.
func (a *app) redraws(progress string) bool {
	if progress != progressAuto {
		return progress == progressTTY
	}
	if v, ok := a.lookup("NO_COLOR"); ok && v != "" || a.color == "never" {
		return false
	}
	v, _ := a.lookup("TERM")
	return a.stderrTTY && v != "dumb"
}
