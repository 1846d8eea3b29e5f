package compare

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/proofload/proofload/reports/format"
)

// What a difference must be to count. Two runs on the same machine differ in level
// by a few percent although nothing has changed, which no test over the windows
// of one run can see: so a difference must be certain, and of some size.
const (
	certain    = 0.01 // the chance to be wrong in any of all the comparisons of two runs
	minWindows = 12   // of each run: a minute

	// DefaultThreshold is how much slower, in percent, a run may be.
	DefaultThreshold = 5

	errorPoints = 0.1 // how much more, in percent of the operations, may fail
)

// A Difference is how two runs differ in one respect.
type Difference struct {
	Phase, Op, Metric string
	Unit              string  // ms or percent
	Before, After     float64 // over the windows: the median of latencies, the mean of errors
	Change            float64 // in percent of Before; of errors, in percentage points
	P                 float64 // the chance of such a difference between equal runs
	Worse             bool    // it counts, and After is worse
	Better            bool    // it counts, and After is better
}

// A Comparison is what two runs have to do with each other.
type Comparison struct {
	Differences []Difference
	Short       []string // what could not be compared, because there are too few windows
}

// Compare compares two runs, in all phases and operations that both have. The
// threshold is how many percent slower the second may be.
func Compare(before, after *Series, threshold float64) *Comparison {
	c := &Comparison{}
	for _, k := range before.keys(after) {
		for _, m := range metrics() {
			a, b := before.groups[k].values(m), after.groups[k].values(m)
			if len(a) < minWindows || len(b) < minWindows {
				c.Short = append(c.Short, fmt.Sprintf("%s %s: %d and %d windows, %d are needed", name(k), m.name, len(a), len(b), minWindows))
				continue
			}
			c.Differences = append(c.Differences, differ(k, m, a, b))
		}
	}
	c.decide(threshold)
	return c
}

func differ(k key, m metric, a, b []float64) Difference {
	d := Difference{Phase: k.phase, Op: k.op, Metric: m.name, Unit: m.unit, P: mannWhitney(a, b).p}
	if m.unit == "percent" {
		d.Before, d.After = mean(a), mean(b)
		d.Change = d.After - d.Before
		return d
	}
	d.Before, d.After = median(a), median(b)
	if d.Before > 0 {
		d.Change = 100 * (d.After/d.Before - 1)
	}
	return d
}

// decide says which differences count. The more are looked at, the more certain
// each has to be.
func (c *Comparison) decide(threshold float64) {
	for i := range c.Differences {
		d := &c.Differences[i]
		least := threshold
		if d.Unit == "percent" {
			least = errorPoints
		}
		if d.P <= certain/float64(len(c.Differences)) && math.Abs(d.Change) >= least {
			d.Worse, d.Better = d.Change > 0, d.Change < 0
		}
	}
}

// Worse counts the respects in which the second run is worse.
func (c *Comparison) Worse() int {
	n := 0
	for _, d := range c.Differences {
		if d.Worse {
			n++
		}
	}
	return n
}

func name(k key) string {
	if k.op == "" {
		return k.phase
	}
	return k.phase + "/" + k.op
}

// Write writes a comparison as a table for people.
func Write(w io.Writer, c *Comparison) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SUBJECT\tMETRIC\tBEFORE\tAFTER\tCHANGE\tCHANCE\tVERDICT")
	for _, d := range c.Differences {
		verdict := "alike"
		switch {
		case d.Worse:
			verdict = "WORSE"
		case d.Better:
			verdict = "better"
		}
		change := fmt.Sprintf("%+.1f %%", d.Change)
		if d.Unit == "percent" {
			change = fmt.Sprintf("%+.2f points", d.Change)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.2g\t%s\n", name(key{d.Phase, d.Op}), d.Metric,
			format.Value(d.Unit, d.Before), format.Value(d.Unit, d.After), change, d.P, verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	for _, s := range c.Short {
		if _, err := fmt.Fprintln(w, "not compared: "+s); err != nil {
			return fmt.Errorf("write comparison: %w", err)
		}
	}
	return nil
}
