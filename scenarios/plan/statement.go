package plan

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// takes checks that a statement is for one database node, and a command or a
// request for nodes, and that the owner of the system allows it there.
func (b *builder) takes(what string, e scenarios.Event, s Step) {
	switch target := s.Params.Target; {
	case what == scenarios.TakesStatement && !b.oneDatabase(e, target): // which was said
	case len(target.Links) > 0:
		b.add(e.TargetPos, e.Target, fmt.Sprintf("%s wants a node, %s is a link", e.Verb, e.Target), "write for example app[1]")
	default:
		b.asks(e, s)
	}
}

// asks checks that the owner of the system allows what an entry does.
func (b *builder) asks(e scenarios.Event, s Step) {
	p := s.Params
	p.For = time.Second // it breaks nothing that could last
	if err := b.policy.Allows(e.Verb, p); err != nil {
		b.add(e.TargetPos, e.Target, err.Error(), "the owner of the target says so: see its file")
	}
}

// oneDatabase reports whether what SQL is for is one database node.
func (b *builder) oneDatabase(e scenarios.Event, target sut.Selection) bool {
	const hint = "write for example " + string(sut.RoleDatabase) + ".primary"
	one := len(target.Nodes) == 1 || target.Member == sut.MemberPrimary || target.Member == sut.MemberOldPrimary || target.Index > 0
	switch {
	case len(target.Nodes)+len(target.Links) == 0: // which was said
	case !allDatabases(target):
		b.add(e.TargetPos, e.Target, fmt.Sprintf("%s carries out no statements: it is no %s node", e.Target, sut.RoleDatabase), hint)
	case !one:
		b.add(e.TargetPos, e.Target, e.Target+" is several nodes, and a statement is for one", hint)
	default:
		return true
	}
	return false
}

func allDatabases(sel sut.Selection) bool {
	for _, n := range sel.Nodes {
		if n.Role != sut.RoleDatabase {
			return false
		}
	}
	return len(sel.Links) == 0
}
