package html

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// The most that the page of a run that goes on lists.
const (
	maxLatest = 12 // entries of the journal
	maxEnded  = 50 // runs of a suite
)

// A Live is what is known of a run that goes on.
type Live struct {
	Result   *reports.Result // its judgement is that of Progress; its verdict is empty until there is one
	Progress *check.Progress
	Spec     check.Spec
	Now      time.Duration // since the run began
	Said     string        // the latest line about bringing the system up or taking it down
	Unseen   int64         // events that the page could not keep up with
	Report   string        // of a run that is over: the file
}

// An Ended is a run that is over, of several that one page follows.
type Ended struct {
	Scenario, Verdict, Report string
}

// A Question is what a run asks those who look at its page.
type Question struct {
	ID    string // answers are posted to answer/ID/continue and answer/ID/abort
	Text  string
	Until string // when it has to be answered
}

// A Part is one piece of the page of a run that goes on, which can be put in
// place of what was there before.
type Part struct {
	Name string `json:"name"` // the id of its element
	HTML string `json:"html"`
}

// A Painter draws the page that follows runs. It is safe for concurrent use.
type Painter struct{ templates *template.Template }

// NewPainter prepares the page.
func NewPainter() (*Painter, error) {
	t, err := template.ParseFS(files, "*.tmpl", "style.css", "live.css")
	if err != nil {
		return nil, fmt.Errorf("prepare live page: %w", err)
	}
	return &Painter{t}, nil
}

// Page writes the whole page with what is known already. Script and events
// come from the paths live.js and events beside it.
func (p *Painter) Page(w io.Writer, parts []Part) error {
	known := map[string]template.HTML{}
	for _, part := range parts {
		known[part.Name] = template.HTML(part.HTML) //nolint:gosec // made by the templates of this package
	}
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, "live.html.tmpl", known); err != nil {
		return fmt.Errorf("write live page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write live page: %w", err)
	}
	return nil
}

// Script is the script of the page.
func (p *Painter) Script() ([]byte, error) {
	script, err := files.ReadFile("live.js")
	if err != nil {
		return nil, fmt.Errorf("read script of live page: %w", err)
	}
	return script, nil
}

// Parts draws what is known of a run that goes on.
func (p *Painter) Parts(l *Live) ([]Part, error) {
	return p.parts(newLivePage(l), "state", "objectives", "chart", "system", "faults", "latest", "numbers")
}

// Ended draws the list of the runs that are over.
func (p *Painter) Ended(runs []Ended) ([]Part, error) {
	return p.parts(&livePage{Ended: runs[max(0, len(runs)-maxEnded):]}, "ended")
}

// Asked draws what a run asks.
func (p *Painter) Asked(questions []Question) ([]Part, error) {
	return p.parts(&livePage{Questions: questions}, "asked")
}

func (p *Painter) parts(page *livePage, names ...string) ([]Part, error) {
	var parts []Part
	for _, name := range names {
		var b strings.Builder
		if err := p.templates.ExecuteTemplate(&b, "live-"+name, page); err != nil {
			return nil, fmt.Errorf("draw %s of live page: %w", name, err)
		}
		parts = append(parts, Part{Name: name, HTML: b.String()})
	}
	return parts, nil
}

// A livePage is what the templates show, in words.
type livePage struct {
	page

	Word         string // the verdict, or what goes on
	Sentence     string
	Report       string
	Done         int // ms of the drill, of Total
	Total        int
	DoneText     string
	Tiles        []tile
	Unseen       string
	Going        []liveFault
	Latest       []journalRow
	Announcement string
	Ended        []Ended
	Questions    []Question
}

// A tile is one number that is read at a glance.
type tile struct{ Name, Value, Class string }

type liveFault struct{ Name, What, State, When, Proof, Class string }

func newLivePage(l *Live) *livePage {
	p := &livePage{page: *newPage(l.Result), Report: l.Report}
	d := l.drill()
	p.state(l, d)
	p.standing(l)
	p.Chart, p.Topology = nil, nil
	if l.Progress.Drill > 0 || len(d.phases) > 0 {
		title := fmt.Sprintf("Rates and latencies of drill %d so far", d.number)
		p.Chart = &chart{Caption: liveCaption(l), Figure: timelineFigure("live", d, title, p.Sentence)}
	}
	p.Topology = l.pictureNow(d)
	p.going(l, d)
	for _, row := range slices.Backward(p.Journal) {
		if len(p.Latest) < maxLatest {
			p.Latest = append(p.Latest, row)
		}
	}
	if len(p.Latest) > 0 {
		p.Announcement = p.Latest[0].Text
	}
	if l.Unseen > 0 {
		p.Unseen = format.Count(l.Unseen)
	}
	return p
}

func liveCaption(l *Live) string {
	if drills := max(1, l.Spec.Drills); drills > 1 {
		return fmt.Sprintf("Drill %d of %d. Violet is a fault, dashed what is planned.", max(1, l.Progress.Drill), drills)
	}
	return "Violet is a fault, dashed what is planned."
}

