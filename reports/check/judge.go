package check

import (
	"errors"
	"fmt"
	"iter"

	"github.com/proofload/proofload/reports/history"
)

// Judge reads a history once and says whether it kept the promises of spec.
//
// Its memory is proportional to the number of writes, plus the operations that
// were scheduled between a fault with an objective and the end of its phase;
// everything else is counted.
//
// A history that ends with an error, for example because its last record is
// torn, is judged as far as it goes; the run is then at best inconclusive. A
// checker that panics makes its question inconclusive, never the program
// crash. An error is returned only for a spec that makes no sense.
//
// Extra checkers are asked beside those of the spec.
func Judge(spec Spec, events iter.Seq2[*history.Event, error], extra ...Checker) (*Judgement, error) {
	if err := spec.valid(); err != nil {
		return nil, fmt.Errorf("judge history: %w", err)
	}
	if events == nil {
		return nil, errors.New("judge history: there is none")
	}
	c := newCourt(spec, extra...)
	c.hear(events)
	return c.decide(), nil
}

// A court is everything that takes part in the judgement of one history.
type court struct {
	spec       Spec
	course     *course
	faults     *faults
	durability *durability
	latency    *latency
	generator  *generator
	series     *series
	recovery   *recovery
	sightings  *sightings
	evidence   *evidence
	scene      *scene
	diagnosis  *diagnosis
	checks     []*guarded
	witnesses  []*witness // all of the above, in the order in which they are told
}

// A witness is one part of the court that is told every event.
type witness struct {
	*fuse
	name    string
	observe func(*history.Event)
}

// tell passes an event on, unless the witness panicked before.
func (w *witness) tell(e *history.Event) { w.run(func() { w.observe(e) }) }

// newCourt makes the court for a spec, with extra checkers beside those that
// the spec asks for.
func newCourt(spec Spec, extra ...Checker) *court {
	spec.Recovered = spec.Recovered.orDefault()
	spec.Bounds = spec.Bounds.orDefault()
	spec.Drills = max(1, spec.Drills)
	c := &court{spec: spec, course: newCourse(spec.Phases)}
	c.faults = newFaults(&spec, c.course)
	c.durability = newDurability(c.course)
	c.latency = newLatency(&spec, c.course)
	c.generator = newGenerator(spec, c.course, c.faults)
	c.series = newSeries(c.course)
	c.recovery = newRecovery(&spec, c.course, c.faults, c.durability)
	c.sightings = newSightings(c.spec.Bounds.Stale)
	c.evidence = newEvidence(c.course, c.faults)
	c.scene = newScene(c.course)
	c.diagnosis = newDiagnosis(c.course, c.faults)
	c.witnesses = []*witness{
		{&c.course.fuse, "course of the run", c.course.observe},
		{&c.faults.fuse, "faults", c.faults.observe},
		{&c.durability.fuse, "writes", c.durability.observe},
		{&c.latency.fuse, "latency", c.latency.observe},
		{&c.generator.fuse, "generator", c.generator.observe},
		{&c.series.fuse, "series", c.series.observe},
		{&c.recovery.fuse, "recovery", c.recovery.observe},
		{&c.sightings.fuse, "reads", c.sightings.observe},
		{&c.evidence.fuse, "evidence", c.evidence.observe},
		{&c.scene.fuse, "scene", c.scene.observe},
		{&c.diagnosis.fuse, "diagnosis", c.diagnosis.observe},
	}
	known := checkers(c)
	for _, name := range spec.Verify {
		c.add(known[name]())
	}
	for _, q := range spec.Queries {
		c.add(newQueried(q, c.course))
	}
	for _, checker := range extra {
		c.add(checker)
	}
	return c
}

func (c *court) add(checker Checker) {
	g := &guarded{Checker: checker}
	c.checks = append(c.checks, g)
	c.witnesses = append(c.witnesses, &witness{&g.fuse, checker.Name(), checker.Observe})
}

// hear tells every witness every event.
func (c *court) hear(events iter.Seq2[*history.Event, error]) {
	for e, err := range events {
		if err != nil {
			c.course.torn = err.Error()
			return
		}
		for _, w := range c.witnesses {
			w.tell(e)
		}
	}
}

// decide makes the judgement when all events have been heard.
func (c *court) decide() *Judgement {
	j := &Judgement{
		Objectives: []ObjectiveResult{},
		Checks:     []Verdict{},
		Recoveries: []Recovery{},
		Windows:    []Window{},
		Faults:     []FaultWindow{},
		Series:     []Second{},
	}
	c.latency.run(func() { j.Windows = c.latency.windows() })
	c.generator.run(func() { j.Generator = c.generator.result() })
	c.series.run(func() { j.Series, j.Heat = c.series.seconds(), c.series.heats() })
	c.scene.run(func() { j.Topology, j.Journal = c.scene.topology, c.scene.entries() })
	c.diagnosis.run(func() { j.Diagnoses = c.diagnosis.list() })
	c.faults.run(func() { j.Faults = c.faults.windows() })
	c.durability.run(func() { j.Writes = c.durability.totals(c.recovery.firstCut) })
	c.recovery.run(func() { j.Recoveries = c.recoveries() })
	j.Objectives = c.objectives()
	for _, g := range c.checks {
		v := g.Verdict()
		if v.Outcome == Fail {
			c.evidence.run(func() { v.Causes = c.causes(&v) })
		}
		j.Checks = append(j.Checks, v)
	}
	c.pronounce(j)
	return j
}

// recoveries lists what every drill showed of every event with a recovery
// objective, in the order of the drills.
func (c *court) recoveries() []Recovery {
	list := []Recovery{}
	for _, d := range c.course.list() {
		for _, entry := range c.recovery.entries {
			found, ok := c.recovery.find(entry, d.number)
			if !ok {
				continue
			}
			c.durability.run(func() { c.loss(found.fault).tell(&found.Recovery) })
			list = append(list, found.Recovery)
		}
	}
	return list
}
