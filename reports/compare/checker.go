package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// CheckName is that of the check that compares a run with its baseline.
const CheckName = "no-worse-than-baseline"

// A Checker compares a run with a baseline while the run's history is judged.
// It implements [check.Checker].
type Checker struct {
	asked     check.Compare
	before    *Profile
	after     *Profile
	collector *collector
	result    *reports.Comparison
}

// NewChecker makes the checker for a run whose scenario asks for a comparison.
// A nil baseline is one that there is not: then the answer is inconclusive.
func NewChecker(m *reports.Manifest, baseline *Profile) *Checker {
	return &Checker{asked: *m.Spec.Compare, before: baseline, after: NewProfile(m), collector: newCollector(m.Spec)}
}

// Name is [CheckName].
func (c *Checker) Name() string { return CheckName }

// Observe takes the next event.
func (c *Checker) Observe(e *history.Event) { c.collector.observe(e) }

// Comparison is what [Checker.Verdict] was given by, nil before it or if there
// is no baseline.
func (c *Checker) Comparison() *reports.Comparison { return c.result }

// Verdict is a failure if the run is worse, and inconclusive if a metric that
// the scenario names could be compared in no phase.
func (c *Checker) Verdict() check.Verdict {
	v := check.Verdict{Check: CheckName, Outcome: check.Inconclusive}
	if c.before == nil {
		v.Reason = fmt.Sprintf("there is no %s of %s yet; once a run is good enough, keep it: proofload baseline set %s %s",
			c.asked.To, c.after.Scenario, c.after.Run, strings.TrimPrefix(c.asked.To, Prefix))
		return v
	}
	var err error
	if c.after.Series, err = c.collector.series(); err != nil {
		v.Reason = err.Error()
		return v
	}
	r := Compare(c.before, c.after, c.asked.WorseBy)
	r.To = c.asked.To
	c.result = r
	if missing := c.missing(r); r.Outcome == check.Pass && missing != "" {
		r.Outcome, r.Sentence = check.Inconclusive, fmt.Sprintf("%s could not be compared: %s", missing, strings.Join(r.Skipped, "; "))
	}
	v.Outcome, v.Reason = r.Outcome, fmt.Sprintf("against %s, run %s: %s", r.To, r.Before.Run, r.Sentence)
	for _, d := range r.Differences {
		if d.Worse {
			v.Examples = append(v.Examples, Words(d))
		}
	}
	v.Examples = v.Examples[:min(len(v.Examples), 10)]
	if v.Outcome == check.Fail {
		for _, note := range r.Notes {
			v.Causes = append(v.Causes, "the runs differ in more than time: "+note)
		}
	}
	return v
}

// missing names a metric that the scenario limits and that was compared in no
// phase as a whole.
func (c *Checker) missing(r *reports.Comparison) string {
	for _, name := range slices.Sorted(maps.Keys(c.asked.WorseBy)) {
		if !slices.ContainsFunc(r.Differences, func(d reports.Difference) bool { return d.Op == "" && d.Metric == name }) {
			return name
		}
	}
	return ""
}

// Prefix is what the name of a baseline begins with where a run could be meant
// as well.
const Prefix = "baseline/"
