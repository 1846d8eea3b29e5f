package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// meant says how to mend an entry whose component there is not.
func (b *builder) meant(e scenarios.Event) string {
	known := slices.Concat(components(b.topo), followers(b.topo))
	if e.Verb == scenarios.VerbBackup {
		known = append(known, scenarios.BackupKinds()...)
	}
	link, isLink := strings.CutPrefix(e.Target, "link:")
	from, to, isPair := strings.Cut(link, "->")
	if hint := b.way(from, to); isLink && isPair && hint != "" {
		return hint
	}
	near := scenarios.Closest(e.Target, known)
	switch {
	case near == e.Target: // a kind of backup
		return "there is no database to back up: there are " + strings.Join(roles(b.topo), ", ")
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case e.Verb == scenarios.VerbBackup:
		return fmt.Sprintf("write backup: %s or backup: %s", scenarios.BackupFull, scenarios.BackupIncremental)
	case !isLink || len(b.topo.Links) == 0:
		return "there are: " + strings.Join(roles(b.topo), ", ")
	}
	if near := b.linksOf(roleOf(b.topo, from), roleOf(b.topo, to)); isPair && len(near) > 0 {
		return "there are: " + strings.Join(near, ", ")
	}
	return fmt.Sprintf("write link:FROM->TO for one of them, or what all of a kind carry, for example link:%s", b.topo.Links[0].Carries)
}

// followers lists the links that may follow the primary.
func followers(t sut.Topology) []string {
	const primary = string(sut.RoleDatabase) + "." + sut.MemberPrimary
	var refs []string
	for _, l := range t.Links {
		for _, ref := range []string{"link:" + roleOf(t, l.From) + "->" + primary, "link:" + primary + "->" + roleOf(t, l.To)} {
			if _, err := t.Select(ref); err == nil && !strings.Contains(ref, "*") && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// roleOf is the role of a node, or of a member of one; other words are what they
// are.
func roleOf(t sut.Topology, word string) string {
	if n, ok := t.Node(word); ok {
		return string(n.Role)
	}
	role, _, _ := strings.Cut(word, ".")
	return role
}

// way says over which links one component reaches another, where that is not one
// alone. It is empty if there is no such way.
func (b *builder) way(from, to string) string {
	start, end := roleOf(b.topo, from), roleOf(b.topo, to)
	came := map[string]string{start: start} // from where each role is reached first
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		for _, l := range b.topo.Links {
			next := roleOf(b.topo, l.To)
			if _, seen := came[next]; !seen && l.To != "*" && roleOf(b.topo, l.From) == queue[0] {
				came[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	if _, reached := came[end]; !reached || came[end] == start {
		return ""
	}
	var refs []string
	for at := end; at != start; at = came[at] {
		ref := "link:" + came[at] + "->" + at
		if as := "link:" + came[at] + "->" + to; at == end && b.selects(as) {
			ref = as // the member or the node that was asked for
		}
		refs = append(refs, ref)
	}
	slices.Reverse(refs)
	return fmt.Sprintf("the way from %s to %s is %s: write the one that is to break", from, to, strings.Join(refs, ", "))
}

func (b *builder) selects(ref string) bool {
	_, err := b.topo.Select(ref)
	return err == nil
}

// linksOf lists the links that begin at one role, or end at another, as a scenario
// would write them.
func (b *builder) linksOf(from, to string) []string {
	var refs []string
	for _, l := range b.topo.Links {
		if l.From == "*" || l.To == "*" { // of several nodes: it is meant by what it carries
			continue
		}
		begins, ends := roleOf(b.topo, l.From), roleOf(b.topo, l.To)
		if ref := "link:" + begins + "->" + ends; (begins == from || ends == to) && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}
