// Package text writes the summary of a run that people read in a terminal or
// in the log of a CI job.
package text

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// Options say how the summary is laid out.
type Options struct {
	Color  bool   // use escape sequences for colour; without, there are none
	Width  int    // columns of the terminal; 0 does not wrap
	Report string // path of the report, printed last; empty if there is none
}

const (
	indent   = "  "
	gap      = "   "
	minWidth = 40 // narrower terminals wrap by themselves
)

// Write writes the summary of r. It ends with what to look at next.
func Write(w io.Writer, r *reports.Result, o Options) error {
	p := &printer{r: r, o: o}
	p.headline()
	p.objectives()
	p.checks()
	p.findings()
	p.said()
	p.recoveries()
	p.rest()
	if _, err := w.Write(p.buf.Bytes()); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// A printer collects the summary of one result.
type printer struct {
	r   *reports.Result
	o   Options
	buf bytes.Buffer
}

// headline says the verdict, of what, and why in one sentence.
func (p *printer) headline() {
	r := p.r
	verdict := strings.ToUpper(r.Verdict)
	line := p.paint(verdictStyle(r.Verdict), verdict) + indent + p.paint(bold, clean(r.Scenario.Name))
	used := width(verdict + indent + clean(r.Scenario.Name))
	for _, words := range about(r) {
		if used+width(gap+words) > p.wrapAt() {
			p.line(line)
			line, used = indent+words, width(indent+words)
			continue
		}
		line, used = line+gap+words, used+width(gap+words)
	}
	p.line(line)
	if format.Judged(r) {
		p.wrap("", r.Sentence)
	}
	if r.Problem != "" {
		p.wrap("", "problem: "+r.Problem)
	}
}

// about says what was run, and how long that took.
func about(r *reports.Result) []string {
	words := []string{"run " + clean(r.Run)}
	if r.Target != "" {
		words = append(words, clean(r.Target))
	}
	for _, option := range format.Options(r) {
		words = append(words, clean(option))
	}
	if format.Drills(r) > 1 {
		words = append(words, format.DrillCount(r))
	}
	if r.TookMS > 0 { // nobody knows how long a run that died took
		words = append(words, format.Duration(r.TookMS))
	}
	if ready := format.Ready(r); ready != "" {
		words = append(words, "up in "+ready)
	}
	return words
}

// row is one objective as it stands in the table.
type row struct {
	subject, metric, value, limit, word, note string
	outcome                                   check.Outcome
}

// objectives prints each limit beside its measured value, grouped by subject.
func (p *printer) objectives() {
	if len(p.r.Objectives) == 0 {
		return
	}
	p.line("")
	rows := make([]row, len(p.r.Objectives))
	subject := ""
	for i, o := range p.r.Objectives {
		rows[i] = row{
			metric: o.Metric, value: format.Measurement(o), limit: o.Op + " " + format.Limit(o.Unit, o.Limit),
			word: format.OutcomeWord(o.Outcome), outcome: o.Outcome, note: note(o),
		}
		if o.Subject != subject {
			subject = o.Subject
			rows[i].subject = subject
		}
	}
	subjects, metrics, values, limits := len("verify"), 0, 0, 0
	for _, c := range rows {
		subjects, metrics = max(subjects, width(c.subject)), max(metrics, width(c.metric))
		values, limits = max(values, width(c.value)), max(limits, width(c.limit))
	}
	for _, c := range rows {
		p.row(pad(c.subject, subjects)+gap+pad(c.metric, metrics)+gap+pad(c.value, values)+gap+pad(c.limit, limits)+gap, c)
	}
}

// row prints a row of the table whose first columns are laid out already. A
// note that does not fit goes below.
func (p *printer) row(columns string, c row) {
	line := indent + clean(columns) + p.paint(outcomeStyle(c.outcome), c.word)
	if c.note == "" {
		p.line(line)
		return
	}
	word := pad(c.word, len("UNCLEAR"))
	if fits := indent + columns + word + gap + c.note; p.o.Width < minWidth || width(fits) <= p.o.Width {
		p.line(line + word[len(c.word):] + gap + clean(c.note))
		return
	}
	p.line(line)
	p.wrap(indent+indent+indent, c.note)
}

// note is what stands beside an objective.
func note(o check.ObjectiveResult) string {
	notes := []string{}
	for _, n := range []string{o.Note, format.Samples(o)} {
		if n != "" {
			notes = append(notes, n)
		}
	}
	return strings.Join(notes, "; ")
}

// checks prints the outcome of every check, as many on a line as fit.
func (p *printer) checks() {
	if len(p.r.Checks) == 0 {
		return
	}
	if len(p.r.Objectives) == 0 {
		p.line("")
	}
	label := indent + "verify" + gap
	line, used := label, width(label)
	for i, v := range p.r.Checks {
		word := format.OutcomeWord(v.Outcome)
		plain := clean(v.Check) + " " + word
		if i > 0 {
			if w := p.wrapAt(); used+width(gap+plain) > w {
				p.line(line)
				line, used = strings.Repeat(" ", width(label)), width(label)
			} else {
				line, used = line+gap, used+width(gap)
			}
		}
		line += clean(v.Check) + " " + p.paint(outcomeStyle(v.Outcome), word)
		used += width(plain)
	}
	p.line(line)
}

// findings prints a sentence for all that keeps the run from passing, after
// the place in the scenario file where it is asked for.
func (p *printer) findings() {
	findings := format.Findings(p.r)
	first := true
	for _, f := range findings {
		if f.Text == p.r.Problem {
			continue // said under the headline
		}
		if !format.Judged(p.r) && f.Outcome != check.Fail {
			continue // a run that did not get there leaves everything unclear
		}
		if first {
			p.line("")
			first = false
		}
		place := format.Place(p.r, f)
		if place != "" {
			place += ": "
		}
		p.hang(indent, place+f.Text)
		if f.Why != "" {
			p.wrap(indent+indent, f.Why)
		}
		if f.Example != "" {
			p.wrap(indent+indent, "for example "+f.Example)
		}
		if f.Cause != "" {
			p.wrap(indent+indent, "probably "+f.Cause)
		}
	}
}

// said prints what went wrong in the words of the operations.
func (p *printer) said() {
	for i, text := range format.Said(p.r) {
		if i == 0 {
			p.line("")
		}
		p.hang(indent, text)
	}
}

// recoveries prints the anatomy of every recovery.
func (p *printer) recoveries() {
	if len(p.r.Recoveries) == 0 {
		return
	}
	p.line("")
	for _, rec := range p.r.Recoveries {
		name := fmt.Sprintf("drill %d: ", rec.Drill)
		if events(p.r) > 1 {
			name = fmt.Sprintf("drill %d, %s: ", rec.Drill, rec.Event)
		}
		p.hang(indent, name+format.Anatomy(p.r, rec))
	}
}

// events counts the events that have recoveries.
func events(r *reports.Result) int {
	names := map[string]bool{}
	for _, rec := range r.Recoveries {
		names[rec.Event] = true
	}
	return len(names)
}

// rest prints the accounts, and last what to look at next.
func (p *printer) rest() {
	p.line("")
	if writes := format.Writes(p.r.Writes); writes != "" {
		p.field("writes", writes)
	}
	if g := p.r.Generator; g.Fell {
		p.field("load", p.paint(yellow, "fell behind")+": "+clean(generator(g)))
	}
	left := format.FaultsLeft(p.r)
	style := ""
	if len(left) > 0 {
		style = bold + ";" + red
	}
	p.field("faults", p.paint(style, format.Faults(p.r)))
	for _, left := range left {
		for line := range strings.SplitSeq(left, "\n") {
			p.line(indent + strings.Repeat(" ", len("faults"+gap)) + p.paint(red, clean(line)))
		}
	}
	if p.o.Report != "" {
		p.field("report", p.o.Report)
	}
}

// generator says by how much the load fell short of what was asked.
func generator(g check.Generator) string {
	said := fmt.Sprintf("%s of %s operations sent, send lag p99 %s", format.Count(g.Sent), format.Count(g.Offered), format.Duration(g.LagP99))
	if g.Reason != "" {
		said += "; " + g.Reason
	}
	return said
}

// field prints a label and what it is about.
func (p *printer) field(label, text string) {
	head := indent + pad(label, len("faults")) + gap
	if strings.Contains(text, escape) || label == "report" {
		p.line(head + text)
		return
	}
	for i, l := range p.fold(text, width(head), width(head)) {
		if i > 0 {
			head = strings.Repeat(" ", width(head))
		}
		p.line(head + l)
	}
}

func (p *printer) line(s string) { p.buf.WriteString(strings.TrimRight(s, " ") + "\n") }

// wrap prints text at an indent.
func (p *printer) wrap(indentation, text string) {
	for _, l := range p.fold(text, width(indentation), width(indentation)) {
		p.line(indentation + l)
	}
}

// hang prints text at an indent, and its further lines two columns deeper.
func (p *printer) hang(indentation, text string) {
	for i, l := range p.fold(text, width(indentation), width(indentation)+2) {
		if i == 1 {
			indentation += "  "
		}
		p.line(indentation + l)
	}
}

// fold breaks text into lines that fit behind an indent: first for the first
// line, next for the others. Words that are longer than a line stay whole.
func (p *printer) fold(text string, first, next int) []string {
	text = clean(text)
	limit := p.wrapAt()
	var lines []string
	line, used := "", first
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && word != "" && used+1+width(word) > limit {
			lines = append(lines, line)
			line, used = "", next
		}
		if line != "" || word == "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+width(word)
	}
	return append(lines, line)
}

// wrapAt is the column that text must not pass.
func (p *printer) wrapAt() int {
	if p.o.Width < minWidth {
		return 1 << 30
	}
	return p.o.Width
}

func width(s string) int { return utf8.RuneCountInString(s) }

func pad(s string, to int) string { return s + strings.Repeat(" ", max(0, to-width(s))) }
