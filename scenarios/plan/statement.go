package plan

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// takesStatement checks that a statement is for one database node, and that the
// owner of the system allows statements there.
func (b *builder) takesStatement(e scenarios.Event, s Step) {
	if b.oneDatabase(e, s.Params.Target) {
		b.asks(e, s)
	}
}

// takesCommand checks that a command or a request is for nodes, and that the
// owner of the system allows it there.
func (b *builder) takesCommand(e scenarios.Event, s Step) {
	if len(s.Params.Target.Links) > 0 {
		b.add(e.TargetPos, e.Target, fmt.Sprintf("%s wants a node, %s is a link", e.Verb, e.Target), "write for example app[1]")
		return
	}
	b.asks(e, s)
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
