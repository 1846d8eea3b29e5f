package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut/stack"
)

// stackFlags name a stack.
type stackFlags struct {
	target  string
	options []string
}

func (f *stackFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.target, "target", "stack/ledger", "which stack")
	cmd.Flags().StringArrayVar(&f.options, "option", nil, "option of the stack, NAME=VALUE; may be given several times")
}

// config checks what the flags say.
func (f *stackFlags) config(progress func(string)) (stack.Config, error) {
	options := map[string]string{}
	for _, o := range f.options {
		name, value, ok := strings.Cut(o, "=")
		if !ok {
			return stack.Config{}, fmt.Errorf("--option %q: write NAME=VALUE, for example replication=async", o)
		}
		options[name] = value
	}
	if _, err := describeTarget(f.target, nil); err != nil {
		return stack.Config{}, fmt.Errorf("--target: %w; %s", err, meantTarget(f.target, ""))
	}
	if _, err := describeTarget(f.target, options); err != nil {
		return stack.Config{}, err
	}
	return stackConfig(f.target, options, "", progress), nil
}

func stackConfig(target string, options map[string]string, runID string, progress func(string)) stack.Config {
	return stack.Config{Name: strings.TrimPrefix(target, stackPrefix), Options: options, Run: runID, Progress: progress}
}

func (a *app) upCommand() *cobra.Command {
	var flags stackFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Stand a stack up and leave it up, for runs with --stack warm",
		Long: `Stands a stack up, or finds it up, and leaves it up. What runs and injections that
died left broken is mended first; a stack that cannot be mended is refused: exit 6.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			began := time.Now()
			cfg, err := flags.config(func(line string) {
				fmt.Fprintf(a.stderr, "%8s  %s\n", time.Since(began).Round(100*time.Millisecond), line)
			})
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			return a.up(cmd.Context(), cfg)
		},
	}
	flags.register(cmd)
	return cmd
}

func (a *app) up(ctx context.Context, cfg stack.Config) error {
	if _, err := stack.Engine(ctx); err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	if err := a.mend(ctx, cfg.Name); err != nil {
		return exit(reports.ExitFaultsLeft, err)
	}
	sys, err := bringUpStack(ctx, cfg, true)
	if err != nil {
		return exit(reports.ExitEnvironment, errors.Join(err, sys.release(ctx, false)))
	}
	parts, _ := sys.stack.Parts()
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, p := range parts {
		fmt.Fprintf(w, "%s\t%.1f s\t\n", p.Name, p.Took.Seconds())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	api, _ := sys.env.Endpoint("api")
	fmt.Fprintf(a.stdout, "stack/%s is ready after %.1f s (images %.1f s of it); its entry point is %s\n",
		cfg.Name, sys.ready.Seconds(), sys.making.Seconds(), api)
	return nil
}

// mend mends what was left broken, here and in a stack, wherever the journal of
// that is. What is broken by a process that lives is that one's affair.
func (a *app) mend(ctx context.Context, stackID string) error {
	if err := a.healLeftovers(ctx); err != nil {
		return err
	}
	held, err := a.holdTarget(ctx, stackID)
	if errors.Is(err, errInUse) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(a.sweep(ctx, held), held.release())
}

func (a *app) downCommand() *cobra.Command {
	var (
		flags stackFlags
		all   bool
	)
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Take a stack down; --all removes all that any run left",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := flags.config(nil)
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			if _, err = stack.Engine(cmd.Context()); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			removed, err := stack.Down(cmd.Context(), all, cfg.Name)
			for _, r := range removed {
				fmt.Fprintln(a.stdout, "removed "+r)
			}
			if err != nil {
				return exit(reports.ExitFaultsLeft, err)
			}
			fmt.Fprintf(a.stdout, "%d removed, nothing left\n", len(removed))
			return a.forgetJournals(cmd.Context())
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every stack on this machine that proofload ever started")
	return cmd
}

func (a *app) statusCommand() *cobra.Command {
	var flags stackFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes of a stack that is up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.attach(cmd.Context(), flags)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NODE\tROLE\tSTATE\tHEALTH\tIMAGE")
			for _, n := range s.Status(cmd.Context()) {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.Node, n.Role, n.State, n.Health, n.Image)
			}
			return w.Flush()
		},
	}
	flags.register(cmd)
	return cmd
}

func (a *app) logsCommand() *cobra.Command {
	var flags stackFlags
	cmd := &cobra.Command{
		Use:   "logs NODE",
		Short: "Print the log of a node of a stack that is up",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.attach(cmd.Context(), flags)
			if err != nil {
				return err
			}
			var names []string
			for _, n := range s.Topology().Nodes {
				names = append(names, n.Name)
			}
			if !slices.Contains(names, args[0]) {
				return exit(reports.ExitUsage, fmt.Errorf("no node %q in %s: %s", args[0], s.Topology().Name, hint(args[0], names, "")))
			}
			if err := s.Logs(cmd.Context(), args[0], a.stdout); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			return nil
		},
	}
	flags.register(cmd)
	return cmd
}

// attach finds the stack that the flags name.
func (a *app) attach(ctx context.Context, flags stackFlags) (*stack.Stack, error) {
	cfg, err := flags.config(nil)
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	if _, err = stack.Engine(ctx); err != nil {
		return nil, exit(reports.ExitEnvironment, err)
	}
	cfg.AsIs = true // looking needs no options and no programs to compare
	s, err := stack.Attach(ctx, cfg)
	if err != nil {
		return nil, exit(reports.ExitEnvironment, fmt.Errorf("%w: proofload up starts it", err))
	}
	return s, nil
}
