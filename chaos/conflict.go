package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/sut"
)

// What faults touch of their targets.
const (
	TouchesProcess = "process" // whether and how it runs
	TouchesPackets = "packets" // what its network lets through
	TouchesLink    = "link"    // what a link proxy lets through
	TouchesCPU     = "cpu"
	TouchesMemory  = "memory"
	TouchesDisk    = "disk"
)

// ErrConflict is wrapped by errors that refuse a fault because it cannot be
// combined with another one.
var ErrConflict = errors.New("the two cannot be in effect at the same time")

// conflict reports that a fault cannot be injected while others are pending.
func (c Catalog) conflict(pending []Entry, next Undo) error {
	for _, e := range pending {
		both := common(strings.Split(e.Undo.Target, ","), strings.Split(next.Target, ","))
		if clash := c.clash(e.Undo.Kind, next.Kind); len(both) > 0 && clash != "" {
			return fmt.Errorf("%s %s is pending, and %s and %s %s of %s: %w",
				e.Undo.Kind, e.Undo.Target, e.Undo.Kind, next.Kind, clash, JoinTargets(both), ErrConflict)
		}
	}
	return nil
}

// Conflict reports that two faults that overlap in time cannot be combined. It
// knows no more than the scenario says: of targets that are only known at the
// moment of the event it assumes that they differ, and [Arm] looks again.
func (c Catalog) Conflict(one string, a Params, other string, b Params) error {
	clash := c.clash(one, other)
	if clash == "" || a.Target.Member != "" || b.Target.Member != "" {
		return nil
	}
	both := common(names(a.Target), names(b.Target))
	if len(both) == 0 {
		return nil
	}
	return fmt.Errorf("%s and %s %s of %s: %w", one, other, clash, JoinTargets(both), ErrConflict)
}

// clash says what both kinds do to one target that cannot be done by two, or
// nothing.
func (c Catalog) clash(one, other string) string {
	a, b := c[one], c[other]
	if both := common(a.Touches, b.Touches); len(both) > 0 {
		return "both change the " + both[0]
	}
	switch {
	case one == other:
		return "both change the state"
	case a.Freezes && b.Inside || a.Inside && b.Freezes:
		return "want frozen and running processes"
	}
	return ""
}

// names lists what a selection stands for.
func names(sel sut.Selection) []string {
	var list []string
	for _, n := range sel.Nodes {
		list = append(list, n.Name)
	}
	for _, l := range sel.Links {
		list = append(list, l.Name)
	}
	return list
}

// common returns what both lists have, in the order of the first.
func common(a, b []string) []string {
	var both []string
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}
