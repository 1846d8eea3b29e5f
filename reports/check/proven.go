package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports/history"
)

// faultsProven checks that every fault was seen to take effect, and seen to be
// gone again, by somebody other than who did it. Without that a run says little:
// either nothing was broken, or something was left broken.
type faultsProven struct {
	spec   *Spec
	course *course
	faults *faults
}

// Name returns "faults-proven".
func (*faultsProven) Name() string { return nameProven }

// Observe does nothing: the timeline is followed once, for all checkers.
func (*faultsProven) Observe(*history.Event) {}

// hits reports whether a fault acts on a node itself.
func (f *fault) hits(node string) bool { return slices.Contains(strings.Split(f.target, ","), node) }

// Verdict is never a failure, since it is of the run and not of the system: a
// fault without proof leaves the question open.
func (p *faultsProven) Verdict() Verdict {
	if p.faults.blown != "" {
		return Verdict{Check: p.Name(), Outcome: Inconclusive, Reason: p.faults.blown}
	}
	var open []string
	proven := 0
	for _, d := range p.course.list() {
		for _, entry := range p.spec.Events {
			if !breaks(entry.Verb) {
				continue
			}
			f := p.faults.get(d.number, entry.Name)
			switch {
			case f == nil:
				open = append(open, fmt.Sprintf("%s was never injected in drill %d", entry.Name, d.number))
			case f.failed != "":
				open = append(open, fmt.Sprintf("%s failed in drill %d: %s", entry.Name, d.number, f.failed))
			case f.settled == unseen:
				open = append(open, fmt.Sprintf("%s was not seen to take effect in drill %d", entry.Name, d.number))
			case f.recovered == unseen:
				open = append(open, fmt.Sprintf("%s was not seen to be gone in drill %d", entry.Name, d.number))
			default:
				proven++
			}
		}
	}
	if proven == 0 && len(open) == 0 {
		open = append(open, "the timeline has no fault")
	}
	var w wrongs
	return w.verdict(p.Name(), strings.Join(open, "; "), many(proven, "fault")+" seen to take effect and seen to be gone")
}
