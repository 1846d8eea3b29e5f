// Package loadgen drives a system under test as its clients would, and records
// every operation in a history.
//
// The load is an open model: arrivals follow a schedule and do not wait for
// earlier operations. Vegeta is the pacing and worker engine; schedule,
// admission, transport, latency accounting and statistics are this package's
// own, because Vegeta counts latency from the moment of sending, which hides
// exactly the time that a broken system makes its clients wait.
package loadgen

import "net/http"

// Arrivals says how operations are spread within a phase.
type Arrivals string

// The kinds of arrivals. Poisson has the same number of operations in a phase
// as Even, at independent uniform random times weighted by the rate.
const (
	Even    Arrivals = "even"
	Poisson Arrivals = "poisson"
)

// An Operation is one request that a workload wants sent.
type Operation struct {
	Op     string // its name in objectives and reports
	Write  bool   // changes something, so its outcome may be indeterminate
	ID     string // identifies a write in the store; empty for reads
	Key    string // what it is about, for example an account
	Amount int64  // of a write, in minor units

	Method string
	Path   string // below the target's base URL, with query
	Header http.Header
	Body   []byte

	// Judge classifies an answer that was read to its end, by the contract of
	// the operation. A nil Judge takes 2xx as OK, 4xx as Refused and anything
	// else as Broken.
	Judge func(status int, header http.Header, body []byte) Answer

	Extras // what only some workloads need
}

// An Answer is what a complete answer means by contract.
type Answer int

// The answers.
const (
	Done    Answer = iota // the contract held
	Refused               // a definite refusal: nothing happened
	Broken                // not what the contract allows: a write may have happened
)

// A Workload makes operations. Next is called from one goroutine, in the order
// of the schedule, so that the same seed gives the same operations.
type Workload interface {
	// Ops lists the operations that Next may return, in a stable order.
	Ops() []string

	// Next returns the operation for the seq-th arrival of drill number drill.
	Next(drill int, seq uint64) Operation

	// Observe is told how an operation ended, from any goroutine, so that a
	// later operation can use what an earlier one made. It must not block.
	Observe(op *Operation, ok bool)
}
