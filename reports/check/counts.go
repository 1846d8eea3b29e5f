package check

import (
	"time"

	"github.com/proofload/proofload/reports/history"
)

// counters follow a number that nodes count about themselves, over restarts of
// theirs.
type counters struct {
	name    string
	last    map[string]counted // by node
	grown   int64              // since the first look at each node
	samples int
}

type counted struct {
	value int64
	at    time.Duration
}

func newCounters(name string) *counters { return &counters{name: name, last: map[string]counted{}} }

// observe takes a sample and returns by how much the number has grown since the
// one before of the same node, and when that was. A number that is smaller than
// before began anew.
func (c *counters) observe(e *history.Event) (grown int64, since time.Duration) {
	if e.By != history.ByProbe || e.Op != history.ProbeCounter || e.Target != c.name || e.Kind == history.Fail {
		return 0, e.At
	}
	c.samples++
	was, ok := c.last[e.Node]
	c.last[e.Node] = counted{e.Value, e.At}
	switch {
	case !ok:
		return 0, e.At
	case e.Value < was.value:
		grown = e.Value
	default:
		grown = e.Value - was.value
	}
	c.grown += grown
	return grown, was.at
}

// total is by how much all nodes together have grown.
func (c *counters) total() int64 { return c.grown }
