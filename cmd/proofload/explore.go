package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/explore"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// exploreFlags are the choices of the explore command.
type exploreFlags struct {
	seed     uint64
	budget   time.Duration
	target   string
	options  []string // NAME=VALUE
	workload string
	allow    string // permit
	rate     float64
	within   time.Duration
	settle   time.Duration
	most     int
	runs     int
	kinds    []string
	out      string
	stack    string
}

func (a *app) exploreCommand() *cobra.Command {
	var flags exploreFlags
	cmd := &cobra.Command{
		Use:   "explore",
		Short: "Look for a timeline of faults that a system does not survive",
		Long: `Breaks random things at random times under load, with every check on that fits the
system, until something fails or the budget is over. What is broken is drawn from
the faults that the target can have and allows, a majority of each role stays
whole, and the same seed draws the same. One fault of each run is of those that
most outages begin with: the primary database, an instance of the service or a
worker is gone for a while, or frozen, or what it says to another is lost; these
take turns.

A timeline that failed is made as short as it can be and still fail in the same
way: whole faults are taken away, then their lengths and the pauses, and each
shorter timeline is run. The shortest is saved as a scenario that fails again when
it is run. Ctrl-C mends, and keeps the shortest that was found by then.

Exit codes are those of run: 0 if nothing failed, 1 if something did, 4 if no run
said anything.`,
		Example: `  proofload explore --seed 7 --budget 30m
  proofload explore --target targets/shop.yaml --workload workloads/shop.yaml --allow permits/staging.yaml
  proofload explore --faults kill,pause,stall --within 20s --settle 10s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.explore(cmd.Context(), flags) },
	}
	f := cmd.Flags()
	f.Uint64Var(&flags.seed, "seed", 0, "seed of all that is drawn (0: a new one)")
	f.DurationVar(&flags.budget, "budget", 30*time.Minute, "how long to look, and to make it shorter")
	f.StringVar(&flags.target, "target", "stack/ledger", "what to break: a stack or a target file")
	f.StringArrayVar(&flags.options, "option", nil, "option of the target, NAME=VALUE; may be given several times")
	f.StringVar(&flags.workload, "workload", mixed, "workload: that of the built-in ledger, or a workload file")
	f.StringVar(&flags.allow, "allow", "", allowFlag)
	f.Float64Var(&flags.rate, "rate", 50, "offered load in operations per second")
	f.DurationVar(&flags.within, "within", 20*time.Second, "the stretch of a run in which things are broken")
	f.DurationVar(&flags.settle, "settle", 10*time.Second, "how long after the last fault is gone clients may go without being served")
	f.IntVar(&flags.most, "most", 4, "faults in one run at most")
	f.IntVar(&flags.runs, "runs", 0, "runs at most, also within the budget (0: any number)")
	f.StringSliceVar(&flags.kinds, "faults", nil, "kinds of fault to draw from (all)")
	f.StringVar(&flags.out, "out", "", "file for the scenario that fails (explore-SEED.yaml)")
	f.StringVar(&flags.stack, "stack", "cold", "cold: a new stack for each run; warm: one that stays up")
	return cmd
}

// check reports values that no flag has.
func (f *exploreFlags) check() error {
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(f.budget <= 0, "--budget %s: want a time above zero, for example 30m", f.budget)
	wrong(f.within < time.Second, "--within %s: want 1s or more", f.within)
	wrong(f.settle < time.Second, "--settle %s: want 1s or more", f.settle)
	wrong(f.rate <= 0, "--rate %g: want more than 0 operations per second", f.rate)
	wrong(f.runs < 0, "--runs %d: want 0 or more", f.runs)
	wrong(f.most < 1, "--most %d: want 1 or more", f.most)
	wrong(!slices.Contains([]string{"cold", "warm"}, f.stack), "--stack %q: want cold or warm", f.stack)
	known := catalog().Names()
	for _, kind := range f.kinds {
		wrong(!slices.Contains(known, kind), "--faults %s: no such fault; %s", kind, scenarios.DidYouMean(kind, known))
	}
	return errors.Join(errs...)
}

// explore looks for a timeline that fails.
func (a *app) explore(ctx context.Context, flags exploreFlags) error {
	if err := flags.check(); err != nil {
		return exit(reports.ExitUsage, err)
	}
	flags.target = namedTarget(flags.target, "")
	if flags.seed == 0 {
		flags.seed = rand.Uint64N(1<<32) + 1 // short enough to be typed again
	}
	if flags.out == "" {
		flags.out = fmt.Sprintf("explore-%d.yaml", flags.seed)
	}
	if _, err := os.Stat(flags.out); !errors.Is(err, fs.ErrNotExist) {
		return exit(reports.ExitUsage, fmt.Errorf("%s is there already: move it away, or name another file with --out", flags.out))
	}
	e, err := a.newExploration(flags)
	if err != nil {
		return err
	}
	return e.explore(ctx)
}

// newExploration finds out what can be broken.
func (a *app) newExploration(flags exploreFlags) (*exploration, error) {
	e := &exploration{app: a, flags: flags, began: time.Now()}
	err := e.settle()
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	// A plan with nothing broken shows whether target, workload and permit fit
	// together before anything is drawn.
	sc, err := e.scenario(explore.Timeline{Seed: 1})
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	p, topology, err := a.readFiles(sc, planFlags{})
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	allowed, err := a.readLicense(flags.allow, topology)
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	can := abilitiesOf(sc.Target, p.target)
	able := func(verb string, params chaos.Params) error {
		if lacks := cmp.Or(can.fault(verb, params), lacksOf(os.DirFS("/"), sc.Target, verb)); lacks != nil || p.target == nil {
			return lacks
		}
		return p.target.Permits(verb, params.Target)
	}
	e.deck, err = explore.NewDeck(explore.Config{
		Topology: topology, Catalog: a.faults(p.target), Policy: allowed.policy, Kinds: flags.kinds, Able: able,
		Within: flags.within, Most: flags.most,
	})
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	e.settings.Checks = fitting(topology, p)
	if sc, err = e.scenario(explore.Timeline{Seed: 1}); err == nil {
		_, err = a.buildPlan(sc, e.runFlags().plan)
	}
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	return e, nil
}

// fitting lists the checks that make sense of a system. That the system always
// says something is asked of none: nobody answers for a node that is frozen.
func fitting(topology sut.Topology, p *planned) []string {
	var list []string
	for _, c := range scenarios.Checks() {
		answers := false
		if p.workload != nil {
			if why, _ := unanswered(c.Name, p.Target, p.Workload, p.workload); why != "" {
				continue
			}
			answers = c.Name == "balances" && p.workload.Sums()
		}
		if c.Name != "timeouts-hold" && (answers || plan.Fits(c.Name, topology)) {
			list = append(list, c.Name)
		}
	}
	return list
}
