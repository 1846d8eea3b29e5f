package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/proofload/proofload/sut"
)

// Targets resolves selections to nodes and links at the moment of an event, and
// remembers which node was primary when it was last broken.
type Targets struct {
	env sut.Environment

	mu         sync.Mutex
	oldPrimary string
}

// NewTargets returns a resolver for one run against env.
func NewTargets(env sut.Environment) *Targets { return &Targets{env: env} }

// Nodes returns the nodes that sel stands for now. Resolving the primary makes
// it the old primary for later events.
func (t *Targets) Nodes(ctx context.Context, sel sut.Selection) ([]sut.Node, error) {
	switch sel.Member {
	case "":
		return sel.Nodes, nil
	case sut.MemberOldPrimary:
		t.mu.Lock()
		defer t.mu.Unlock()
		n, ok := t.env.Topology().Node(t.oldPrimary)
		if !ok {
			return nil, fmt.Errorf("resolve %s: no primary was broken before", sel.Ref)
		}
		return []sut.Node{n}, nil
	}
	finder, ok := t.env.(sut.PrimaryFinder)
	if !ok {
		return nil, fmt.Errorf("resolve %s: finding the primary: %w", sel.Ref, sut.ErrUnsupported)
	}
	primary, err := finder.Primary(ctx)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", sel.Ref, err)
	}
	if sel.Member == sut.MemberPrimary {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.oldPrimary = primary.Name
		return []sut.Node{primary}, nil
	}
	return replicas(sel, primary)
}

// Links returns the links that sel stands for now: where it follows a member, those
// of the nodes that are it. Resolving the primary counts as for [Targets.Nodes].
func (t *Targets) Links(ctx context.Context, sel sut.Selection) ([]sut.Link, error) {
	if sel.Member == "" {
		return sel.Links, nil
	}
	nodes, err := t.Nodes(ctx, sut.Selection{Ref: sel.Ref, Nodes: t.env.Topology().ByRole(sut.RoleDatabase), Member: sel.Member, Index: sel.Index})
	if err != nil {
		return nil, err
	}
	var links []sut.Link
	for _, l := range sel.Links {
		if slices.ContainsFunc(nodes, func(n sut.Node) bool { return n.Name == l.At(sel.End) }) {
			links = append(links, l)
		}
	}
	if len(links) == 0 {
		return nil, fmt.Errorf("resolve %s: there is no such link now", sel.Ref)
	}
	return links, nil
}

// replicas picks from the candidates of sel those that are not the primary.
func replicas(sel sut.Selection, primary sut.Node) ([]sut.Node, error) {
	var nodes []sut.Node
	for _, n := range sel.Nodes {
		if n.Name != primary.Name {
			nodes = append(nodes, n)
		}
	}
	switch {
	case sel.Index == 0:
		return nodes, nil
	case sel.Index > len(nodes):
		return nil, fmt.Errorf("resolve %s: only %d replicas", sel.Ref, len(nodes))
	}
	return nodes[sel.Index-1 : sel.Index], nil
}
