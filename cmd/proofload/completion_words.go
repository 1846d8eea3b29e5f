package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/sut/stack"
)

// describedRuns is how many runs are completed with what they are about: their
// results are files that have to be read.
const describedRuns = 20

// completeScenarios lists the library and what lies in ./scenarios; the shell
// adds files.
func (a *app) completeScenarios(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names := library.Names()
	if own, err := scenariosIn("scenarios"); err == nil {
		names = append(names, own...)
	}
	if strings.HasPrefix(start, "c") {
		names = append(names, library.Controls()...)
	}
	var all []cobra.Completion
	for _, name := range names {
		about := ""
		if sc, err := a.readScenario(name); err == nil {
			about = sc.About
		}
		all = append(all, described(name, about))
	}
	return matching(all, start), withFiles
}

// completeDocuments lists the files of each kind where they usually are.
func completeDocuments(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all := library.Names()
	for _, kind := range []string{"scenario", "workload", "target"} {
		if own, err := filesIn(kind+"s", kind); err == nil {
			all = append(all, own...)
		}
	}
	return matching(all, start), withFiles
}

func completeWorkloads(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	own, err := filesIn("workloads", "workload")
	if err != nil {
		own = nil // there is none in it
	}
	return matching(own, start), withFiles
}

// completeRuns lists the recorded runs, the newest first.
func completeRuns(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var all []cobra.Completion
	for i, id := range runIDs() {
		about := ""
		if i < describedRuns {
			if r, err := readResult(reports.Directory{Path: filepath.Join(runsRoot, id)}); err == nil {
				about = r.Scenario.Name + ", " + r.Verdict
			}
		}
		if i == 0 {
			all = append(all, described(reports.Latest, about))
		}
		all = append(all, described(id, about))
	}
	return matching(all, start), noFiles | cobra.ShellCompDirectiveKeepOrder
}

// completeSides lists what can be compared: runs, and what was kept of some.
func completeSides(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, noFiles
	}
	all, directive := completeRuns(cmd, args, start)
	var kept []cobra.Completion
	for _, name := range baselines() {
		kept = append(kept, filepath.ToSlash(filepath.Dir(name)))
	}
	return append(all, matching(slices.Compact(kept), start)...), directive
}

func completeBaselines(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return matching(baselines(), start), noFiles
}

// completeBaselineSet lists runs, then the names that there are.
func completeBaselineSet(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return completeRuns(cmd, args, start)
	case 1:
		names := []string{"main"}
		for _, name := range baselines() {
			names = append(names, filepath.Base(filepath.Dir(name)))
		}
		slices.Sort(names)
		return matching(slices.Compact(names), start), noFiles
	}
	return nil, noFiles
}

// completeExplain lists runs and the words of the language; of a run, its verdicts.
func completeExplain(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		all, _ := completeRuns(cmd, args, start)
		words := explainable()
		slices.Sort(words)
		return append(all, matching(slices.Compact(words), start)...), noFiles
	}
	dir, err := reports.FindDirectory(runsRoot, args[0])
	if err != nil {
		return nil, noFiles
	}
	r, err := readResult(dir)
	if err != nil {
		return nil, noFiles
	}
	var all []cobra.Completion
	for _, o := range r.Objectives {
		switch {
		case len(args) == 1:
			all = append(all, o.Subject)
		case len(args) == 2 && o.Subject == args[1]:
			all = append(all, described(o.Metric, string(o.Outcome)))
		}
	}
	if len(args) == 1 {
		for _, c := range r.Checks {
			all = append(all, described(c.Check, string(c.Outcome)))
		}
	}
	slices.Sort(all)
	return matching(slices.Compact(all), start), noFiles
}

// completeFaults lists the kinds of fault.
func completeFaults(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var all []cobra.Completion
	for _, name := range catalog().Names() {
		all = append(all, described(name, catalog()[name].About))
	}
	return matching(all, start), noFiles
}

func completeNodes(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	topology, err := stack.Topology(stack.LedgerName)
	if err != nil {
		return nil, noFiles // there is always that one
	}
	var all []cobra.Completion
	for _, n := range topology.Nodes {
		all = append(all, described(n.Name, string(n.Role)))
	}
	return matching(all, start), noFiles
}

// completeTargets lists the stack, for commands that can use them the files in
// ./targets, and how the address of a system begins.
func completeTargets(cmd *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all := []cobra.Completion{described(stackPrefix+stack.LedgerName, "the built-in payments ledger in containers")}
	if slices.Contains([]string{"up", "down", "status"}, cmd.Name()) {
		return matching(all, start), noFiles
	}
	if own, err := filesIn("targets", "target"); err == nil {
		all = append(all, own...)
	}
	if all = matching(all, start); len(all) > 0 {
		return all, withFiles
	}
	if all = matching([]cobra.Completion{"http://localhost:", "tcp://localhost:"}, start); len(all) > 0 {
		return all, noFiles | noSpace
	}
	return nil, withFiles
}

// completeOptions lists the options of the stack, then what one may be.
func completeOptions(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	options, err := stack.Options(stack.LedgerName)
	if err != nil {
		return nil, noFiles // there is always that one
	}
	name, _, valued := strings.Cut(start, "=")
	var all []cobra.Completion
	for _, o := range options {
		switch {
		case !valued:
			all = append(all, described(o.Name+"=", o.About))
		case o.Name == name:
			for _, v := range o.Values {
				all = append(all, name+"="+v)
			}
		}
	}
	if valued {
		return matching(all, start), noFiles
	}
	return matching(all, start), noFiles | noSpace
}

// completeVars lists the variables of the scenario that is named.
func (a *app) completeVars(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var all []cobra.Completion
	if sc := a.named(args); sc != nil {
		for _, name := range slices.Sorted(maps.Keys(sc.Vars)) {
			all = append(all, described(name+"=", sc.Vars[name]+" in the file"))
		}
	}
	return matching(all, start), noFiles | noSpace
}

// completeParts lists the phases and entries of the scenario that is named; those
// that are chosen already stand before, with commas.
func (a *app) completeParts(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	sc := a.named(args)
	if sc == nil {
		return nil, noFiles
	}
	before := start[:strings.LastIndex(start, ",")+1]
	chosen := strings.Split(before, ",")
	var all []cobra.Completion
	add := func(name, about string) {
		if !slices.Contains(chosen, name) {
			all = append(all, described(before+name, about))
		}
	}
	for _, f := range sc.Load.Phases {
		add(f.Name, "phase of "+scenarios.FormatDuration(f.For))
	}
	for _, e := range sc.Timeline {
		add(e.As, strings.TrimSpace(e.Verb+" "+e.Target))
	}
	return matching(all, start), noFiles
}

// named reads the scenario that the first argument names, if it can be read.
func (a *app) named(args []string) *scenarios.Scenario {
	if len(args) == 0 {
		return nil
	}
	sc, err := a.parseScenario(args[0], a.lookup)
	if err != nil {
		return nil
	}
	return sc
}
