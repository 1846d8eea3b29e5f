package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/proofload/proofload/reports/history"
)

// From when on what a statement costs, or how a table is read, is worth a
// finding. What faults make slow is none: the fastest of many calls counts, and
// pages, which take no time. The product's own reads of a table, one a second,
// stay below.
const (
	oftenAsked   = 100    // calls of a statement, below which it is no part of the load
	slowFastest  = 20_000 // µs of the fastest call
	manyPages    = 1000   // of 8 KiB, a call
	pagesPerRow  = 20     // that a statement may read for each row that it gives
	pageKiB      = 8
	oftenScanned = 5000   // times that a table was read from end to end
	manyRows     = 10_000 // in each
)

// costs are what the databases say about statements and tables, as read last.
type costs struct {
	drill int
	by    map[string][]history.Event // by node
}

func (c *costs) observe(e *history.Event) {
	if e.Kind == history.Fail {
		return
	}
	if c.by == nil || e.Drill != c.drill {
		c.drill, c.by = e.Drill, map[string][]history.Event{} // it counts from the start of the server
	}
	c.by[e.Node] = append(c.by[e.Node], *e)
}

// list returns the findings, by node.
func (c *costs) list() []Diagnosis {
	var list []Diagnosis
	for _, node := range slices.Sorted(maps.Keys(c.by)) {
		for i := range c.by[node] {
			look := slowStatement
			if c.by[node][i].Op == history.AuditScan {
				look = scannedTable
			}
			if found, ok := look(&c.by[node][i]); ok {
				found.Node = node
				list = append(list, found)
			}
		}
	}
	return list
}

// slowStatement looks for a statement that is slow whenever it is asked, or reads
// far more than it gives.
func slowStatement(e *history.Event) (Diagnosis, bool) {
	slow := e.Value >= slowFastest
	heavy := e.Amount >= manyPages && e.Amount >= pagesPerRow*max(1, e.Jobs)
	text := fmt.Sprintf("%s reads %s pages for %s, %s times", e.Node, count(e.Amount), many(e.Jobs, "row"), count(e.Count))
	if slow {
		text = fmt.Sprintf("%s needs %d ms and more for a statement that it was asked %s times", e.Node, e.Value/1000, count(e.Count))
	}
	return Diagnosis{
		Sign: "slow-statement",
		Text: text,
		Evidence: []string{
			e.Text,
			fmt.Sprintf("%s, %s (%d MiB) and %s each; the fastest took %.1f ms", many(e.Count, "call"), many(e.Amount, "page"), e.Amount*pageKiB/1024, many(e.Jobs, "row"), float64(e.Value)/1000),
		},
		Next: "EXPLAIN (ANALYZE, BUFFERS) it with usual values: an index for what it filters and sorts by, fewer rows, or asked less often",
	}, e.Count >= oftenAsked && (slow || heavy)
}

// scannedTable looks for a large table that is read from end to end over and
// over.
func scannedTable(e *history.Event) (Diagnosis, bool) {
	return Diagnosis{
		Sign: "missing-index",
		Text: fmt.Sprintf("%s reads the table %s from end to end over and over: %s times", e.Node, e.Target, count(e.Count)),
		Evidence: []string{
			fmt.Sprintf("%s rows in each, of %s", count(e.Value), count(e.Amount)),
		},
		Next: "find the statement that does (EXPLAIN those that name the table), and make an index for what it filters by",
	}, e.Count >= oftenScanned && e.Value >= manyRows
}
