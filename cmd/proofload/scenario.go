package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/netfault"
	"github.com/proofload/proofload/chaos/proc"
	"github.com/proofload/proofload/loadgen/httpload"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/scenarios/plan"
)

// catalog lists all faults there are.
func catalog() chaos.Catalog { return chaos.NewCatalog(netfault.Kinds(), proc.Kinds()) }

// readScenario reads a scenario by the path of its file or by its name in the
// library.
func (a *app) readScenario(name string) (*scenarios.Scenario, error) {
	return a.parseScenario(name, a.lookup)
}

// parseScenario reads a scenario with another lookup of variables.
func (a *app) parseScenario(name string, lookup func(string) (string, bool)) (*scenarios.Scenario, error) {
	file, src, err := findScenario(name)
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	sc, err := scenarios.Parse(file, src, lookup)
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	return sc, nil
}

// inLibrary begins the file name of a scenario of the library.
const inLibrary = "library:"

func findScenario(name string) (file string, src []byte, err error) {
	src, err = os.ReadFile(name)
	if err == nil {
		return name, src, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("read scenario: %w", err)
	}
	if src, ok := library.Open(name); ok {
		return inLibrary + name, src, nil
	}
	return "", nil, fmt.Errorf("no scenario %q: it is neither a file nor in the library; %s", name, scenarios.DidYouMean(name, library.Names()))
}

// planFlags are the choices that change a plan.
type planFlags struct {
	trimFlags

	seed    uint64
	repeat  int
	options []string // NAME=VALUE
	target  string
}

func (f *planFlags) register(cmd *cobra.Command) {
	f.trimFlags.register(cmd)
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of arrivals, operations and jitter (0: the scenario's, or a new one)")
	cmd.Flags().IntVar(&f.repeat, "repeat", 0, "number of drills (0: the scenario's)")
	cmd.Flags().StringArrayVar(&f.options, "option", nil, "option of the target, NAME=VALUE; may be given several times")
	cmd.Flags().StringVar(&f.target, "target", "", "run against another target than the scenario's")
}

// buildPlan resolves a scenario with what the flags say. It returns also the
// workload file that the scenario names, or nil.
func (a *app) buildPlan(sc *scenarios.Scenario, f planFlags) (*plan.Plan, *httpload.File, error) {
	for _, o := range f.options {
		name, value, ok := strings.Cut(o, "=")
		if !ok {
			return nil, nil, exit(reports.ExitUsage, fmt.Errorf("--option %q: write NAME=VALUE, for example replication=async", o))
		}
		if sc.Options == nil {
			sc.Options = map[string]string{}
		}
		sc.Options[name] = value
	}
	if f.target != "" {
		sc.Target = f.target
	}
	topology, err := describeTarget(sc.Target, sc.Options)
	if err != nil {
		return nil, nil, exit(reports.ExitUsage, err)
	}
	workload, err := a.scenarioWorkload(sc)
	if err != nil {
		return nil, nil, exit(reports.ExitUsage, err)
	}
	known := workloads()
	if workload != nil {
		known[sc.Load.Workload] = workload.Ops()
	}
	if isURL(sc.Target) && workload == nil {
		return nil, nil, exit(reports.ExitUsage, fmt.Errorf("the target %s needs a workload file: %s is for the built-in ledger", sc.Target, sc.Load.Workload))
	}
	seed := f.seed
	if seed == 0 && sc.Seed == 0 {
		seed = rand.Uint64N(1 << 32) // short enough to be typed again
	}
	p, err := plan.Build(sc, topology, catalog(), known, plan.Options{Seed: seed, Repeat: f.repeat, Open: openBeside(sc.File)})
	if err != nil {
		return nil, nil, exit(reports.ExitUsage, err)
	}
	return p, workload, nil
}

// openBeside opens the files that a scenario names: their paths are relative to
// the scenario's own. One of the library has none.
func openBeside(scenario string) func(name string) (io.ReadCloser, error) {
	if strings.HasPrefix(scenario, inLibrary) {
		return nil
	}
	return func(name string) (io.ReadCloser, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(scenario), name)
		}
		return os.Open(name)
	}
}

func (a *app) planCommand() *cobra.Command {
	var flags planFlags
	cmd := &cobra.Command{
		Use:   "plan SCENARIO",
		Short: "Show what a run would do and when, without touching anything",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			sc, err := a.readTrimmed(args[0], flags.trimFlags)
			if err != nil {
				return err
			}
			p, _, err := a.buildPlan(sc, flags)
			if err != nil {
				return err
			}
			return p.Render(a.stdout, max(80, a.width()))
		},
	}
	flags.register(cmd)
	return cmd
}

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE|DIRECTORY...",
		Short: "Check scenario and workload files: every mistake, with its place and how to mend it",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := expand(args)
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			bad := 0
			for _, name := range files {
				if err := a.validate(name); err != nil {
					bad++
					fmt.Fprintln(a.stderr, err)
				}
			}
			if bad > 0 {
				return exit(reports.ExitUsage, nil)
			}
			return nil
		},
	}
}

// validate checks one scenario against its target and prints that it is sound,
// after what is probably not meant.
func (a *app) validate(name string) error {
	if src, err := os.ReadFile(name); err == nil && isWorkload(src) {
		return a.validateWorkload(name)
	}
	sc, err := a.readScenario(name)
	if err != nil {
		return err
	}
	p, _, err := a.buildPlan(sc, planFlags{})
	if err != nil {
		return err
	}
	if len(p.Warnings) > 0 {
		doubts := scenarios.Problems{File: sc.File, Source: sc.Source, List: p.Warnings}
		if err := doubts.Format(a.stderr); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stdout, "%s ok\n", name)
	return nil
}
