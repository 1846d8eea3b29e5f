// Package compare says whether one run was slower than another, so that noise
// does not fail a build and a regression does.
//
// Of runs that are made up, 20 pairs of equal ones differ in nothing, and in 20
// pairs a regression of 10 % at 200/s over 5 minutes is found (the tests of this
// package). Of real runs, make bench-compare does a dozen and compares each with
// each: on two cores, before other work that gave way, 0 of 21 pairs of equal runs
// were flagged and 35 of 35 pairs of which the second was a tenth slower. Some of
// these are kept for the tests. Of nine in minutes so noisy that the judge calls
// the generator itself too late, 1 of 21 and 10 of 14 were flagged: such runs are
// inconclusive.
package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
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

// Limits say by metric how much worse a run may be: latencies in percent,
// errors in percentage points. Other metrics are not compared.
type Limits map[string]float64

// DefaultLimits compare everything, and let latencies be so many percent
// higher.
func DefaultLimits(threshold float64) Limits {
	l := Limits{}
	for _, m := range metrics() {
		l[m.name] = threshold
		if m.unit == format.Percentage {
			l[m.name] = errorPoints
		}
	}
	return l
}

// Compare compares two runs, in all scored phases and operations that both have
// and that offer the same load in both.
func Compare(before, after *Profile, limits Limits) *reports.Comparison {
	c := &reports.Comparison{Before: before.Side, After: after.Side, Differences: []reports.Difference{}, Notes: notes(before, after)}
	skip := func(format string, args ...any) { c.Skipped = append(c.Skipped, fmt.Sprintf(format, args...)) }
	for _, a := range before.Series {
		if k := (key{a.Phase, a.Op}); after.find(k) == nil {
			skip("%s: it is not in both, or too short", k)
		}
	}
	for _, b := range after.Series {
		k := key{b.Phase, b.Op}
		a := before.find(k)
		first, ok := before.phase(b.Phase)
		second, _ := after.phase(b.Phase)
		switch {
		case !ok || a == nil:
			skip("%s: it is not in both, or too short", k)
			continue
		case offered(first) != offered(second):
			if b.Op == "" {
				skip("%s: %s before, %s after; at another load latencies are others", k, offered(first), offered(second))
			}
			continue
		}
		if b.Op == "" && a.HDR != "" && b.HDR != "" {
			c.Shapes = append(c.Shapes, reports.Shape{Phase: b.Phase, Before: a.HDR, After: b.HDR})
		}
		for _, m := range metrics() {
			limit, wanted := limits[m.name]
			n, o := len(a.Values[m.name]), len(b.Values[m.name])
			switch {
			case !wanted:
			case n < minWindows || o < minWindows:
				skip("%s %s: %d and %d windows, %d are needed", k, m.name, n, o, minWindows)
			default:
				c.Differences = append(c.Differences, differ(k, m, a.Values[m.name], b.Values[m.name], limit))
			}
		}
	}
	decide(c)
	conclude(c)
	if behind := cmp.Or(before.behind(), after.behind()); behind != "" {
		c.Outcome, c.Sentence = check.Inconclusive, behind
	}
	return c
}

// mostShed is the share of the operations of a phase that a generator may not have
// sent, in percent. What is measured beyond that is the generator.
const mostShed = 1

// behind says where or why the generator of a run fell behind, or nothing.
func (p *Profile) behind() string {
	if p.Behind != "" {
		return fmt.Sprintf("the generator of run %s fell behind, which says nothing of the system: %s", p.Run, p.Behind)
	}
	for _, s := range p.Series {
		if s.Op == "" && 100*s.Shed > mostShed*s.Offered {
			return fmt.Sprintf("the generator of run %s fell behind in %s: %.1f %% of the operations were not sent, which says nothing of the system",
				p.Run, s.Phase, 100*float64(s.Shed)/float64(s.Offered))
		}
	}
	return ""
}

func differ(k key, m metric, a, b []float64, allowed float64) reports.Difference {
	d := reports.Difference{Phase: k.phase, Op: k.op, Metric: m.name, Unit: m.unit, Allowed: allowed, P: mannWhitney(a, b).p}
	if m.unit == format.Percentage {
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
func decide(c *reports.Comparison) {
	for i := range c.Differences {
		d := &c.Differences[i]
		if d.P <= certain/float64(len(c.Differences)) && math.Abs(d.Change) >= d.Allowed {
			d.Worse, d.Better = d.Change > 0, d.Change < 0
		}
	}
}

// conclude gives the outcome, with the number that decided: that which is most
// over what is allowed, or came nearest to it.
func conclude(c *reports.Comparison) {
	if len(c.Differences) == 0 {
		c.Outcome, c.Sentence = check.Inconclusive, "the runs have nothing in common that is long enough to compare"
		if len(c.Skipped) > 0 {
			c.Sentence += ": " + c.Skipped[0]
		}
		return
	}
	most := slices.MaxFunc(c.Differences, nearer)
	worse := c.Worse()
	c.Outcome = check.Pass
	switch {
	case worse == 1:
		c.Outcome, c.Sentence = check.Fail, Words(most)
	case worse > 1:
		c.Outcome, c.Sentence = check.Fail, fmt.Sprintf("%s; %d of %d comparisons are worse", Words(most), worse, len(c.Differences))
	case len(c.Differences) == 1:
		c.Sentence = "not worse: " + Words(most)
	default:
		c.Sentence = fmt.Sprintf("not worse in any of %d comparisons; nearest is %s", len(c.Differences), Words(most))
	}
}

// nearer compares by how much two differences tell: what is worse more than what
// is not, a whole phase more than one operation, and then by how much of what is
// allowed they use.
func nearer(a, b reports.Difference) int {
	used := func(d reports.Difference) float64 { return d.Change / max(d.Allowed, 0.01) }
	rank := func(d reports.Difference) int {
		switch {
		case d.Worse && d.Op == "":
			return 2
		case d.Worse:
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(used(a), used(b)))
}

// Words says a difference in words.
func Words(d reports.Difference) string {
	chance := ""
	if !d.Worse && d.Change >= d.Allowed && d.Change > 0 {
		chance = ", which may be chance"
	}
	return fmt.Sprintf("%s %s %s, before %s: %s, allowed %s%s", key{d.Phase, d.Op}, d.Metric,
		format.Value(d.Unit, d.After), format.Value(d.Unit, d.Before), Change(d), Allowed(d), chance)
}

// Change writes the change of a difference with its unit.
func Change(d reports.Difference) string {
	if d.Unit == format.Percentage {
		return fmt.Sprintf("%+.2f points", d.Change)
	}
	return fmt.Sprintf("%+.1f %%", d.Change)
}

// Allowed writes how much worse it may be.
func Allowed(d reports.Difference) string {
	if d.Unit == format.Percentage {
		return fmt.Sprintf("+%g points", d.Allowed)
	}
	return fmt.Sprintf("+%g %%", d.Allowed)
}

// Subject names what a difference is of.
func Subject(d reports.Difference) string { return key{d.Phase, d.Op}.String() }
