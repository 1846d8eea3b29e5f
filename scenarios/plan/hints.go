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
	known := components(b.topo)
	if e.Verb == scenarios.VerbBackup {
		known = append(known, scenarios.BackupKinds()...)
	}
	near := scenarios.Closest(e.Target, known)
	switch {
	case near == e.Target: // a kind of backup
		return "there is no database to back up: there are " + strings.Join(roles(b.topo), ", ")
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case e.Verb == scenarios.VerbBackup:
		return fmt.Sprintf("write backup: %s or backup: %s", scenarios.BackupFull, scenarios.BackupIncremental)
	}
	link, ok := strings.CutPrefix(e.Target, "link:")
	if !ok || len(b.topo.Links) == 0 {
		return "there are: " + strings.Join(roles(b.topo), ", ")
	}
	if from, to, pair := strings.Cut(link, "->"); pair {
		to, _, _ = strings.Cut(to, ".") // whoever is primary: links do not move with it
		if near := b.linksOf(from, to); len(near) > 0 {
			return "there are: " + strings.Join(near, ", ")
		}
	}
	return fmt.Sprintf("write link:FROM->TO for one of them, or what all of a kind carry, for example link:%s", b.topo.Links[0].Carries)
}

// linksOf lists the links that begin at one node or role, or end at another, as a
// scenario would write them.
func (b *builder) linksOf(from, to string) []string {
	role := func(node string) string {
		if n, ok := b.topo.Node(node); ok {
			return string(n.Role)
		}
		return node
	}
	var refs []string
	for _, l := range b.topo.Links {
		if l.From == "*" || l.To == "*" { // of several nodes: it is meant by what it carries
			continue
		}
		begins, ends := l.From == from || role(l.From) == from, l.To == to || role(l.To) == to
		if ref := "link:" + role(l.From) + "->" + role(l.To); (begins || ends) && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}
