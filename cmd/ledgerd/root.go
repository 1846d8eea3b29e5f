package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/sut/ledger"
)

// errUsage marks errors of the caller: nothing was started.
var errUsage = errors.New("invalid usage")

// usage marks an error as one of the caller.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUsage, err)
}

func newRoot(getenv func(string) string) *cobra.Command {
	root := newGroup("ledgerd", "Run the processes of the payments ledger",
		"Ledgerd runs the processes of the payments ledger, and what its operators need.\n"+
			"Each command lists with --help what it takes from the environment.",
		newServe(getenv, ledger.API, ledger.RunAPI, &cobra.Command{
			Use: "api", Short: "Serve the HTTP interface",
			Long: "Serve the HTTP interface until SIGTERM or SIGINT, then finish the requests in flight.\n" +
				"Beside the interface itself, described at /docs, it answers /livez, /readyz, /healthz and /metrics.",
		}),
		newServe(getenv, ledger.Worker, ledger.RunWorker, &cobra.Command{
			Use: "worker", Short: "Relay the outbox, work on what was asked for, keep things tidy",
			Long: "Relay the outbox to RabbitMQ, settle transfers, notify customers, add up activity, build statements,\n" +
				"prepare partitions and clear the outbox, until SIGTERM or SIGINT. It answers /livez, /readyz, /healthz\n" +
				"and /metrics.",
		}),
		newMigrate(getenv), newSeed(getenv), newDLQ(getenv),
	)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.SilenceErrors, root.SilenceUsage = true, true
	return root
}

// newGroup returns a command that only has others below it.
func newGroup(use, short, long string, below ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Long: long, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.HasParent() {
				return usage(fmt.Errorf("%s: say which of its commands: see --help", cmd.CommandPath()))
			}
			return cmd.Help()
		},
	}
	group.AddCommand(below...)
	return group
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) }

// environment describes what a command reads from the environment.
func environment(command ledger.Command) string {
	var b strings.Builder
	b.WriteString("\n\nConfiguration comes from the environment only:\n")
	for _, v := range ledger.Variables(command) {
		fmt.Fprintf(&b, "  %-24s  %s", v.Name, v.About)
		switch {
		case v.Needed(command):
			b.WriteString(" (required)")
		case v.Default != "":
			fmt.Fprintf(&b, " (default %s)", v.Default)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func loadConfig(getenv func(string) string, command ledger.Command) (ledger.Config, error) {
	cfg, err := ledger.LoadConfig(command, getenv)
	return cfg, usage(err)
}

// newServe completes the command of a process that runs until it is told to
// stop.
func newServe(
	getenv func(string) string, command ledger.Command,
	run func(context.Context, ledger.Config, io.Writer) error, cmd *cobra.Command,
) *cobra.Command {
	cmd.Long += environment(command)
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(getenv, command)
		if err != nil {
			return err
		}
		return run(cmd.Context(), cfg, cmd.OutOrStdout())
	}
	return cmd
}
