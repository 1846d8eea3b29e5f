package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A completer lists what may stand at a place of the command line.
type completer = func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective)

// What a shell does beside: offer files as well, offer nothing else, or keep the
// cursor at what was completed.
const (
	withFiles = cobra.ShellCompDirectiveDefault
	noFiles   = cobra.ShellCompDirectiveNoFileComp
	noSpace   = cobra.ShellCompDirectiveNoSpace
)

// completions gives every command what its arguments and flags may be, as of
// the moment of asking. Shells call it through the hidden command __complete.
func (a *app) completions(root *cobra.Command) {
	args := map[string]completer{ // by the words of the command
		"run": a.completeScenarios, "plan": first(a.completeScenarios), "validate": completeDocuments,
		"check": first(completeRuns), "report": first(completeRuns), "approve": first(completeRuns),
		"explain": completeExplain, "compare": completeSides,
		"baseline set": completeBaselineSet, "baseline show": first(completeBaselines),
		"faults": first(completeFaults), "inject": a.completeInject, "logs": first(completeNodes),
		"workload try": first(completeWorkloads), "workload validate": completeWorkloads,
	}
	flags := map[string]completer{
		"target": completeTargets,
		"option": completeOptions,
		"only":   a.completeParts,
		"set":    a.completeVars,
		"color":  words(colors...), "stack": words("cold", "warm"), "keep": words("never", "failed", "always"),
		"progress": words(progressAuto, progressTTY, progressPlain, progressJSON, progressQuiet),
		"ci":       words(ciAuto, ciGitHub, ciGitLab, ciNone), "gates": words(gatesAuto, gatesWait, gatesYes),
		"inconclusive": words(unclearOwn, unclearFail, unclearPass),
		"format":       words("html", "json", "junit", "markdown", "openmetrics"),
		"config":       files("yaml", "yml"), "allow": files("yaml", "yml"), "html": files("html"), "markdown": files("md"),
		"output": files(), "dir": files(),
	}
	eachCommand(root, func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), root.Name()+" ")
		if complete, ok := args[path]; ok {
			c.ValidArgsFunction = complete
		} else if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && !strings.Contains(c.Use, "FILE") {
			c.ValidArgsFunction = cobra.NoFileCompletions
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			complete, ok := flags[f.Name]
			if !ok {
				complete = cobra.NoFileCompletions // a number, an address: no file is meant
			}
			_ = c.RegisterFlagCompletionFunc(f.Name, complete) // a flag has one at most
		})
	})
}

// eachCommand visits a command and all below it.
func eachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, visit)
	}
}

// words completes one of several words.
func words(list ...string) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return list, noFiles
	}
}

// files completes files, those with certain endings if there are any.
func files(endings ...string) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(endings) == 0 {
			return nil, withFiles
		}
		return endings, cobra.ShellCompDirectiveFilterFileExt
	}
}

// first completes the first argument alone.
func first(complete completer) completer {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}
		return complete(cmd, args, start)
	}
}

// matching keeps what begins with what was typed.
func matching(all []cobra.Completion, start string) []cobra.Completion {
	return slices.DeleteFunc(slices.Clone(all), func(c cobra.Completion) bool { return !strings.HasPrefix(c, start) })
}

// described is a completion with what it is about, of which the first sentence
// has to do.
func described(word, about string) cobra.Completion {
	about, _, _ = strings.Cut(about, "\n")
	about, _, _ = strings.Cut(about, ". ")
	return cobra.CompletionWithDesc(word, about)
}
