package httpload

import (
	"time"

	"github.com/proofload/proofload/scenarios"
)

// Version is the first key's value in a workload file.
const Version = "workload/v1"

// A File is a parsed workload file. It holds no state of a run.
type File struct {
	Path   string // as it was named
	Source []byte // as read

	Name, About string
	Base        string // of the system, where the target has no address of its own

	// Warnings are what is probably not meant, but can be carried out.
	Warnings []scenarios.Problem

	endpoints []*endpoint
	journeys  []*journey
	steps     []*step // of all journeys
	weight    uint64  // of all journeys
	feeds     []*feed
	auth      *auth
	sums      []*sum
	answers   answers
}

// Ops lists the operations in the order of the file: one for each request, and
// one for each step of a journey.
func (f *File) Ops() []string {
	ops := make([]string, len(f.steps))
	for i, s := range f.steps {
		ops[i] = s.op
	}
	return ops
}

// PerArrival is how many operations one arrival comes to on average, if each step
// of its journey is reached. It is 1 without journeys.
func (f *File) PerArrival() float64 {
	if f.weight == 0 {
		return 1
	}
	var sum uint64
	for _, j := range f.journeys {
		sum += j.weight * uint64(len(j.steps))
	}
	return float64(sum) / float64(f.weight)
}

// A journey is one or several requests of one client.
type journey struct {
	name   string
	weight uint64
	steps  []*step
	feeds  []int   // indices of those it takes a row of
	locals int     // how many values it sets or extracts
	wants  []*step // of other journeys, whose recent writes it asks for
}

// A step is one request of a journey, or another operation.
type step struct {
	op      string
	index   int // in the file
	place   *scenarios.Node
	journey *journey

	thinkFrom, thinkTo time.Duration // before it

	set     []assignment
	method  string
	path    template
	headers []header
	body    *template // nil: none

	statement *statement // what it is in place of a request; nil: none
	message   *message   // the same

	kind  string // of the body, unless a header says otherwise
	login bool   // it needs a token, where there is a login

	expect  expectation
	extract []extraction
	ack     *ack // nil: not counted
	session bool // it belongs to the client that goes through the journey
	sees    *sees
	refused bool   // it has to be refused
	limit   *limit // nil: there is none

	timeout time.Duration // 0: the engine's
	maxBody int64         // in bytes, 0: the engine's

	channel string     // what is kept open: "" of a plain request, else one of its kinds
	events  int        // on the channel, that the answer consists of
	send    []template // messages, on a socket

	recents []int // slots of the journey's values with the writes it asks for
}

// writes reports whether the request changes something, so that without an
// answer it may have happened.
func (s *step) writes() bool {
	if s.statement != nil {
		return s.statement.write
	}
	switch s.method {
	case "GET", "HEAD", "OPTIONS":
		return false
	}
	return true
}

// An assignment gives a name to a value that is made before the request.
type assignment struct {
	slot  int
	value template
	whole expr // the value with its type, if it is one expression; else nil
}

type header struct {
	name  string
	value template
}

// An ack says how a write is known to the system.
type ack struct {
	place  *scenarios.Node
	made   *template   // the key, where the client makes it
	fresh  bool        // nobody has ever used that key before
	given  *extraction // the key, where the answer has it
	lookup *lookup
}

// A lookup says how a write is found again.
type lookup struct {
	place   *scenarios.Node
	path    template
	headers []header
	query   *statement // in place of a request; nil: none
	found   statuses
	absent  statuses
	count   *extraction // how many times it is there; nil: once
	within  time.Duration
	login   bool
}

// An extraction takes a value out of an answer.
type extraction struct {
	place *scenarios.Node
	slot  int
	from  source
}
