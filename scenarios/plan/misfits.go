package plan

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios"
)

// misfits tells what is wrong with the parameters of a fault: each at its key, if
// there is no such parameter, or at its value. What is written nowhere is told
// where the parameters are, or the target where there are none.
func (b *builder) misfits(e scenarios.Event, kind chaos.Kind, wrong []error) {
	known := make([]string, len(kind.Params))
	for i, p := range kind.Params {
		known[i] = p.Name
	}
	for _, err := range wrong {
		hint := fmt.Sprintf("proofload faults %s says what it takes", e.Verb)
		pos, width := e.TargetPos, utf8.RuneCountInString(e.Target)
		if len(e.With) > 0 {
			pos, width = e.WithPos, 1
		}
		param, ok := errors.AsType[*chaos.ParamError](err)
		if !ok {
			param = &chaos.ParamError{} // nowhere
		}
		switch spot, written := e.WithSpots[param.Name]; {
		case written && param.Unknown:
			pos, width = spot.Key, spot.KeyWidth
			if near := scenarios.Closest(param.Name, known); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
		case written:
			pos, width = spot.Value, spot.ValueWidth
			if near := scenarios.Closest(e.With[param.Name], components(b.topo)); near != "" && kind.IsComponent(param.Name) {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
		}
		b.problems.Add(pos, width, err.Error(), hint)
	}
}
