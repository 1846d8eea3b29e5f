package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/sut/stack"
)

// A listed thing is one line of a list: for people, with tabs between its
// columns, and for programs.
type listed struct {
	line  string
	value map[string]any
}

func (a *app) listCommand() *cobra.Command {
	what := map[string]func() ([]listed, error){
		"scenarios": a.listScenarios,
		"controls":  a.listControls,
		"workloads": a.listWorkloads,
		"faults":    listFaults,
		"targets":   a.listTargets,
		"checks":    listChecks,
		"runs":      listRuns,
	}
	names := slices.Sorted(maps.Keys(what))
	asked := false
	cmd := &cobra.Command{
		Use:       "list [" + strings.Join(names, "|") + "]",
		Short:     "List what there is: scenarios unless told otherwise",
		Args:      oneOfWords(names),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			list := what["scenarios"]
			if len(args) == 1 {
				list = what[args[0]]
			}
			all, err := list()
			if err != nil {
				return err
			}
			if asked {
				return writeListJSON(a.stdout, all)
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, l := range all {
				fmt.Fprintln(w, l.line)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asked, "json", false, "as a JSON list of objects, for programs")
	return cmd
}

// writeListJSON writes what is listed as a list of objects.
func writeListJSON(w io.Writer, all []listed) error {
	values := []map[string]any{}
	for _, l := range all {
		values = append(values, l.value)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(values); err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	return nil
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
func (a *app) listScenarios() ([]listed, error) {
	names := library.Names()
	if own, err := scenariosIn("scenarios"); err == nil {
		names = append(names, own...)
	}
	return a.describe(names), nil
}

// listControls lists the scenarios that are about proofload itself.
func (a *app) listControls() ([]listed, error) { return a.describe(library.Controls()), nil }

// describe lists scenarios with their target and what they are about.
func (a *app) describe(names []string) []listed {
	var all []listed
	for _, name := range names {
		sc, err := a.readScenario(name)
		if err != nil {
			all = append(all, listed{
				fmt.Sprintf("%s\t-\tcannot be used: proofload validate %s says why", name, name),
				map[string]any{"name": name, "usable": false},
			})
			continue
		}
		all = append(all, listed{
			fmt.Sprintf("%s\t%s\t%s", name, sc.Target, sc.About),
			map[string]any{"name": name, "usable": true, "target": sc.Target, "about": sc.About, "tags": append([]string{}, sc.Tags...)},
		})
	}
	return all
}

// listWorkloads lists what is built in, and the files in ./workloads.
func (a *app) listWorkloads() ([]listed, error) {
	var all []listed
	for _, name := range slices.Sorted(maps.Keys(workloads())) {
		ops := workloads()[name]
		all = append(all, listed{name + "\t" + strings.Join(ops, ", "), map[string]any{"name": name, "operations": ops}})
	}
	return append(all, ownFiles("workload", func(name string, _ []byte) (string, map[string]any, error) {
		f, err := a.parseWorkload(name)
		if err != nil {
			return "", nil, err
		}
		return strings.Join(f.Ops(), ", "), map[string]any{"operations": f.Ops()}, nil
	})...), nil
}

// ownFiles lists the files of a kind in the directory that is called after it. Of
// each one that can be used, read says more: for people, and for programs.
func ownFiles(kind string, read func(name string, src []byte) (line string, more map[string]any, err error)) []listed {
	files, err := filesIn(kind+"s", kind)
	if err != nil {
		return nil // there is none in it
	}
	var all []listed
	for _, name := range files {
		value := map[string]any{"name": name, "usable": true}
		src, err := os.ReadFile(name)
		line, more := "", map[string]any(nil)
		if err == nil {
			line, more, err = read(name, src)
		}
		if err != nil {
			line, value["usable"] = fmt.Sprintf("cannot be used: proofload validate %s says why", name), false
		}
		maps.Copy(value, more)
		all = append(all, listed{name + "\t" + line, value})
	}
	return all
}

func listFaults() ([]listed, error) {
	var all []listed
	c := catalog()
	for _, name := range c.Names() {
		k := c[name]
		parameters := []string{}
		for _, p := range k.Params {
			parameters = append(parameters, p.Name)
		}
		all = append(all, listed{
			fmt.Sprintf("%s\t%s\tneeds: %s", name, k.About, k.Needs),
			map[string]any{"name": name, "about": k.About, "needs": k.Needs, "undone": k.Undone, "parameters": parameters},
		})
	}
	return all, nil
}

// listTargets lists what is known, and the files in ./targets.
func (a *app) listTargets() ([]listed, error) {
	options, err := stack.Options("ledger")
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	var all []listed
	add := func(name, about string) {
		all = append(all, listed{name + "\t" + about, map[string]any{"name": name, "about": about}})
	}
	add("tcp://localhost:PORT", "a database or a broker that runs already on this machine; it needs a workload file with sql: or amqp: alone")
	add("http://localhost:PORT", "a system that runs already on this machine; it needs a workload file")
	add("stack/ledger", "the built-in payments ledger in containers on this machine")
	known := []map[string]string{}
	for _, o := range options {
		all[len(all)-1].line += fmt.Sprintf("\n  %s=%s\t%s (%s)", o.Name, o.Default, o.About, o.Allowed)
		known = append(known, map[string]string{"name": o.Name, "default": o.Default, "about": o.About, "allowed": o.Allowed})
	}
	all[len(all)-1].value["options"] = known
	return append(all, ownFiles("target", func(name string, src []byte) (string, map[string]any, error) {
		t, err := a.parseTarget(name, src)
		if err != nil {
			return "", nil, err
		}
		return cmp.Or(t.About, t.Base), map[string]any{"about": t.About, "base": t.Base}, nil
	})...), nil
}

func listChecks() ([]listed, error) {
	var all []listed
	about := map[string]string{}
	for _, c := range scenarios.Checks() {
		about[c.Name] = c.About
	}
	for _, name := range check.Names() {
		all = append(all, listed{name, map[string]any{"name": name, "about": about[name]}})
	}
	return all, nil
}

// listRuns lists the recorded runs, the newest first.
func listRuns() ([]listed, error) {
	var all []listed
	for _, id := range runIDs() {
		dir := reports.Directory{Path: filepath.Join(runsRoot, id)}
		r, err := readResult(dir)
		if err != nil {
			all = append(all, listed{
				fmt.Sprintf("%s\t-\t-\tno result: proofload check %s makes it", id, id),
				map[string]any{"run": id, "directory": dir.Path},
			})
			continue
		}
		all = append(all, listed{
			fmt.Sprintf("%s\t%s\t%s\t%s", id, r.Scenario.Name, r.Verdict, dir.File(reports.FileHTML)),
			map[string]any{"run": id, "directory": dir.Path, "scenario": r.Scenario.Name, "verdict": r.Verdict, "exit": r.Exit},
		})
	}
	return all, nil
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
			_, err := fmt.Fprint(a.stdout, versionLine())
			return err
		},
	}
}

// versionLine says what was built, with what and for what.
func versionLine() string {
	return fmt.Sprintf("proofload %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
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
