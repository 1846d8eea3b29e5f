// Package plan resolves a scenario against a system and the catalogues of
// faults and workloads.
//
// A plan is a pure function of its inputs and a seed: the same seed gives the
// same plan. It can be printed, and carrying it out is package run's affair.
package plan

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// A Plan says all that a run will do, and when.
type Plan struct {
	Scenario *scenarios.Scenario
	Target   string
	Options  map[string]string // of the target
	Needs    string            // what the target takes of this machine, for people; the caller knows
	Allows   string            // what the owner of the target allows, for people; the caller knows
	Seed     uint64

	Workload string
	Phases   []loadgen.Phase
	Arrivals loadgen.Arrivals

	Client Client

	Steps  []Step  // in the order of time
	Drills []Drill // the whole of it, several times

	Queries []Query // that the judge has the databases asked

	Spec     check.Spec
	Warnings []scenarios.Problem // what is probably not meant, but will be done

	operations int                   // of one drill
	kinds      map[string]chaos.Kind // of the faults in Steps, by verb
}

// A Step is an entry of the timeline with its target resolved.
type Step struct {
	Entry   check.Entry
	Verb    string
	Params  chaos.Params      // of a fault; Target also of a start
	Fault   bool              // Verb is a kind of fault of the catalogue
	Text    string            // of a note or a gate
	Headers map[string]string // of a request; secrets are named in them, see [scenarios.Reveal]
	To      string            // of a restore: the mark that it goes back to; empty: as far as the log goes
	Backup  sut.BackupKind
	Until   string // of a fault, for people: what ends it
}

// A Drill is one pass through phases and timeline.
type Drill struct {
	N      int           // from 1
	Jitter time.Duration // every entry of its timeline is this much later
	Seed   uint64        // of its arrivals and operations
}

// Options are choices for one run that a scenario leaves open or that differ
// from it.
type Options struct {
	Seed   uint64 // 0: the scenario's, or one derived from its text
	Repeat int    // number of drills; 0: the scenario's

	// Policy is what the owner of the target allows.
	Policy chaos.Policy
	// Able reports that the target cannot have a fault, as far as that is known
	// before it is up. Nil: nothing is known of that.
	Able func(verb string, p chaos.Params) error
	// Answers are the checks that the workload answers itself, whatever the
	// system consists of.
	Answers []string

	// Open opens a file that the scenario names, for example of recorded
	// arrivals. Nil: there are none to be had.
	Open func(name string) (io.ReadCloser, error)

	// Draft says that parts of the scenario are missing, because they were wrong:
	// only what each part says by itself is looked at.
	Draft bool
}

// Build resolves a scenario. Workloads lists the operations of each known
// workload. The error is *[scenarios.Problems] with everything that does not
// fit, at its place in the scenario file; the plan then has what does, for those
// who look for what else does not. A topology without a name, or no workloads at
// all, are not known because they were wrong, and nothing is held against them.
func Build(sc *scenarios.Scenario, topo sut.Topology, cat chaos.Catalog, workloads map[string][]string, opts Options) (*Plan, error) {
	b := &builder{
		sc: sc, topo: topo, catalog: cat, open: opts.Open, policy: opts.Policy, able: opts.Able, answers: opts.Answers,
		draft:    opts.Draft,
		problems: &scenarios.Problems{File: sc.File, Source: sc.Source, List: slices.Clone(sc.Warnings)},
		plan: &Plan{
			Scenario: sc,
			Target:   sc.Target,
			Options:  maps.Clone(sc.Options),
			Seed:     cmp.Or(opts.Seed, sc.Seed, seedOf(sc.Source)),
			Workload: sc.Load.Workload,
			Arrivals: cmp.Or(loadgen.Arrivals(sc.Load.Arrivals), loadgen.Poisson),
			kinds:    map[string]chaos.Kind{},
		},
	}
	if !b.draft {
		b.client()
		b.load()
	}
	b.timeline()
	b.objectives(workloads)
	b.verify()
	b.queries()
	if err := b.problems.Err(); err != nil || b.draft {
		return b.plan, err
	}
	b.plan.Warnings = b.problems.Warnings()
	b.plan.Spec.Recovered = recovered(sc.Recovered)
	b.plan.Spec.Bounds = check.Bounds{
		Stale: sc.Bounds.Stale, Answer: sc.Bounds.Answer, Return: sc.Bounds.Return, Amplification: float64(sc.Bounds.Amplification),
	}
	b.plan.Spec.SendLag = sc.Load.SendLag
	if c := sc.Compare; c != nil {
		b.plan.Spec.Compare = &check.Compare{To: c.To, WorseBy: maps.Clone(c.WorseBy)}
	}
	b.plan.Spec.Drills = cmp.Or(opts.Repeat, sc.Repeat.Times, 1)
	b.plan.Drills = drills(b.plan.Seed, b.plan.Spec.Drills, sc.Repeat.Jitter)
	return b.plan, nil
}