// state says what goes on, in a word and a sentence.
func (p *livePage) state(l *Live, d *drill) {
	pr := l.Progress
	p.Done, p.Total = int(1000*d.until), int(1000*d.end)
	p.DoneText = format.Clock(1000*d.until) + " of " + format.Clock(1000*d.end)
	p.Tiles = tiles(pr)
	verdict := p.Class
	p.Class = "going"
	if l.Result.Verdict == "" {
		p.Left = nil // they are meant to be
		p.Facts = slices.DeleteFunc(p.Facts, func(f fact) bool { return f.Name == "Exit code" })
	}
	switch {
	case l.Result.Verdict != "":
		p.Word, p.Class, p.Sentence = p.Verdict, verdict, p.page.Sentence
		if p.Sentence == "" {
			p.Sentence = p.Problem
		}
		p.Tiles = nil
	case pr.Drill == 0:
		p.Word, p.Sentence, p.Tiles = "PREPARING", orNothing(l.Said, "The system is being brought up."), nil
	case pr.Ended:
		p.Word, p.Sentence, p.Tiles = "SETTLING", orNothing(l.Said, "The drill is over."), nil
	case pr.Loaded:
		p.Word, p.Sentence, p.Tiles = "SETTLING", "The load is over: mending, waiting for quiet, reading the final state.", nil
	default:
		p.Word = "RUNNING"
		p.Sentence, p.Class = serving(l, d)
	}
}

func orNothing(said, otherwise string) string {
	if said != "" {
		return said
	}
	return otherwise
}

// serving says how clients fare, and what is broken.
func serving(l *Live, d *drill) (said, class string) {
	n := l.Progress.Now
	var broken, asked []string
	for _, f := range d.faults {
		switch {
		case f.asked:
			asked = append(asked, f.Target)
		case !f.planned && f.To < 0 && f.Open:
			broken = append(broken, l.what(f))
		}
	}
	said, class = "Clients are served.", "good"
	switch failed := n.Completed - n.OK; {
	case d.until <= 0:
		said, class = "The load begins.", "going"
	case n.Completed+n.Shed == 0 && n.Offered > 0:
		said, class = "Clients get no answer.", "bad"
	case n.Completed+n.Shed == 0:
		said, class = "There is no load.", "going"
	case 100*(failed+n.Shed) > n.Completed+n.Shed:
		said = format.Percent(100*float64(failed+n.Shed)/float64(n.Completed+n.Shed)) + " of the operations fail."
		class = "bad"
	}
	if len(broken) > 0 {
		said += " Broken: " + strings.Join(broken, ", ") + "."
	}
	if len(asked) > 0 {
		said += " An answer is waited for: " + strings.Join(asked, ", ")
	}
	return said, class
}

// what names a fault as the scenario does: that is shorter than all that it
// acts on.
func (l *Live) what(f span) string {
	target := f.Target
	if i := slices.IndexFunc(l.Spec.Events, func(e check.Entry) bool { return e.Name == f.Name }); i >= 0 {
		target = l.Spec.Events[i].Target
	}
	return f.Verb + " " + target
}

func tiles(pr *check.Progress) []tile {
	n := pr.Now
	phase := pr.Phase
	if phase == "" {
		phase = "–"
	}
	offered := "as answered"
	if n.Offered >= 0 {
		offered = strconv.Itoa(int(n.Offered+0.5)) + "/s"
	}
	list := []tile{
		{"Phase", phase, ""},
		{"Offered", offered, ""},
		{"Achieved", fmt.Sprintf("%d/s", n.Achieved), ""},
		{"Completed", fmt.Sprintf("%d/s", n.Completed), ""},
		{"Shed", fmt.Sprintf("%d/s", n.Shed), badIf(n.Shed > 0)},
	}
	if n.Completed > 0 {
		share := 100 * float64(n.OK) / float64(n.Completed)
		list = append(list, tile{"ok", format.Percent(share), badIf(share < 99)})
	}
	if n.OK > 0 {
		list = append(list, tile{"p50", format.Duration(n.P50), ""}, tile{"p99", format.Duration(n.P99), ""})
	}
	if n.Achieved > 0 {
		list = append(list, tile{"Latest send", format.Duration(n.Lag) + " late", ""})
	}
	return list
}

func badIf(bad bool) string {
	if bad {
		return "bad"
	}
	return ""
}

// standing words the objectives of a run that has no verdict: nothing is
// missed before the end.
func (p *livePage) standing(l *Live) {
	if l.Result.Verdict != "" {
		return
	}
	for i, o := range l.Result.Objectives {
		row := &p.Objectives[i]
		row.Why, row.Place = "", ""
		switch o.Outcome {
		case check.Fail:
			row.Word = "over the limit"
			row.Why = o.Reason
		case check.Pass:
			row.Word = "ok so far"
		default:
			row.Word, row.Class, row.Note = "open", "going", o.Reason
		}
	}
}

// going lists the faults of the drill and those to come.
func (p *livePage) going(l *Live, d *drill) {
	for _, f := range d.faults {
		row := liveFault{Name: f.Name, What: l.what(f), When: format.Clock(1000 * f.from), Proof: f.Proof}
		switch {
		case f.asked:
			row.State, row.Class = "waits for an answer", "unclear"
			row.When = "since " + row.When + ", for " + format.Duration(1000*float64(int(d.until-f.from)))
		case f.planned:
			row.State, row.When = "planned", "at "+row.When
		case f.Open && f.Settled < 0:
			row.State, row.Class = "not seen in effect yet", "unclear"
		case f.Open:
			row.State, row.Class = "in effect", "bad"
		case f.To < 0:
			row.State = "begun"
		default:
			row.State, row.Class, row.When = "gone", "good", row.When+" to "+format.Clock(1000*f.to)
		}
		if row.Class == "bad" && l.Result.Verdict == "" {
			row.When = "since " + row.When + ", for " + format.Duration(1000*float64(int(d.until-f.from)))
		}
		p.Going = append(p.Going, row)
	}
}
