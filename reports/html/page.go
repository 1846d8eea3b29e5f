package html

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

const (
	maxRows     = 500 // of a table; result.json has everything
	maxExamples = 3   // of a check
)

// A page is what the template shows, in words.
type page struct {
	Frame                 frame
	Title, Verdict, Class string
	Readout               *readout
	Name, About           string
	Sentence, Problem     string
	NoLoad                string   // says so of a run that had none
	Moments               []moment // when what failed, and what became of it
	Facts                 []fact
	Left                  []string // faults that may still be in place
	Objectives            []objective
	Reasons               []string
	Checks                []checkRow
	Chart                 *chart
	Drills                *figure
	Topology              *chart
	Percentiles           *figure
	Comparison            *comparison
	Journal               []journalRow
	Diagnoses             []check.Diagnosis
	Findings              []finding
	Anatomies             []anatomyView
	Writes                []account
	LostIDs, DoubledIDs   []string
	Windows               []window
	Parts                 []part
	Faults                []fault
	FaultsSaid            string
	Generator             generator
	Reproduce             []fact
	Plan                  string // what was to happen
	Command               string
	Run                   string
}

type fact struct{ Name, Value string }

type objective struct {
	Name, Measured, Limit, Margin string
	Word, Class                   string
	Why, Place, Note, Samples     string
	Evidence                      string // id of the heading below which it is shown; empty if nothing shows it
	Meter                         *drawing
}

type checkRow struct {
	Name, Word, Class, Reason string
	Examples                  []string
}

type chart struct {
	Heading string
	Caption string
	Figure  figure
}

type anatomyView struct {
	Event   string
	Caption string
	Figure  figure
	Rows    []recoveryRow
}

type recoveryRow struct {
	Drill                                          int
	Impact, Noticed, Promoted, Rerouted, FirstOK   string
	Steady, Read, Write, Stalled, Lost, Point, Bad string
	Class                                          string
}

type account struct{ Name, Value, Meaning, Class string }

type window struct {
	Phase, Op                                   string
	All, Score                                  bool
	Count, OK, Errors, Share, Shed              string
	P50, P90, P95, P99, P999, Max, ByErr, Class string
}

type part struct{ Phase, Op, Part, Count, P50, P99, Max string }

type fault struct {
	Drill                                int
	Name, What, From, Until, Seen, Proof string
	State, Class                         string
}

type generator struct {
	Fell   bool
	Reason string
	Rows   []fact
}

// newPage words a result.
func newPage(r *reports.Result) *page {
	p := &page{
		Title:   strings.ToUpper(r.Verdict) + " " + r.Scenario.Name + ", run " + r.Run,
		Verdict: strings.ToUpper(r.Verdict), Class: classOf(check.Outcome(r.Verdict)),
		Name: r.Scenario.Name, About: r.Scenario.About, Problem: r.Problem, Run: r.Run, NoLoad: format.NoLoad(r),
		Left: format.FaultsLeft(r), LostIDs: r.Writes.LostIDs, DoubledIDs: r.Writes.DuplicatedIDs,
		FaultsSaid: strings.TrimSuffix(format.Faults(r), ":"), Command: format.Reproduce(r),
	}
	if format.Judged(r) {
		p.Sentence = r.Sentence
	}
	p.Facts = facts(r)
	p.objectives(r)
	p.charts(r)
	p.pictures(r)
	if r.Comparison != nil {
		p.Comparison = comparisonOf(r.Comparison)
	}
	p.journal(r)
	p.Diagnoses = r.Diagnoses[:min(maxRows, len(r.Diagnoses))]
	p.findings(r)
	p.Writes = accounts(r.Writes)
	p.windows(r)
	p.faults(r)
	p.Generator = generatorOf(r.Generator)
	p.Reproduce, p.Plan = reproduce(r), r.Plan
	return p
}

// classOf names the colours of an outcome; other verdicts than pass and
// inconclusive are bad.
func classOf(o check.Outcome) string {
	switch o {
	case check.Pass:
		return "good"
	case check.Inconclusive:
		return "unclear"
	default:
		return "bad"
	}
}

func facts(r *reports.Result) []fact {
	fs := []fact{{"Run", r.Run}}
	if r.Target != "" {
		fs = append(fs, fact{"Target", r.Target})
	}
	if options := format.Options(r); len(options) > 0 {
		fs = append(fs, fact{"Options", strings.Join(options, ", ")})
	}
	fs = append(fs, fact{"Drills", format.Count(format.Drills(r))})
	if r.TookMS > 0 { // a run that died took nobody knows how long
		fs = append(fs, fact{"Took", format.Duration(r.TookMS)})
	}
	if ready := format.Ready(r); ready != "" {
		fs = append(fs, fact{"Environment ready in", ready})
	}
	if r.ImagesMS > 0 {
		fs = append(fs, fact{"Images ready in", format.Duration(r.ImagesMS)})
	}
	if !r.Began.IsZero() {
		fs = append(fs, fact{"Began", r.Began.UTC().Format(time.DateTime) + " UTC"})
	}
	return append(fs, fact{"Exit code", strconv.Itoa(r.Exit)})
}

