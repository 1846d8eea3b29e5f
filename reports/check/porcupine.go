package check

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
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

// A maybeState is a state, or nil as long as no read has shown one.
type maybeState struct {
	linearState
	known bool
}

func (s maybeState) next(in linearInput, shown linearState) (bool, maybeState) {
	switch {
	case !s.known && in.read:
		return true, maybeState{shown, true}
	case in.read:
		return s.linearState == shown, s
	case s.known:
		return true, maybeState{linearState{s.balance + in.by, s.version + 1}, true}
	}
	return true, s
}

// model returns Porcupine's model of an account of which nothing is known at
// first, for a search of so many steps. Once they are used up every step is
// refused, which ends the search.
func model(steps *int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return maybeState{} },
		Step: func(state, input, output any) (bool, any) {
			*steps--
			if *steps < 0 {
				return false, state
			}
			ok, next := state.(maybeState).next(input.(linearInput), output.(linearState))
			return ok, next
		},
		DescribeOperation: func(input, output any) string {
			in := input.(linearInput)
			if in.read {
				return "read " + output.(linearState).String()
			}
			return fmt.Sprintf("%+d (%s)", in.by, in.id)
		},
		DescribeState: func(state any) string {
			if s := state.(maybeState); s.known {
				return s.String()
			}
			return "not known yet"
		},
	}
}

// String says a state in words.
func (s linearState) String() string { return fmt.Sprintf("%d at version %d", s.balance, s.version) }

// A window is part of what happened to an account.
type window struct {
	reads []strongRead
	moves []move
}

// maxDrawn is how many operations of each kind a picture has at most.
const maxDrawn = 100

// around returns what happened to an account between two moments, and what
// overlaps with reads that do.
func (a *account) around(from, to time.Duration) window {
	for _, r := range slices.Backward(a.reads) {
		if r.at >= from && r.sent <= to {
			from = min(from, r.sent)
		}
	}
	var w window
	for _, r := range a.reads {
		if r.sent <= to && r.sent >= from {
			w.reads = append(w.reads, r)
		}
	}
	for _, m := range a.moves {
		if m.called <= to && m.done >= from {
			m.done = min(m.done, to)
			w.moves = append(w.moves, m)
		}
	}
	w.reads, w.moves = w.reads[max(0, len(w.reads)-maxDrawn):], w.moves[max(0, len(w.moves)-maxDrawn):]
	return w
}

// operations returns the window as Porcupine takes it.
func (w window) operations() []porcupine.Operation {
	var ops []porcupine.Operation
	for _, m := range w.moves {
		ops = append(ops, porcupine.Operation{
			Input: linearInput{by: m.by, id: m.id}, Call: int64(m.called), Output: linearState{}, Return: int64(max(m.called, m.done)),
		})
	}
	for _, r := range w.reads {
		ops = append(ops, porcupine.Operation{
			Input: linearInput{read: true}, Call: int64(r.sent), Output: linearState{r.balance, r.version}, Return: int64(max(r.sent, r.at)),
		})
	}
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
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

// draw returns a page that shows the window and how far it can be explained.
func (w window) draw() []byte {
	if len(w.reads) == 0 {
		return nil
	}
	steps, enough := maxSteps/10, math.MaxInt
	_, details := porcupine.CheckOperationsVerbose(model(&steps), w.operations(), 0)
	var b bytes.Buffer
	if err := porcupine.Visualize(model(&enough), details, &b); err != nil { // takes the steps that were found once more
		return nil // a verdict needs no picture
	}
	return b.Bytes()
}
