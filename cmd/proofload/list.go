package main

import (
	"fmt"
	"maps"
	"path/filepath"
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
		"controls":  a.listControls,
		"workloads": listWorkloads,
		"faults":    listFaults,
		"targets":   listTargets,
		"checks":    listChecks,
		"runs":      listRuns,
	}
	names := slices.Sorted(maps.Keys(what))
	return &cobra.Command{
		Use:       "list [" + strings.Join(names, "|") + "]",
		Short:     "List what there is: scenarios unless told otherwise",
		Args:      oneOfWords(names),
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

// oneOfWords takes at most one argument, and that of a few words.
func oneOfWords(words []string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.MaximumNArgs(1)(cmd, args); err != nil {
			return err
		}
		if len(args) == 1 && !slices.Contains(words, args[0]) {
			return fmt.Errorf("%s: there is no %q: %s", cmd.CommandPath(), args[0], hint(args[0], words, ""))
		}
		return nil
	}
}

// listScenarios lists the library, and the files in ./scenarios.
func (a *app) listScenarios(w *tabwriter.Writer) error {
	names := library.Names()
	if own, err := scenariosIn("scenarios"); err == nil {
		names = append(names, own...)
	}
	return a.describe(w, names)
}

// listControls lists the scenarios that are about proofload itself.
func (a *app) listControls(w *tabwriter.Writer) error { return a.describe(w, library.Controls()) }

// describe lists scenarios with their target and what they are about.
func (a *app) describe(w *tabwriter.Writer, names []string) error {
	for _, name := range names {
		sc, err := a.readScenario(name)
		if err != nil {
			fmt.Fprintf(w, "%s\t-\tcannot be used: proofload validate %s says why\n", name, name)
			continue
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
	fmt.Fprintln(w, "tcp://localhost:PORT\ta database or a broker that runs already on this machine; it needs a workload file with sql: or amqp: alone")
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

// listRuns lists the recorded runs, the newest first.
func listRuns(w *tabwriter.Writer) error {
	for _, id := range runIDs() {
		dir := reports.Directory{Path: filepath.Join(runsRoot, id)}
		r, err := readResult(dir)
		if err != nil {
			fmt.Fprintf(w, "%s\t-\t-\tno result: proofload check %s makes it\n", id, id)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, r.Scenario.Name, r.Verdict, dir.File(reports.FileHTML))
	}
	return nil
}

// runIDs lists the runs that there are, the newest first.
func runIDs() []string {
	found, err := filepath.Glob(filepath.Join(runsRoot, "*", reports.FileManifest))
	if err != nil {
		return nil // the pattern is well formed
	}
	var ids []string
	for _, file := range found {
		if id := filepath.Base(filepath.Dir(file)); id != reports.Latest {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids
}

// runNames lists what a run may be called: by its id, and as the newest.
func runNames() []string {
	ids := runIDs()
	if len(ids) > 0 {
		ids = append([]string{reports.Latest}, ids[:min(len(ids), maxNamed)]...)
	}
	return ids
}

// maxNamed is how many runs a message names at most.
const maxNamed = 10

// findRun finds a run by its directory, its id, the end of it, or latest.
func findRun(name string) (reports.Directory, error) {
	dir, err := reports.FindDirectory(runsRoot, name)
	if err != nil {
		return dir, exit(reports.ExitUsage, fmt.Errorf("%w; %s", err, hint(name, runNames(), "there are none: proofload run makes one")))
	}
	return dir, nil
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