// Duration is how long the load of one drill takes.
func (p *Plan) Duration() time.Duration {
	if len(p.Spec.Phases) == 0 {
		return 0
	}
	last := p.Spec.Phases[len(p.Spec.Phases)-1]
	return last.Start + last.For
}

// Open is how long all gates of one drill may be open together, which is not
// part of its duration.
func (p *Plan) Open() time.Duration {
	var open time.Duration
	for _, s := range p.Steps {
		if s.Verb == scenarios.VerbGate {
			open += s.Entry.For
		}
	}
	return open
}

// Opens reports that the policy allows nothing to be broken at a time at which a
// run that begins now breaks something, should the target be up at once.
func (p *Plan) Opens(policy chaos.Policy, now time.Time) error {
	for _, d := range p.Drills {
		began := now.Add(time.Duration(d.N-1)*p.Duration() + d.Jitter)
		for _, s := range p.Steps {
			if !s.Fault {
				continue
			}
			at := began.Add(s.Entry.At)
			if err := policy.AllowsAt(at, at.Add(s.Params.TTL())); err != nil {
				return fmt.Errorf("%s %s: %w", s.Verb, s.Entry.Target, err)
			}
		}
	}
	return nil
}

// Operations is how many operations one drill offers by its schedule. What
// users send in closed phases is not among them.
func (p *Plan) Operations() int { return p.operations }

// Peak is the highest rate that is offered, in operations per second.
func (p *Plan) Peak() float64 {
	peak := 0.0
	for i := range p.Phases {
		peak = max(peak, p.Phases[i].Peak())
	}
	return peak
}

// A builder makes a plan and collects what is wrong with it.
type builder struct {
	sc       *scenarios.Scenario
	topo     sut.Topology
	catalog  chaos.Catalog
	open     func(name string) (io.ReadCloser, error)
	policy   chaos.Policy
	able     func(verb string, p chaos.Params) error // nil: of everything
	answers  []string
	draft    bool
	problems *scenarios.Problems
	plan     *Plan
}

// placed reports whether it is known what the scenario runs against.
func (b *builder) placed() bool { return b.topo.Name != "" }

// whole reports whether all entries of the timeline and what they are for are
// known, so that something can be said of what there is not.
func (b *builder) whole() bool { return !b.draft && b.placed() }

// add notes a problem with the text at a place.
func (b *builder) add(pos scenarios.Pos, text, msg, hint string) {
	b.problems.Add(pos, utf8.RuneCountInString(text), msg, hint)
}

// seedOf derives a seed from a scenario's text.
func seedOf(src []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(src) // a hash takes everything
	return cmp.Or(h.Sum64(), 1)
}

// drills numbers the drills and shifts each by its own part of jitter. A drill
// does not depend on how many there are.
func drills(seed uint64, n int, jitter time.Duration) []Drill {
	all := make([]Drill, n)
	for i := range all {
		d := Drill{N: i + 1}
		rng := rand.New(rand.NewPCG(seed, uint64(d.N))) //nolint:gosec // from 1
		d.Seed = rng.Uint64()
		if jitter > 0 {
			d.Jitter = time.Duration(rng.Int64N(int64(jitter))).Truncate(time.Millisecond)
		}
		all[i] = d
	}
	return all
}

// recovered fills in what a scenario leaves open.
func recovered(r scenarios.Recovered) check.Recovered {
	usual := check.DefaultRecovered()
	return check.Recovered{
		Window: cmp.Or(r.Window, usual.Window),
		MinOps: usual.MinOps,
		Good:   cmp.Or(r.Good, usual.Good),
		Rate:   cmp.Or(r.Rate, usual.Rate),
		Within: cmp.Or(r.Within, usual.Within),
	}
}
