package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
)

// trimFlags change what a scenario says before it is planned.
type trimFlags struct {
	once bool
	only []string
	set  []string // NAME=VALUE
}

func (f *trimFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.once, "once", false, "rehearse: every phase and entry once, within seconds and at a low rate; neither latency nor recovery is judged")
	cmd.Flags().StringSliceVar(&f.only, "only", nil, "only these phases, with all in them, and these entries of the timeline, with their phases")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "give a variable of the scenario another value, NAME=VALUE; may be given several times")
}

// vars returns what --set says, by the name of the variable.
func (f trimFlags) vars() (map[string]string, error) {
	vars := map[string]string{}
	for _, s := range f.set {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--set %q: write NAME=VALUE, for example peak=50/s", s)
		}
		vars[name] = value
	}
	return vars, nil
}

// readTrimmed reads a scenario and changes it as the flags say. One with mistakes
// is returned as far as it is sound, and unchanged; nil if that is nothing.
func (a *app) readTrimmed(name string, f trimFlags) (*scenarios.Scenario, error) {
	vars, err := f.vars()
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	a.origins.asked = nil // by the scenario before
	outer := a.origins.noting(a.lookup)
	sc, err := a.parseScenario(name, func(variable string) (string, bool) {
		if inner, ours := strings.CutPrefix(variable, "vars."); ours {
			value, ok := vars[inner]
			return value, ok
		}
		return outer(variable)
	})
	if err != nil {
		return sc, err
	}
	for _, given := range slices.Sorted(maps.Keys(vars)) {
		if _, ok := sc.Vars[given]; !ok {
			return nil, exit(reports.ExitUsage, fmt.Errorf("--set %s: %s has no such variable: %s",
				given, sc.Name, hint(given, slices.Sorted(maps.Keys(sc.Vars)), "it has no vars:")))
		}
	}
	if len(f.only) > 0 {
		if err := sc.Only(f.only); err != nil {
			return nil, exit(reports.ExitUsage, fmt.Errorf("--only: %w", err))
		}
	}
	if f.once {
		sc.Once()
	}
	return sc, nil
}

// hint says which of the known names was probably meant, or none where there
// are none.
func hint(name string, known []string, none string) string {
	if len(known) == 0 {
		return none
	}
	return scenarios.DidYouMean(name, known)
}

// hintShort says which of many known names was probably meant, and does not list
// them where none is near.
func hintShort(name string, known []string) string {
	if near := scenarios.Closest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "proofload list runs and the reference say what there is"
}
