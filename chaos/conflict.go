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
		touch := c.share(e.Undo.Kind, next.Kind)
		if len(both) > 0 && touch != "" {
			return fmt.Errorf("%s %s is pending and changes the %s of %s too: %w", e.Undo.Kind, e.Undo.Target, touch, JoinTargets(both), ErrConflict)
		}
	}
	return nil
}

// Conflict reports that two faults that overlap in time cannot be combined. It
// knows no more than the scenario says: of targets that are only known at the
// moment of the event it assumes that they differ, and [Arm] looks again.
func (c Catalog) Conflict(one string, a Params, other string, b Params) error {
	touch := c.share(one, other)
	if touch == "" || a.Target.Member != "" || b.Target.Member != "" {
		return nil
	}
	both := common(names(a.Target), names(b.Target))
	if len(both) == 0 {
		return nil
	}
	return fmt.Errorf("%s and %s both change the %s of %s: %w", one, other, touch, JoinTargets(both), ErrConflict)
}

// share returns something that both kinds touch, or nothing.
func (c Catalog) share(one, other string) string {
	if both := common(c[one].Touches, c[other].Touches); len(both) > 0 {
		return both[0]
	}
	if one == other {
		return "state"
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
