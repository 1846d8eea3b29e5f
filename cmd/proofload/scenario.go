package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/command"
	"github.com/proofload/proofload/chaos/data/balancer"
	"github.com/proofload/proofload/chaos/data/broker"
	"github.com/proofload/proofload/chaos/data/cache"
	"github.com/proofload/proofload/chaos/data/postgres"
	"github.com/proofload/proofload/chaos/netfault"
	"github.com/proofload/proofload/chaos/proc"
	"github.com/proofload/proofload/chaos/resource"
	"github.com/proofload/proofload/loadgen/httpload"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/remote"
)

// catalog lists all faults there are.
func catalog() chaos.Catalog {
	return chaos.NewCatalog(
		netfault.Kinds(), proc.Kinds(), resource.Kinds(),
		postgres.Kinds(), cache.Kinds(), broker.Kinds(), balancer.Kinds(),
	)
}

// faults lists all faults there are, of which those that a target file has commands
// for are made by them. It may be nil.
func (a *app) faults(t *remote.Target) chaos.Catalog {
	var own sut.Commander
	if t != nil {
		own = t.Attach()
	}
	return command.Catalog(catalog(), own, a.secretAt)
}

// readScenario reads a scenario by the path of its file or by its name in the
// library.
func (a *app) readScenario(name string) (*scenarios.Scenario, error) {
	return a.parseScenario(name, a.lookup)
}

// parseScenario reads a scenario with another lookup of variables. With an error
// it returns what is sound in the file, or nil.
func (a *app) parseScenario(name string, lookup func(string) (string, bool)) (*scenarios.Scenario, error) {
	file, src, err := findScenario(name)
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	sc, err := scenarios.ParseDraft(file, src, lookup)
	if err != nil {
		return sc, exit(reports.ExitUsage, err)
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
	return "", nil, fmt.Errorf("no scenario %q: it is neither a file nor in the library; %s", name, meantScenario(name))
}

// title is the name of a file alone.
func title(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// meantScenario is the hint for a scenario that there is not: the file or the
// scenario of the library that is called most like it.
func meantScenario(name string) string {
	var files, titles []string
	for _, dir := range []string{filepath.Dir(name), ".", "scenarios"} {
		found, err := scenariosIn(dir)
		if err != nil {
			continue // there is none in it
		}
		for _, f := range found {
			files, titles = append(files, f), append(titles, title(f))
		}
	}
	if near := scenarios.Closest(name, append(files, library.Names()...)); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if near := scenarios.Closest(title(name), titles); near != "" {
		return fmt.Sprintf("did you mean %q?", files[slices.Index(titles, near)])
	}
	return scenarios.DidYouMean(name, append(library.Names(), files...))
}

// mostDrills is how many drills a run has at most, as repeat: of a scenario says
// too.
const mostDrills = 1000

// planFlags are the choices that change a plan.
type planFlags struct {
	trimFlags

	seed    uint64
	repeat  int
	options []string // NAME=VALUE
	target  string
	allow   string // permit
}

func (f *planFlags) register(cmd *cobra.Command) {
	f.trimFlags.register(cmd)
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of arrivals, operations and jitter (0: the scenario's, or a new one)")
	cmd.Flags().IntVar(&f.repeat, "repeat", 0, "number of drills (0: the scenario's)")
	cmd.Flags().StringArrayVar(&f.options, "option", nil, "option of the target, NAME=VALUE; may be given several times")
	cmd.Flags().StringVar(&f.target, "target", "", "run against another target than the scenario's")
	cmd.Flags().StringVar(&f.allow, "allow", "", allowFlag)
}

// check reports values that no flag has.
func (f *planFlags) check() error {
	if f.repeat < 0 || f.repeat > mostDrills {
		return fmt.Errorf("--repeat %d: want 1 to %d", f.repeat, mostDrills)
	}
	return nil
}

// A planned run is a plan with the files that the scenario names; they are nil
// where it names none.
type planned struct {
	*plan.Plan

	workload *httpload.File
	target   *remote.Target

	allowed    chaos.Policy // by a permit
	targetFile string       // path of target's file, absolute and without links
}

// realPath is the one path of a file that all others lead to.
func realPath(file string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", file, err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("find %s: %w", file, err)
	}
	return path, nil
}

// endpointsOf lists the databases and brokers of a system that operations can go
// to themselves, as KIND/NODE.
func endpointsOf(t sut.Topology) []string {
	speaks := map[sut.Role]string{sut.RoleDatabase: "postgres", sut.RolePooler: "postgres", sut.RoleBroker: "amqp"}
	var list []string
	for _, n := range t.Nodes {
		if kind := speaks[n.Role]; kind != "" {
			list = append(list, kind+"/"+n.Name)
		}
	}
	return list
}

// compareBase tells that a workload file says another address than the target,
// whose own is used.
func (p *planned) compareBase() {
	base := p.address()
	if p.workload == nil || base == "" || p.workload.Base == "" || strings.TrimRight(p.workload.Base, "/") == base {
		return
	}
	p.Warnings = append(p.Warnings, scenarios.Problem{
		Pos: p.Scenario.Load.WorkloadPos, Width: len(p.Workload), Warning: true,
		Msg:  fmt.Sprintf("the load goes to %s, and not to the base: of %s, %s", base, p.workload.Path, p.workload.Base),
		Hint: "the target of a scenario wins; base: is for proofload workload try",
	})
}

// address is where the target is, or empty if that is not known before it is up.
func (p *planned) address() string {
	switch {
	case p.target != nil:
		return p.target.Base
	case isURL(p.Target):
		return strings.TrimRight(p.Target, "/")
	}
	return ""
}

// beside returns the path of a file that a scenario names: relative to its own.
func beside(scenario, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(scenario), name)
}

// openBeside opens the files that a scenario names: their paths are relative to
// the scenario's own. One of the library has none.
func openBeside(scenario string) func(name string) (io.ReadCloser, error) {
	if strings.HasPrefix(scenario, inLibrary) {
		return nil
	}
	return func(name string) (io.ReadCloser, error) {
		return os.Open(beside(scenario, name))
	}
}

func (a *app) planCommand() *cobra.Command {
	var (
		flags planFlags
		asked bool
	)
	cmd := &cobra.Command{
		Use:   "plan SCENARIO",
		Short: "Show what a run would do and when, without touching anything",
		Example: `  proofload plan primary-failover
  proofload plan primary-failover --json --seed 7`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return exit(reports.ExitUsage, err)
			}
			sc, err := a.readToPlan(args[0], flags)
			if err != nil {
				return err
			}
			p, err := a.buildPlan(sc, flags)
			if err != nil {
				return err
			}
			p.Warnings = append(p.Warnings, p.lacking(os.DirFS("/"))...)
			if asked {
				return p.WriteJSON(a.stdout)
			}
			return p.Render(a.stdout, max(80, a.width()))
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&asked, "json", false, "as one JSON object, for programs: plan/v1")
	return cmd
}
