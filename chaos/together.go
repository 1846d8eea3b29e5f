package chaos

import (
	"fmt"
	"slices"

	"github.com/proofload/proofload/sut"
)

// AllowsBeside reports that a fault is not allowed while others are in effect, as
// far as that is certain before the run: too many at the same time, or no
// majority of a role left untouched. It is pure. [Policy.Permit] looks again.
func (p Policy) AllowsBeside(topology sut.Topology, others []sut.Selection, kind string, next sut.Selection) error {
	refuse := func(err error) error { return fmt.Errorf("%s %s: %w: %w", kind, next.Ref, ErrNotAllowed, err) }
	if p.Active > 0 && len(others) >= p.Active {
		return refuse(fmt.Errorf("%d in effect by then, and %d at one time at most", len(others), p.Active))
	}
	for _, role := range p.Quorum {
		nodes := topology.ByRole(role)
		if err := majority(len(nodes), touchedOf(nodes, append(slices.Clone(others), next))); err != nil {
			return refuse(fmt.Errorf("of %s %w", role, err))
		}
	}
	return nil
}

// touchedOf is how many of some nodes faults of these targets certainly touch, by
// themselves or at an end of their links. Of members that are only known later it
// is how many there are of them.
func touchedOf(nodes []sut.Node, targets []sut.Selection) int {
	var touched []string
	most := 0
	for _, sel := range targets {
		if sel.Member != "" {
			if slices.ContainsFunc(sel.Nodes, func(n sut.Node) bool { return slices.Contains(nodes, n) }) {
				most = max(most, picks(sel))
			}
			continue
		}
		touched = append(touched, names(sel)...)
		for _, l := range sel.Links {
			touched = append(touched, l.From, l.To)
		}
	}
	return max(most, countTouched(nodes, touched))
}

// majority reports that no majority of so many nodes would be left untouched.
func majority(of, hit int) error {
	if hit > 0 && 2*(of-hit) <= of {
		return fmt.Errorf("%d of %d nodes would be broken, and a majority must stay", hit, of)
	}
	return nil
}
