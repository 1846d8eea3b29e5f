package httpload

import (
	"errors"
	"fmt"
	"sync"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
)

// maxNotes bounds how many different notes are kept, beside the first of each
// step.
const maxNotes = 64

// Notes say what went wrong between the file and the system, each once with how
// often, at its place in the file.
type notes struct {
	file string

	mu      sync.Mutex
	order   []*note
	byText  map[string]*note
	first   map[noteKind]bool
	outcome []outcomes // by step
}

// A noteKind is what notes are told apart by where there are too many of them.
type noteKind struct {
	step  int
	grave bool
}

// A note is one thing that went wrong.
type note struct {
	text  string
	count int
	step  int  // -1: of no request
	grave bool // operations could not be made at all: the question was not asked
}

// outcomes count how the operations of a step ended.
type outcomes struct{ ok, noted int }

func newNotes(file string, steps int) *notes {
	return &notes{file: file, byText: map[string]*note{}, first: map[noteKind]bool{}, outcome: make([]outcomes, steps)}
}

// add notes something about an operation of a step, or about none (nil).
func (n *notes) add(place *scenarios.Node, s *step, grave bool, msg string) {
	text := fmt.Sprintf("%s:%d:%d: ", n.file, place.Pos().Line, place.Pos().Col)
	index := -1
	if s != nil {
		text += s.op + ": "
		index = s.index
	}
	text += msg
	n.mu.Lock()
	defer n.mu.Unlock()
	if index >= 0 {
		n.outcome[index].noted++
	}
	if known := n.byText[text]; known != nil {
		known.count++
		return
	}
	kind := noteKind{index, grave}
	if len(n.order) >= maxNotes && n.first[kind] {
		return // what there is names enough to mend
	}
	n.first[kind] = true
	fresh := &note{text: text, count: 1, step: index, grave: grave}
	n.order = append(n.order, fresh)
	n.byText[text] = fresh
}

// ended counts an operation.
func (n *notes) ended(s *step, end loadgen.End) {
	if end.Kind != history.OK {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.outcome[s.index].ok++
}

// take returns all notes, and begins anew. The error joins those that leave the
// question open: a request of which not one was good, because of what the file
// wants of the answers, says more of the file than of the system, and
// operations that could not even be made say nothing of it.
func (n *notes) take() (all []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var open []error
	for _, o := range n.order {
		text := o.text
		if o.count > 1 {
			text += fmt.Sprintf(" (%d times)", o.count)
		}
		all = append(all, text)
		if o.grave || o.step >= 0 && n.outcome[o.step].ok == 0 {
			open = append(open, errors.New(text))
		}
	}
	n.order, n.byText, n.first, n.outcome = nil, map[string]*note{}, map[noteKind]bool{}, make([]outcomes, len(n.outcome))
	return all, errors.Join(open...)
}

// Findings returns what went wrong between the file and the system since it was
// last asked, each at its place in the file, and how often. The error joins
// those because of which the run does not settle its question.
func (w *Workload) Findings() (all []string, err error) { return w.notes.take() }