func (p *page) objectives(r *reports.Result) {
	for _, o := range r.Objectives {
		margin := ""
		if format.Measured(o) {
			margin = format.Margin(o.Unit, o.Margin)
		}
		if o.Censored {
			margin = ""
		}
		why, place := o.Reason, format.Place(r, format.Finding{At: o.At})
		if o.Outcome == check.Pass {
			why, place = "", ""
		}
		p.Objectives = append(p.Objectives, objective{
			Name: o.Subject + " " + o.Metric, Measured: strings.ReplaceAll(format.Measurement(o), "-", "–"),
			Limit: sign(o.Op) + " " + format.Limit(o.Unit, o.Limit), Margin: strings.ReplaceAll(margin, "-", "−"),
			Word: format.OutcomeWord(o.Outcome), Class: classOf(o.Outcome), Why: why, Place: place, Note: o.Note,
			Samples: format.Samples(o), Meter: meter(o), Evidence: shownIn(r, o),
		})
	}
	p.Reasons = slices.DeleteFunc(format.LooseReasons(r), func(reason string) bool { // the headline says it
		return strings.EqualFold(strings.TrimSuffix(reason, "."), strings.TrimSuffix(r.Sentence, "."))
	})
	for _, v := range r.Checks {
		row := checkRow{Name: v.Check, Word: format.OutcomeWord(v.Outcome), Class: classOf(v.Outcome), Reason: v.Reason}
		if v.Outcome != check.Pass {
			row.Examples = v.Examples[:min(maxExamples, len(v.Examples))]
		}
		p.Checks = append(p.Checks, row)
	}
}

func sign(op string) string { return strings.NewReplacer("<=", "≤", ">=", "≥").Replace(op) }

// charts makes the main chart, of the drill that decided, that of all drills
// and the anatomies of the recoveries.
func (p *page) charts(r *reports.Result) {
	ds := known(r)
	if len(ds) > 0 {
		d := &ds[decisive(ds)]
		p.Moments = append(moments(r, d), kept(r)...)
		if d.idle() {
			p.Chart = unloadedChart(r, d, len(ds))
		} else {
			said := caption(r, d, len(ds))
			p.Readout = readoutOf(d)
			p.Chart = &chart{Heading: "What clients saw", Caption: said, Figure: timelineFigure("timeline", d, d.title(len(ds)), said+" "+d.inWords())}
		}
	}
	if len(ds) > 1 && len(r.Series) > 0 {
		f := drillsFigure(ds)
		p.Drills = &f
	}
	for i, event := range events(r) {
		recs := slices.DeleteFunc(slices.Clone(r.Recoveries), func(rec check.Recovery) bool { return rec.Event != event })
		view := anatomyView{
			Event: event, Caption: "Time since T0, when " + happened(r, event) + ".",
			Figure: anatomyFigure(r, fmt.Sprintf("anatomy-%d", i+1), event, recs),
		}
		for _, rec := range recs[:min(maxRows, len(recs))] {
			view.Rows = append(view.Rows, recoveryRowOf(r, rec))
		}
		p.Anatomies = append(p.Anatomies, view)
	}
}

// caption says in words what the main chart shows.
func caption(r *reports.Result, d *drill, of int) string {
	var said []string
	if of > 1 {
		said = append(said, fmt.Sprintf("Drill %d of %d, the one that decided.", d.number, of))
	}
	for _, m := range moments(r, d) {
		said = append(said, m.String())
	}
	return strings.Join(append(said, "Times count from the beginning of the drill."), " ")
}

func recoveryRowOf(r *reports.Result, rec check.Recovery) recoveryRow {
	limit, outcome := recoveryLimit(r, rec)
	row := recoveryRow{
		Drill: rec.Drill, Impact: seen(rec.Impact), Noticed: seen(rec.Noticed), Promoted: seen(rec.Promoted),
		Rerouted: seen(rec.Rerouted), FirstOK: seen(rec.FirstOK), Steady: seen(rec.Steady), Stalled: seen(rec.Stalled),
		Lost: format.Count(rec.Lost), Point: format.Duration(rec.Point), Bad: format.Count(rec.BadSeconds),
		Read: classTime(rec, "read"), Write: classTime(rec, "write"),
	}
	if !format.Audited(r.Writes) { // nobody knows what is lost
		row.Lost, row.Point = "–", "–"
	}
	if rec.Censored {
		row.Steady = "> " + row.Steady
	}
	if limit >= 0 && outcome != check.Pass {
		row.Steady, row.Class = row.Steady+" "+format.OutcomeWord(outcome), classOf(outcome)
	}
	return row
}

func classTime(rec check.Recovery, class string) string {
	ms, ok := rec.ByClass[class]
	if !ok {
		return "–"
	}
	return seen(ms)
}

// seen words a moment since T0, which is negative if it was not seen.
func seen(ms float64) string {
	if ms < 0 {
		return "–"
	}
	return format.Duration(ms)
}
