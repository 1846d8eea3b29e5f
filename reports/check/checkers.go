package check

import (
	"fmt"
	"slices"
	"strings"
)

// The names of the checkers, as scenarios ask for them under "verify".
const (
	nameAcknowledged  = "acknowledged-writes"
	nameObserved      = "observed-writes"
	nameDuplicates    = "no-duplicates"
	nameBalances      = "balances"
	nameCounters      = "counter-bounds"
	nameOwnWrites     = "read-your-writes"
	nameMonotonic     = "monotonic-reads"
	nameLinearizable  = "linearizable"
	nameOneOrder      = "snapshots-in-order"
	nameFresh         = "fresh-reads"
	nameCoherent      = "cache-coherent"
	nameOnePrimary    = "one-primary"
	nameReplicas      = "replicas-agree"
	nameJobs          = "jobs-done"
	nameDeadLetters   = "dead-letters"
	nameSubscribers   = "subscribers"
	nameInstances     = "instances-recover"
	nameProven        = "faults-proven"
	nameAmplification = "retry-amplification"
	nameGoodput       = "goodput-returns"
	nameOrphans       = "orphaned-work"
	nameTimeouts      = "timeouts-hold"
	nameRefusals      = "refusals-hold"
	nameAnswers       = "answers-right"
	nameRestored      = "restored-writes"
)

// Names lists the checkers that a spec may ask for.
func Names() []string {
	return []string{
		nameAcknowledged, nameObserved, nameDuplicates, nameBalances, nameCounters,
		nameOwnWrites, nameMonotonic, nameLinearizable, nameOneOrder, nameFresh, nameCoherent,
		nameOnePrimary, nameReplicas, nameJobs, nameDeadLetters, nameSubscribers,
		nameInstances, nameProven, nameAmplification, nameGoodput, nameOrphans, nameTimeouts, nameRefusals,
		nameAnswers, nameRestored,
	}
}

// checkers returns how to make each of the checkers.
func checkers(ct *court) map[string]func() Checker {
	c, d := ct.course, ct.durability
	return map[string]func() Checker{
		nameAcknowledged:  func() Checker { return &acknowledgedWrites{durability: d} },
		nameObserved:      func() Checker { return &observedWrites{durability: d} },
		nameDuplicates:    func() Checker { return &noDuplicates{durability: d} },
		nameBalances:      func() Checker { return &balances{course: c, read: map[int]int{}} },
		nameCounters:      func() Checker { return newCounterBounds(c, d) },
		nameOwnWrites:     func() Checker { return newOwnWrites(c, d) },
		nameMonotonic:     func() Checker { return newMonotonicReads() },
		nameLinearizable:  func() Checker { return newLinearizable(c, d) },
		nameOneOrder:      func() Checker { return newOneOrder() },
		nameFresh:         func() Checker { return &freshReads{sightings: ct.sightings, bound: ct.spec.Bounds.Stale} },
		nameCoherent:      func() Checker { return &cacheCoherent{sightings: ct.sightings, bound: ct.spec.Bounds.Stale} },
		nameOnePrimary:    func() Checker { return newOnePrimary(c) },
		nameReplicas:      func() Checker { return &replicasAgree{course: c, drills: map[int]*copies{}} },
		nameJobs:          func() Checker { return newJobsDone(c, d) },
		nameDeadLetters:   func() Checker { return newDeadLetters(c) },
		nameSubscribers:   func() Checker { return newSubscribers(c, d) },
		nameInstances:     func() Checker { return newInstancesRecover(&ct.spec, c, ct.faults) },
		nameProven:        func() Checker { return &faultsProven{spec: &ct.spec, course: c, faults: ct.faults} },
		nameAmplification: func() Checker { return newAmplification(c, ct.faults, ct.spec.Bounds.Amplification) },
		nameGoodput:       func() Checker { return newGoodput(&ct.spec, c, ct.faults, d) },
		nameOrphans:       func() Checker { return newOrphans(c, ct.spec.Bounds.Answer) },
		nameTimeouts:      func() Checker { return &timeoutsHold{bound: ct.spec.Bounds.Answer} },
		nameRefusals:      func() Checker { return newRefusals(ct.faults) },
		nameAnswers:       func() Checker { return &answersRight{} },
		nameRestored:      func() Checker { return newRestoredWrites(c, ct.faults, d) },
	}
}

// maxExamples bounds the examples of a verdict.
const maxExamples = 10

// wrongs collect what a checker found wrong.
type wrongs struct {
	kinds    []string // one clause a kind of wrong, most serious first
	examples []string
	groups   groups
	causes   []string // what the checker itself saw of why
}

// say adds a kind of wrong with its examples.
func (w *wrongs) say(clause string, examples ...string) {
	w.kinds = append(w.kinds, clause)
	w.examples = append(w.examples, examples...)
}

// because adds a cause that the checker has evidence of; an empty one is none.
func (w *wrongs) because(cause string) {
	if cause != "" && !slices.Contains(w.causes, cause) {
		w.causes = append(w.causes, cause)
	}
}

// verdict is a failure if anything was wrong; else inconclusive if there is a
// doubt; else a pass with the given reason.
func (w *wrongs) verdict(name, doubt, pass string) Verdict {
	switch {
	case len(w.kinds) > 0:
		return Verdict{
			Check: name, Outcome: Fail, Reason: strings.Join(w.kinds, "; "),
			Examples: slices.Clone(w.examples[:min(len(w.examples), maxExamples)]),
			Groups:   w.groups.list(),
			Causes:   slices.Clone(w.causes),
		}
	case doubt != "":
		return Verdict{Check: name, Outcome: Inconclusive, Reason: doubt}
	}
	return Verdict{Check: name, Outcome: Pass, Reason: pass}
}

// describe writes a write for the examples of a verdict.
func (r record) describe() string {
	text := r.id + ": "
	switch {
	case r.acknowledged():
		text += fmt.Sprintf("acknowledged at %.3f s", r.acked.Seconds())
	case r.attempted:
		text += fmt.Sprintf("sent at %.3f s", r.invoked.Seconds())
	default:
		text += "never sent"
	}
	if r.amount != 0 {
		text += fmt.Sprintf(", amount %d", r.amount)
	}
	return text + fmt.Sprintf(", drill %d", r.drill)
}

// blameAll says of each of a list of writes that it went wrong; also adds what
// is to be said of it.
func (d *durability) blameAll(w *wrongs, list []record, also func(*write) string) {
	for _, r := range list {
		w.groups.add(caught{
			op: d.words.of(r.op), id: r.id, node: d.words.of(r.node), corr: d.correlation(r), at: r.at(), weight: float64(r.amount),
			text: func() string { return r.describe() + also(r.write) },
		})
	}
}

// describeAll writes the first of a list of writes.
func describeAll(list []record, also func(*write) string) []string {
	var out []string
	for _, r := range list[:min(len(list), maxExamples)] {
		out = append(out, r.describe()+also(r.write))
	}
	return out
}
