package check

import "github.com/proofload/proofload/reports/history"

// counters follow a number that nodes count about themselves, over restarts of
// theirs.
type counters struct {
	name    string
	last    map[string]int64 // by node
	grown   int64            // since the first look at each node
	samples int
}

func newCounters(name string) *counters { return &counters{name: name, last: map[string]int64{}} }

// observe takes a sample and returns by how much the number has grown since the
// one before of the same node. A number that is smaller than before began anew.
func (c *counters) observe(e *history.Event) (grown int64) {
	if e.By != history.ByProbe || e.Op != history.ProbeCounter || e.Target != c.name || e.Kind == history.Fail {
		return 0
	}
	c.samples++
	was, ok := c.last[e.Node]
	c.last[e.Node] = e.Value
	switch {
	case !ok:
		return 0
	case e.Value < was:
		grown = e.Value
	default:
		grown = e.Value - was
	}
	c.grown += grown
	return grown
}

// total is by how much all nodes together have grown.
func (c *counters) total() int64 { return c.grown }
