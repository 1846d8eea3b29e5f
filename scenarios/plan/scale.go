package plan

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// scales checks that a scale is of a role whose nodes keep nothing, that there are
// so many, and that the owner of the system allows it.
func (b *builder) scales(e scenarios.Event, s Step) {
	target := s.Params.Target
	if len(target.Nodes)+len(target.Links) == 0 {
		return // which was said
	}
	scaled := []sut.Role{sut.RoleService, sut.RoleWorker}
	if !slices.Contains(scaled, sut.Role(e.Target)) {
		b.add(e.TargetPos, e.Target, e.Target+" cannot be scaled: only a role whose nodes keep nothing can", fmt.Sprintf("write scale: %s or scale: %s", scaled[0], scaled[1]))
		return
	}
	if n, err := strconv.Atoi(e.With[scenarios.WithNodes]); err != nil || n > len(target.Nodes) {
		b.add(e.WithPos, "{", fmt.Sprintf("%s has %d %s nodes, not %s", b.topo.Name, len(target.Nodes), e.Target, e.With[scenarios.WithNodes]),
			fmt.Sprintf("write 1 to %d", len(target.Nodes)))
		return
	}
	if err := b.policy.Allows(e.Verb, s.Params); err != nil {
		b.add(e.TargetPos, e.Target, err.Error(), "the owner of the target says so: see its file")
	}
}
