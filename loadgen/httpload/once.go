package httpload

import (
	"math/rand/v2"
	"slices"

	"github.com/proofload/proofload/loadgen"
)

// An Once goes through the journeys of a file one by one, to see whether file
// and system fit. Drill number n is the n-th journey, in an order in which what
// one asks for was made by one before.
type Once struct {
	*Workload

	order []*journey
}

// Once returns the workload of w's journeys one by one.
func (w *Workload) Once() *Once {
	o := &Once{Workload: w}
	for _, j := range w.file.journeys {
		o.add(j)
	}
	return o
}

// add appends a journey behind those whose writes it asks for. Above are those
// that ask for it.
func (o *Once) add(j *journey, above ...*journey) {
	if slices.Contains(above, j) || slices.Contains(o.order, j) {
		return
	}
	for _, s := range j.wants {
		o.add(s.journey, append(above, j)...)
	}
	o.order = append(o.order, j)
}

// Len returns how many journeys there are.
func (o *Once) Len() int { return len(o.order) }

// Steps lists the operations of the n-th journey, from 1.
func (o *Once) Steps(n int) []string {
	var ops []string
	for _, s := range o.order[n-1].steps {
		ops = append(ops, s.op)
	}
	return ops
}

// Next implements [loadgen.Workload].
func (o *Once) Next(drill int, seq uint64) loadgen.Operation {
	v := o.visit(drill, seq)
	v.journey = o.order[(drill-1)%len(o.order)]
	v.begin()
	return v.operation()
}

// visit makes a visit that has no journey yet.
func (w *Workload) visit(drill int, seq uint64) *visit {
	return &visit{
		w: w, drill: drill, seq: seq,
		rng: rand.New(rand.NewPCG(w.Seed^uint64(drill)<<48, seq)), //nolint:gosec // any bits will do
	}
}
