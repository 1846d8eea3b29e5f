package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/sut/stack"
)

// A completer lists what may stand at a place of the command line.
type completer = func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective)

// completions gives every command what its arguments and flags may be, as of
// the moment of asking. Shells call it through the hidden command __complete.
func completions(root *cobra.Command) {
	args := map[string]completer{ // by the name of the command
		"run": completeScenarios, "plan": completeScenarios, "validate": completeScenarios,
		"check": completeRuns, "report": completeRuns, "explain": completeRuns, "compare": completeRuns, "approve": completeRun,
		"faults": completeFaults, "inject": completeFaults, "logs": completeNodes,
	}
	flags := map[string]completer{
		"target":       completeTargets,
		"only":         completeParts,
		"color":        words(colors...),
		"stack":        words("cold", "warm"),
		"keep":         words("never", "failed", "always"),
		"progress":     words(progressAuto, progressTTY, progressPlain, progressJSON, progressQuiet),
		"ci":           words(ciAuto, ciGitHub, ciGitLab, ciNone),
		"inconclusive": words(unclearOwn, unclearFail, unclearPass),
		"gates":        words(gatesAuto, gatesWait, gatesYes),
		"format":       words("html", "json", "junit", "markdown", "openmetrics"),
		"set":          completeVars,
	}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if complete, ok := args[c.Name()]; ok && c.Parent() == root && c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			c.ValidArgsFunction = complete
		}
		for name, complete := range flags {
			if c.Flag(name) != nil {
				_ = c.RegisterFlagCompletionFunc(name, complete) // a flag has one at most
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// words completes one of several words.
func words(list ...string) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeScenarios lists the library and what lies in ./scenarios; the shell
// adds files.
func completeScenarios(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names := library.Names()
	if own, err := scenariosIn("scenarios"); err == nil {
		names = append(names, own...)
	}
	return matching(names, start), cobra.ShellCompDirectiveDefault
}

// completeRuns lists the recorded runs, the newest first.
func completeRuns(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ids := runIDs()
	if len(args) > 1 || len(ids) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return matching(append([]string{"latest"}, ids...), start), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeRun lists the recorded runs for a command that takes one.
func completeRun(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeRuns(cmd, args, start)
}

// completeFaults lists the kinds of fault, and, for a command that breaks
// something, what there is to be broken.
func completeFaults(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return matching(catalog().Names(), start), cobra.ShellCompDirectiveNoFileComp
	case len(args) == 1 && cmd.Name() == "inject":
		return matching(componentNames(), start), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// componentNames lists the nodes and links of the built-in system.
func componentNames() []string {
	topology, err := stack.Topology("ledger")
	if err != nil {
		return nil // there is always that one
	}
	var names []string
	for _, n := range topology.Nodes {
		names = append(names, n.Name)
	}
	for _, l := range topology.Links {
		names = append(names, "link:"+l.Name)
	}
	return names
}

// completeVars lists the variables of the scenario that is named.
func completeVars(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []string
	if sc := named(args); sc != nil {
		for _, name := range slices.Sorted(maps.Keys(sc.Vars)) {
			names = append(names, name+"=")
		}
	}
	return matching(names, start), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// named reads the scenario that the first argument names, if it can be read.
func named(args []string) *scenarios.Scenario {
	if len(args) == 0 {
		return nil
	}
	file, src, err := findScenario(args[0])
	if err != nil {
		return nil
	}
	sc, err := scenarios.Parse(file, src, nil)
	if err != nil {
		return nil
	}
	return sc
}

func completeNodes(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	topology, err := stack.Topology("ledger")
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, n := range topology.Nodes {
		names = append(names, n.Name)
	}
	return matching(names, start), cobra.ShellCompDirectiveNoFileComp
}

func completeTargets(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return matching([]string{stackPrefix + "ledger", "http://localhost:"}, start), cobra.ShellCompDirectiveNoSpace
}

// completeParts lists the phases and entries of the scenario that is named.
func completeParts(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []string
	if sc := named(args); sc != nil {
		for _, f := range sc.Load.Phases {
			names = append(names, f.Name)
		}
		for _, e := range sc.Timeline {
			names = append(names, e.As)
		}
	}
	return matching(names, start), cobra.ShellCompDirectiveNoFileComp
}

// matching keeps the names that begin with what was typed.
func matching(names []string, start string) []cobra.Completion {
	var kept []cobra.Completion
	for _, n := range names {
		if strings.HasPrefix(n, start) {
			kept = append(kept, n)
		}
	}
	return kept
}
