package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// mistakes collects what is wrong with a scenario and with the files that it
// names, a list a file.
type mistakes struct {
	files  []*scenarios.Problems
	others []error // that have no place
}

// add takes what a step found. Where another step found something before, it is
// left out: it follows from that.
func (m *mistakes) add(err error) {
	if err == nil {
		return
	}
	found, ok := errors.AsType[*scenarios.Problems](err)
	if !ok {
		m.others = append(m.others, err)
		return
	}
	i := slices.IndexFunc(m.files, func(f *scenarios.Problems) bool { return f.File == found.File })
	if i < 0 {
		m.files = append(m.files, &scenarios.Problems{File: found.File, Source: found.Source, List: slices.Clone(found.List)})
		return
	}
	before := m.files[i].List
	for _, q := range found.List {
		if !slices.ContainsFunc(before, func(p scenarios.Problem) bool { return p.Pos == q.Pos }) {
			m.files[i].List = append(m.files[i].List, q)
		}
	}
}

// err is all of them as one error, or nil.
func (m *mistakes) err() error {
	var all []error
	for _, f := range m.files {
		if err := f.Err(); err != nil {
			all = append(all, err)
		}
	}
	switch all = append(all, m.others...); len(all) {
	case 0:
		return nil
	case 1:
		return exit(reports.ExitUsage, all[0])
	}
	return exit(reports.ExitUsage, errors.Join(all...))
}

// readToPlan reads a scenario that is to be planned. In one with mistakes it looks
// for what else is wrong, so that all is said at once.
func (a *app) readToPlan(name string, f planFlags) (*scenarios.Scenario, error) {
	sc, err := a.readTrimmed(name, f.trimFlags)
	if err == nil {
		return sc, nil
	}
	if sc == nil {
		return nil, err
	}
	var found mistakes
	found.add(err)
	a.resolve(sc, f, true, &found)
	return nil, found.err()
}

// buildPlan resolves a scenario with what the flags say.
func (a *app) buildPlan(sc *scenarios.Scenario, f planFlags) (*planned, error) {
	var found mistakes
	p := a.resolve(sc, f, false, &found)
	if err := found.err(); err != nil {
		return nil, err
	}
	if err := a.showOrigins(p, f); err != nil {
		return nil, err
	}
	p.compareBase()
	if err := p.compareCalibration(); err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	return p, nil
}

// resolve makes the plan of a scenario, or of a draft of one, with all that is
// found wrong on the way. The plan is whole if that is nothing.
func (a *app) resolve(sc *scenarios.Scenario, f planFlags, draft bool, found *mistakes) *planned {
	found.add(choose(sc, f.options))
	p := &planned{}
	topology := a.readSystem(sc, f, p, found)
	known, answers := a.readOperations(sc, topology, p, found)
	placed := topology.Name != ""
	if placed {
		found.add(a.missingSecrets(sc, p.target))
	}
	var allowed license
	if placed {
		var err error
		allowed, err = a.readLicense(f.allow, topology)
		found.add(err)
		p.allowed = allowed.policy
	}
	seed := f.seed
	if seed == 0 && sc.Seed == 0 {
		seed = rand.Uint64N(1 << 32) // short enough to be typed again
	}
	var err error
	p.Plan, err = plan.Build(sc, topology, a.faults(p.target), known, plan.Options{
		Seed: seed, Repeat: f.repeat, Policy: allowed.policy, Open: openBeside(sc.File), Answers: answers,
		Able: abilitiesOf(sc.Target, p.target).fault, Draft: draft,
	})
	found.add(err)
	if p.Plan != nil {
		p.Needs = needs(sc.Target, topology)
		if p.target != nil {
			p.Allows = allows(p.target)
		}
	}
	if placed {
		found.add(p.permitted())
		found.add(p.reachable())
	}
	return p
}

// choose sets options of the target, each NAME=VALUE.
func choose(sc *scenarios.Scenario, options []string) error {
	for _, o := range options {
		name, value, ok := strings.Cut(o, "=")
		if !ok {
			return fmt.Errorf("--option %q: write NAME=VALUE, for example replication=async", o)
		}
		if sc.Options == nil {
			sc.Options = map[string]string{}
		}
		sc.Options[name] = value
	}
	return nil
}

// readFiles reads the target and the workload that a scenario names.
func (a *app) readFiles(sc *scenarios.Scenario, f planFlags) (*planned, sut.Topology, error) {
	var found mistakes
	p := &planned{}
	topology := a.readSystem(sc, f, p, &found)
	a.readOperations(sc, topology, p, &found)
	return p, topology, found.err()
}

// readSystem reads what a scenario runs against. Without a name, it is not known.
func (a *app) readSystem(sc *scenarios.Scenario, f planFlags, p *planned, found *mistakes) (topology sut.Topology) {
	var file string
	if f.target != "" {
		sc.Target = namedTarget(f.target, "")
		file = sc.Target
	} else {
		if named := namedTarget(sc.Target, sc.File); named != sc.Target {
			sc.Target = asWritten(sc.File, named)
		}
		file = beside(sc.File, sc.Target)
	}
	var err error
	switch {
	case sc.Target == "": // which was said
		return topology
	case isFile(sc.Target):
		if p.target, err = a.readTarget(file, sc.Options); err == nil {
			topology = p.target.Topology()
			p.targetFile, err = realPath(file)
		}
	default:
		topology, err = describeTarget(sc.Target, sc.Options)
	}
	if err != nil {
		found.add(misnamed(sc, f, err))
	}
	return topology
}

// readOperations reads the workload that a scenario names. It returns all that are
// known with their operations, nil if this one cannot be, and the checks that it
// answers itself.
func (a *app) readOperations(sc *scenarios.Scenario, topology sut.Topology, p *planned, found *mistakes) (known map[string][]string, answers []string) {
	if sc.Load.Workload == "" { // which was said
		return nil, nil
	}
	var err error
	p.workload, err = a.scenarioWorkload(sc, p.target)
	found.add(err)
	switch placed := topology.Name != ""; {
	case p.workload == nil && err != nil:
		return nil, nil
	case p.workload != nil && placed:
		if strings.HasPrefix(sc.Target, tcpScheme) {
			found.add(p.workload.CheckDirect(sc.Target))
		}
		found.add(p.workload.Check(sc.Target, endpointsOf(topology)))
	case p.workload == nil && (isAddress(sc.Target) || p.target != nil):
		found.add(problemAt(sc, sc.Load.WorkloadPos, sc.Load.Workload, fmt.Sprintf("the target %s needs a workload file: %s is for the built-in ledger", sc.Target, sc.Load.Workload),
			"proofload workload from-openapi FILE, or from-har FILE, writes a first one"))
	}
	known = workloads()
	if p.workload != nil {
		known[sc.Load.Workload] = p.workload.Ops()
		if p.workload.Sums() {
			answers = append(answers, "balances")
		}
	}
	return known, answers
}
