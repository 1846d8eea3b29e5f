package compare

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// Write writes a comparison for people: the verdict first, then a table.
func Write(w io.Writer, c *reports.Comparison) error {
	if _, err := fmt.Fprintf(w, "%s  %s\n\n  before  %s\n  after   %s\n\n", Verdict(c), c.Sentence, Who(c.Before), Who(c.After)); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(c.Differences) > 0 {
		fmt.Fprintln(t, "SUBJECT\tMETRIC\tBEFORE\tAFTER\tCHANGE\tALLOWED\tCHANCE\tVERDICT")
	}
	for _, d := range c.Differences {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%.2g\t%s\n", Subject(d), d.Metric,
			format.Value(d.Unit, d.Before), format.Value(d.Unit, d.After), Change(d), Allowed(d), d.P, Word(d))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	for _, list := range []struct {
		head  string
		lines []string
	}{{"not compared: ", c.Skipped}, {"also different: ", c.Notes}} {
		for _, line := range list.lines {
			if _, err := fmt.Fprintln(w, list.head+line); err != nil {
				return fmt.Errorf("write comparison: %w", err)
			}
		}
	}
	return nil
}

// Verdict is the outcome in one word.
func Verdict(c *reports.Comparison) string {
	switch c.Outcome {
	case check.Fail:
		return "WORSE"
	case check.Pass:
		return "NOT WORSE"
	default:
		return "INCONCLUSIVE"
	}
}

// Word is what a difference counts as.
func Word(d reports.Difference) string {
	switch {
	case d.Worse:
		return "WORSE"
	case d.Better:
		return "better"
	}
	return "alike"
}

// Who says which run a side is.
func Who(s reports.Side) string {
	said := []string{s.Run, s.Scenario, s.Target}
	if s.Git != "" {
		said = append(said, "commit "+s.Git[:min(12, len(s.Git))])
	}
	if !s.Began.IsZero() {
		said = append(said, s.Began.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return strings.Join(said, "  ")
}

// Describe writes what a profile is, for people.
func Describe(w io.Writer, p *Profile) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "run\t%s\nscenario\t%s\ntarget\t%s\noptions\t%s\ncommit\t%s\nbegan\t%s\nproofload\t%s\nmachine\t%s\n", p.Run, p.Scenario, p.Target,
		orNone(written(p.Options)), orNone(p.Git), p.Began.UTC().Format("2006-01-02 15:04:05 UTC"), p.Version, orNone(written(p.Host)))
	for _, f := range p.Phases {
		if s := p.find(key{f.Name, ""}); s != nil {
			said := []string{offered(f)}
			for _, m := range metrics() {
				if v := s.Values[m.name]; len(v) > 0 {
					middle := median(v)
					if m.unit == format.Percentage {
						middle = mean(v)
					}
					said = append(said, m.name+" "+format.Value(m.unit, middle))
				}
			}
			fmt.Fprintf(t, "%s\t%s\n", f.Name, strings.Join(said, ", "))
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("describe baseline: %w", err)
	}
	return nil
}
