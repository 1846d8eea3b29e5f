package check

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// A linearInput is what an operation of an account does: it moves the balance,
// or reads it.
type linearInput struct {
	read bool
	by   int64
	id   string
}

// A linearState is what an account is; and what a read is shown.
type linearState struct{ balance, version int64 }

func (s linearState) next(in linearInput, shown linearState) (bool, linearState) {
	if in.read {
		return s == shown, s
	}
	return true, linearState{s.balance + in.by, s.version + 1}
}

// model returns Porcupine's model of an account that begins as the segment does,
// for a search of so many steps. Once they are used up every step is refused,
// which ends the search.
func (s segment) model(steps *int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return linearState{s.from.balance, s.from.version} },
		Step: func(state, input, output any) (bool, any) {
			*steps--
			if *steps < 0 {
				return false, state
			}
			ok, next := state.(linearState).next(input.(linearInput), output.(linearState))
			return ok, next
		},
		DescribeOperation: func(input, output any) string {
			in := input.(linearInput)
			if in.read {
				return "read " + describeState(output)
			}
			return fmt.Sprintf("%+d (%s)", in.by, in.id)
		},
		DescribeState: describeState,
	}
}

func describeState(state any) string {
	s := state.(linearState)
	return fmt.Sprintf("%d at version %d", s.balance, s.version)
}

// operations returns the segment as Porcupine takes it, its end included.
func (s segment) operations() []porcupine.Operation {
	var ops []porcupine.Operation
	read := func(r strongRead) {
		ops = append(ops, porcupine.Operation{
			Input: linearInput{read: true}, Call: int64(r.sent), Output: linearState{r.balance, r.version}, Return: int64(r.at),
		})
	}
	for _, m := range s.moves {
		ops = append(ops, porcupine.Operation{Input: linearInput{by: m.by, id: m.id}, Call: int64(m.called), Output: linearState{}, Return: int64(m.done)})
	}
	for _, r := range s.reads {
		read(r)
	}
	read(s.to)
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	inLanes(ops)
	return ops
}

// inLanes gives operations that overlap different clients.
func inLanes(ops []porcupine.Operation) {
	var busy []int64 // until when each client is
	for i := range ops {
		lane := slices.IndexFunc(busy, func(until int64) bool { return until < ops[i].Call })
		if lane < 0 {
			lane = len(busy)
			busy = append(busy, 0)
		}
		busy[lane], ops[i].ClientId = ops[i].Return, lane
	}
}

// search looks for an order of the segment that explains the reads within it.
// Where there are none its ends have said all. A search that is given up is a
// guess.
func (s segment) search(steps *int, guessed *bool) string {
	if len(s.reads) == 0 {
		return ""
	}
	left := min(maxSteps, *steps)
	given := left
	result := porcupine.CheckOperationsTimeout(s.model(&left), s.operations(), time.Duration(0))
	*steps -= given - max(0, left)
	if result == porcupine.Ok {
		return ""
	}
	if left < 0 {
		*guessed = true
	}
	return fmt.Sprintf("no order of %s explains the %s between %.3f s and %.3f s", many(len(s.moves), "write"),
		many(len(s.reads), "read"), s.from.at.Seconds(), s.to.at.Seconds())
}

// draw returns a page that shows the segment and how far it can be explained.
func (f explanation) draw() []byte {
	steps := maxSteps / 10
	m := f.segment.model(&steps)
	_, details := porcupine.CheckOperationsVerbose(m, f.segment.operations(), 0)
	var b bytes.Buffer
	if err := porcupine.Visualize(m, details, &b); err != nil {
		return nil // a verdict needs no picture
	}
	return b.Bytes()
}
