package main

import (
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
	args := map[string]completer{
		"run": completeScenarios, "plan": completeScenarios, "validate": completeScenarios,
		"check": completeRuns, "report": completeRuns, "explain": completeRuns, "compare": completeRuns, "heal": completeRuns,
		"logs": completeNodes,
	}
	flags := map[string]completer{
		"target":   completeTargets,
		"only":     completeParts,
		"color":    words("auto", "always", "never"),
		"stack":    words("cold", "warm"),
		"keep":     words("never", "failed", "always"),
		"progress": words(progressAuto, progressTTY, progressPlain, progressJSON, progressQuiet),
		"ci":       words(ciAuto, ciGitHub, ciGitLab, ciNone),
		"format":   words("html", "json", "junit", "markdown"),
	}
	for _, c := range append(root.Commands(), root) {
		if complete, ok := args[c.Name()]; ok && c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			c.ValidArgsFunction = complete
		}
		for name, complete := range flags {
			if c.Flag(name) != nil {
				_ = c.RegisterFlagCompletionFunc(name, complete) // a flag has one at most
			}
		}
	}
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
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	file, src, err := findScenario(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	sc, err := scenarios.Parse(file, src, nil)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, f := range sc.Load.Phases {
		names = append(names, f.Name)
	}
	for _, e := range sc.Timeline {
		names = append(names, e.As)
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
