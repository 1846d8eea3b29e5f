package check

import (
	"fmt"
	"slices"
	"strings"
)

// The names of the checkers, as scenarios ask for them under "verify".
const (
	nameAcknowledged = "acknowledged-writes"
	nameDuplicates   = "no-duplicates"
	nameBalances     = "balances"
	nameOnePrimary   = "one-primary"
	nameReplicas     = "replicas-agree"
	nameJobs         = "jobs-done"
)

// Names lists the checkers that a spec may ask for.
func Names() []string {
	return []string{nameAcknowledged, nameDuplicates, nameBalances, nameOnePrimary, nameReplicas, nameJobs}
}

// checkers returns how to make each of the checkers.
func checkers(c *course, d *durability) map[string]func() Checker {
	return map[string]func() Checker{
		nameAcknowledged: func() Checker { return &acknowledgedWrites{durability: d} },
		nameDuplicates:   func() Checker { return &noDuplicates{durability: d} },
		nameBalances:     func() Checker { return &balances{course: c, read: map[int]int{}} },
		nameOnePrimary:   func() Checker { return newOnePrimary(c) },
		nameReplicas:     func() Checker { return &replicasAgree{course: c, drills: map[int]*copies{}} },
		nameJobs:         func() Checker { return &jobsDone{course: c, durability: d} },
	}
}

// maxExamples bounds the examples of a verdict.
const maxExamples = 10

// wrongs collect what a checker found wrong.
type wrongs struct {
	kinds    []string // one clause a kind of wrong, most serious first
	examples []string
}

// say adds a kind of wrong with its examples.
func (w *wrongs) say(clause string, examples ...string) {
	w.kinds = append(w.kinds, clause)
	w.examples = append(w.examples, examples...)
}

// verdict is a failure if anything was wrong; else inconclusive if there is a
// doubt; else a pass with the given reason.
func (w *wrongs) verdict(name, doubt, pass string) Verdict {
	switch {
	case len(w.kinds) > 0:
		return Verdict{
			Check: name, Outcome: Fail, Reason: strings.Join(w.kinds, "; "),
			Examples: slices.Clone(w.examples[:min(len(w.examples), maxExamples)]),
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

// describeAll writes the first of a list of writes.
func describeAll(list []record, also func(*write) string) []string {
	var out []string
	for _, r := range list[:min(len(list), maxExamples)] {
		out = append(out, r.describe()+also(r.write))
	}
	return out
}
