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

// Conflict reports that two faults that overlap in time cannot be combined; one
// begins before the other. It knows no more than the scenario says: of targets
// that are only known at the moment of the event it refuses what is broken twice
// whichever they are, and assumes of others that they differ; [Arm] looks again.
func (c Catalog) Conflict(one string, a Params, other string, b Params) error {
	clash, both := c.clash(one, other), shared(a.Target, b.Target)
	if clash == "" {
		clash = c.ends(one, a, other, b)
	}
	if led := c.led(one, a, other, b); clash == "" && led != "" {
		clash, both = "lead and break the path", led
	}
	if clash == "" || both == "" {
		return nil
	}
	return fmt.Errorf("%s and %s %s of %s: %w", one, other, clash, both, ErrConflict)
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

// ends says that one of the two ends, or keeps down, the processes that the other
// is made among, or nothing. Packet filters go with the node as well.
func (c Catalog) ends(one string, a Params, other string, b Params) string {
	first, second := c[one], c[other]
	within := func(k Kind) bool { return k.Inside || slices.Contains(k.Touches, TouchesPackets) }
	ended := second.Ends != nil && second.Ends(b) && within(first)
	down := first.Ends != nil && first.Ends(a) && first.Down && within(second)
	if ended || down {
		return "want ended and running processes"
	}
	return ""
}

// led names the links of one fault whose path the other leads elsewhere.
func (c Catalog) led(one string, a Params, other string, b Params) string {
	var links []string
	find := func(k Kind, leads, breaks sut.Selection) {
		for _, l := range breaks.Links {
			if k.Leads && slices.ContainsFunc(leads.Nodes, func(n sut.Node) bool { return n.Name == l.To }) {
				links = append(links, l.Name)
			}
		}
	}
	find(c[one], a.Target, b.Target)
	find(c[other], b.Target, a.Target)
	return JoinTargets(links)
}

// Always is [Kind.Ends] of kinds that always do so.
func Always(Params) bool { return true }

// shared names what both selections certainly have, or nothing. Where members are
// only known later, each picks some of its candidates: together more than there
// are, so that one is picked twice.
func shared(a, b sut.Selection) string {
	one, other := names(a), names(b)
	both := common(one, other)
	if a.Member == "" && b.Member == "" {
		return JoinTargets(both)
	}
	if len(both) == 0 || picks(a)+picks(b) <= len(one)+len(other)-len(both) {
		return ""
	}
	if a.Member != "" {
		return a.Ref
	}
	return b.Ref
}

// picks is how many of its candidates a selection stands for.
func picks(sel sut.Selection) int {
	switch {
	case sel.Member == "":
		return len(sel.Nodes) + len(sel.Links)
	case sel.Member == sut.MemberReplica && sel.Index == 0 && len(sel.Links) == 0:
		return len(sel.Nodes) - 1
	}
	return 1
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
