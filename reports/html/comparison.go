package html

import (
	"fmt"
	"io"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/compare"
	"github.com/proofload/proofload/reports/format"
)

// A comparison is what the template shows of two runs, in words.
type comparison struct {
	Frame                 frame
	Title, Verdict, Class string
	Sentence, To          string
	Runs                  string // as the command takes them
	Sides                 []fact
	Shapes                []shapeView
	Rows                  []differenceRow
	Skipped, Notes        []string
}

type shapeView struct {
	Caption string
	Figure  figure
}

type differenceRow struct {
	Subject, Metric, Before, After string
	Change, Allowed, Chance        string
	Word, Class                    string
	All                            bool // operations together
}

// WriteComparison writes the page of a comparison: one file that holds
// everything it shows, as the report of a run.
func WriteComparison(w io.Writer, c *reports.Comparison) error {
	return render(w, "compare.html.tmpl", comparisonOf(c))
}

// WriteComparisonLinked writes the same page with its style sheet in the file
// [StyleFile] beside it, as [WriteLinked] does.
func WriteComparisonLinked(w io.Writer, c *reports.Comparison) error {
	p := comparisonOf(c)
	p.Frame = frame{Linked: true, Style: StyleFile}
	return render(w, "compare.html.tmpl", p)
}

// comparisonOf words a comparison.
func comparisonOf(c *reports.Comparison) *comparison {
	p := &comparison{
		Title:   fmt.Sprintf("%s: run %s beside %s", compare.Verdict(c), c.After.Run, c.Before.Run),
		Verdict: compare.Verdict(c), Class: classOf(c.Outcome), Sentence: c.Sentence, To: c.To,
		Runs:    c.Before.Run + " " + c.After.Run,
		Sides:   []fact{{"Before", compare.Who(c.Before)}, {"After", compare.Who(c.After)}},
		Skipped: c.Skipped, Notes: c.Notes,
	}
	for i, s := range c.Shapes[:min(maxShapes, len(c.Shapes))] {
		var cs []curve
		for _, side := range []struct{ name, hdr string }{{"before", s.Before}, {"after", s.After}} {
			if h, err := hdrhistogram.Decode([]byte(side.hdr)); err == nil && h.TotalCount() > 0 {
				cs = append(cs, curve{side.name, percentiles(check.Window{HDR: side.hdr, OK: h.TotalCount()})})
			}
		}
		if len(cs) == 2 {
			p.Shapes = append(p.Shapes, shapeView{
				Caption: s.Phase + ": how long operations that were ok took, before and after. Every step to the right is ten times fewer operations.",
				Figure:  percentileFigure(fmt.Sprintf("shape-%d", i+1), "Latency by percentile of "+s.Phase+", before and after", cs),
			})
		}
	}
	for _, d := range c.Differences[:min(maxRows, len(c.Differences))] {
		row := differenceRow{
			Subject: compare.Subject(d), Metric: d.Metric, All: d.Op == "",
			Before: format.Value(d.Unit, d.Before), After: format.Value(d.Unit, d.After),
			Change: compare.Change(d), Allowed: compare.Allowed(d), Chance: fmt.Sprintf("%.2g", d.P), Word: compare.Word(d),
		}
		switch {
		case d.Worse:
			row.Class = "bad"
		case d.Better:
			row.Class = "good"
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

const maxShapes = 6 // of a comparison, one a phase
