package html

import (
	"slices"
	"strconv"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

const (
	maxFindings   = 50 // rows that are filled in
	emptyFindings = 3  // rows for what people noticed
)

// A journalRow is one line of what happened.
type journalRow struct {
	Clock, What, Text, Class string
	Into                     string // when that was in its drill, as charts count; since T0 if that was before
	Drill                    int
}

// A finding is a row of the table that a game day fills in.
type finding struct{ Number, Text, Severity string }

// pictures makes the picture of the system, if anything is known of it, and
// the curves of the percentiles.
func (p *page) pictures(r *reports.Result) {
	ds := known(r)
	if len(ds) > 0 && len(r.Topology.Nodes) > 0 {
		d := &ds[decisive(ds)]
		p.Topology = &chart{Heading: pictureHeading(scenes(d)), Caption: topologyCaption(d, len(ds)), Figure: topologyFigure(r, d)}
	}
	if cs := curves(r); len(cs) > 0 {
		f := percentileFigure("percentiles", "Latency by percentile", cs)
		p.Percentiles = &f
	}
}

// journal lists what happened, with times since the run began.
func (p *page) journal(r *reports.Result) {
	ds := known(r)
	for _, e := range r.Journal[:min(maxRows, len(r.Journal))] {
		row := journalRow{Clock: format.Clock(e.At), Drill: e.Drill, What: e.What, Text: e.Text, Into: into(ds, e)}
		switch e.What {
		case "drill":
			row.Class = "all"
		case "stop":
			row.Class = "bad"
		}
		p.Journal = append(p.Journal, row)
	}
}

// into says when an entry was in its drill: since T0 once that is reached.
func into(ds []drill, e check.JournalEntry) string {
	i := slices.IndexFunc(ds, func(d drill) bool { return d.number == e.Drill })
	if i < 0 || e.At < 1000*ds[i].began {
		return ""
	}
	d := &ds[i]
	if len(d.recoveries) > 0 {
		switch since := e.At - d.first().Injected; {
		case since == 0:
			return "T0"
		case since > 0:
			return "T0 +" + format.Duration(since)
		}
	}
	return format.Clock(e.At - 1000*d.began)
}

// findings begins the table of what to do: a row for everything that kept the
// run from passing, and empty ones.
func (p *page) findings(r *reports.Result) {
	for i, f := range format.Findings(r) {
		if i == maxFindings {
			break
		}
		severity := "high"
		if f.Outcome == check.Inconclusive {
			severity = "unclear"
		}
		p.Findings = append(p.Findings, finding{Text: f.Text, Severity: severity})
	}
	for range emptyFindings {
		p.Findings = append(p.Findings, finding{})
	}
	for i := range p.Findings {
		p.Findings[i].Number = strconv.Itoa(i + 1)
	}
}
