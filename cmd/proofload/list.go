package main

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/sut/stack"
)

func (a *app) listCommand() *cobra.Command {
	what := map[string]func(*tabwriter.Writer) error{
		"scenarios": a.listScenarios,
		"workloads": listWorkloads,
		"faults":    listFaults,
		"targets":   listTargets,
		"checks":    listChecks,
	}
	names := slices.Sorted(maps.Keys(what))
	return &cobra.Command{
		Use:       "list [" + strings.Join(names, "|") + "]",
		Short:     "List what there is: scenarios unless told otherwise",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			list := what["scenarios"]
			if len(args) == 1 {
				list = what[args[0]]
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			if err := list(w); err != nil {
				return err
			}
			return w.Flush()
		},
	}
}

func (a *app) listScenarios(w *tabwriter.Writer) error {
	for _, name := range library.Names() {
		sc, err := a.readScenario(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, sc.Target, sc.About)
	}
	return nil
}

func listWorkloads(w *tabwriter.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(workloads())) {
		fmt.Fprintf(w, "%s\t%s\n", name, strings.Join(workloads()[name], ", "))
	}
	return nil
}

func listFaults(w *tabwriter.Writer) error {
	c := catalog()
	for _, name := range c.Names() {
		fmt.Fprintf(w, "%s\t%s\tneeds: %s\n", name, c[name].About, c[name].Needs)
	}
	return nil
}

func listTargets(w *tabwriter.Writer) error {
	options, err := stack.Options("ledger")
	if err != nil {
		return exit(reports.ExitUsage, err)
	}
	fmt.Fprintln(w, "http://localhost:PORT\ta system that runs already on this machine; it needs a workload file")
	fmt.Fprintln(w, "stack/ledger\tthe built-in payments ledger in containers on this machine")
	for _, o := range options {
		fmt.Fprintf(w, "  %s=%s\t%s (%s)\n", o.Name, o.Default, o.About, o.Allowed)
	}
	return nil
}

func listChecks(w *tabwriter.Writer) error {
	for _, name := range check.Names() {
		fmt.Fprintln(w, name)
	}
	return nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "proofload %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
