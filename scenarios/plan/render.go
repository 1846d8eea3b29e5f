package plan

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// minWidth is the narrowest that a plan is drawn, in characters.
const minWidth = 60

// Render writes the plan for people, in lines of about the given number of
// characters.
func (p *Plan) Render(w io.Writer, width int) error {
	d := &drawing{p: p, width: max(width, minWidth)}
	d.head()
	d.load()
	d.steps()
	d.promises()
	d.warnings()
	if _, err := d.WriteTo(w); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// A drawing is a plan as text.
type drawing struct {
	bytes.Buffer
	p     *Plan
	width int
}

func (d *drawing) linef(format string, args ...any) { fmt.Fprintf(&d.Buffer, format+"\n", args...) }

func (d *drawing) head() {
	p := d.p
	total := scenarios.FormatDuration(p.Duration())
	if n := len(p.Drills); n > 1 {
		total = fmt.Sprintf("%d drills of %s, %s", n, total, scenarios.FormatDuration(time.Duration(n)*p.Duration()))
	}
	total += " in total"
	if p.Bounded() {
		total += " at most"
	}
	if open := p.Open(); open > 0 {
		total += fmt.Sprintf(", and what people take at gates, %s at most", scenarios.FormatDuration(time.Duration(len(p.Drills))*open))
	}
	d.linef("%s  on %s  %s", p.Scenario.Name, p.Target, total)
	d.wrap("  ", "  ", p.Scenario.About)
	settings := []string{"seed " + strconv.FormatUint(p.Seed, 10)}
	for _, name := range slices.Sorted(maps.Keys(p.Options)) {
		settings = append(settings, name+"="+p.Options[name])
	}
	d.wrap("  ", "  ", strings.Join(settings, ", "))
	if p.Needs != "" {
		d.wrap("  ", "  ", "needs "+p.Needs)
	}
	if p.Allows != "" {
		d.wrap("  ", "  ", "allows "+p.Allows)
	}
	d.linef("")
}

// load draws the phases as bars and the entries of the timeline as marks
// below, all on one scale.
func (d *drawing) load() {
	p := d.p
	total := ""
	if len(p.Drills) > 1 {
		total = fmt.Sprintf(" a drill, %s in total", thousands(p.Operations()*len(p.Drills)))
	}
	if slices.ContainsFunc(p.Phases, func(f loadgen.Phase) bool { return f.Profile == loadgen.Closed }) {
		total += " and what users send"
	}
	d.linef("load  %s, %s arrivals, peak %s, %s operations%s", p.Workload, p.Arrivals, rate(p.Peak()), thousands(p.Operations()), total)
	d.wrap("      ", "      ", p.Client.text(p.Scenario.Load.Client))

	label, tail := 0, 0
	for i, f := range p.Spec.Phases {
		label, tail = max(label, len(f.Name)), max(tail, width(p.says(i)))
	}
	for _, s := range p.Steps {
		label = max(label, len(scenarios.FormatDuration(s.Entry.At)))
	}
	bar := max(20, d.width-label-tail-5)
	at := func(t time.Duration) int { return int(float64(bar) * t.Seconds() / p.Duration().Seconds()) }
	for i, f := range p.Spec.Phases {
		from, to := at(f.Start), max(at(f.Start)+1, at(f.Start+f.For))
		d.linef("  %-*s  %s%s%s %s", label, f.Name, spaces(from), strings.Repeat("=", to-from), spaces(bar-to), p.says(i))
	}
	for _, s := range p.Steps {
		where := mark(s.Verb+" "+s.Entry.Target, min(at(s.Entry.At), bar-1), bar+tail)
		d.linef("  %-*s  %s", label, scenarios.FormatDuration(s.Entry.At), where)
	}
	d.linef("")
}

// mark points up at a column, with a text on the side where it has room.
func mark(text string, column, all int) string {
	left, right := column-1, all-column-2
	if width(text) <= right || right >= left {
		return spaces(column) + "^ " + cut(text, right)
	}
	text = cut(text, left)
	return spaces(left-width(text)) + text + " ^"
}

// cut shortens a text to a number of characters.
func cut(text string, n int) string {
	if width(text) <= n {
		return text
	}
	return string([]rune(text)[:max(0, n-3)]) + "..."
}

// steps tells of each entry what it acts on, what it does and what undoes it.
func (d *drawing) steps() {
	if len(d.p.Steps) == 0 {
		return
	}
	d.linef("timeline")
	for i, s := range d.p.Steps {
		d.linef("  %-7s %s %s  (%s)", scenarios.FormatDuration(s.Entry.At), s.Verb, s.Entry.Target, s.Entry.Name)
		d.detail("on", targets(s.Params.Target))
		if slices.Contains(scenarios.Asks(), s.Verb) {
			d.asks(s)
		}
		if s.Verb == scenarios.VerbGate {
			d.detail("within", scenarios.FormatDuration(s.Entry.For)+", or the run is stopped")
			d.detail("waits", d.waits(i))
		}
		if s.Backup != "" {
			d.detail("takes", d.p.takes(i))
		}
		if s.To != "" {
			d.detail("to", "the moment of "+s.To)
		}
		if s.Fault {
			about, needs := d.p.kinds[s.Verb].Tell(s.Params)
			d.detail("how", about)
			d.detail("with", values(s.Params.Values))
			d.detail("needs", needs)
			d.detail("undone", s.Until)
		}
	}
	if d.p.Scenario.Repeat.Jitter > 0 {
		var shifts []string
		for _, drill := range d.p.Drills {
			shifts = append(shifts, scenarios.FormatDuration(drill.Jitter))
		}
		d.wrap("  ", "  ", "each drill begins all of these later by its own part of "+
			scenarios.FormatDuration(d.p.Scenario.Repeat.Jitter)+": "+strings.Join(shifts, ", "))
	}
	d.linef("")
}

// asks tells of a statement, a command or a request what it does.
func (d *drawing) asks(s Step) {
	d.detail("does", s.Text)
	d.detail("with", values(s.Params.Values))
	d.detail("headers", values(s.Headers))
	if s.Verb == scenarios.VerbScale {
		undone := "by another scale, or when the load of the drill ends"
		if s.Entry.For > 0 {
			undone = "after " + scenarios.FormatDuration(s.Entry.For)
		}
		d.detail("undone", undone)
		return
	}
	if s.Entry.For > 0 {
		d.detail("within", scenarios.FormatDuration(s.Entry.For)+", or the drill ends")
	}
	verb, _ := scenarios.LookupVerb(s.Verb)
	d.detail("undone", fmt.Sprintf("by nothing: what a %s changes stays changed", verb.Takes))
}

// waits says what waits at a gate, and what does not.
func (d *drawing) waits(gate int) string {
	s := d.p.Steps[gate]
	var later []string
	for _, e := range d.p.Steps[gate+1:] {
		later = append(later, e.Entry.Name)
	}
	for _, f := range d.p.Spec.Phases {
		if f.Start > s.Entry.At {
			later = append(later, "phase "+f.Name)
		}
	}
	text := "the clock: the load of " + s.Entry.Phase + " goes on as it is at that moment"
	if len(later) > 0 {
		text += "; later by as much: " + strings.Join(later, ", ")
	}
	return text
}

// detail writes one property of a step, if it has it.
func (d *drawing) detail(name, text string) {
	d.wrap(fmt.Sprintf("          %-7s ", name), spaces(18), text)
}

// values writes the parameters of a fault.
func values(given map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		list = append(list, name+"="+given[name])
	}
	return strings.Join(list, ", ")
}

// promises lists what will be judged.
func (d *drawing) promises() {
	p := d.p
	if len(p.Scenario.Objectives) > 0 {
		d.linef("objectives")
	}
	label := 0
	limits := map[string][]string{}
	var subjects []string
	for _, o := range p.Scenario.Objectives {
		if limits[o.Subject] == nil {
			subjects = append(subjects, o.Subject)
		}
		limits[o.Subject] = append(limits[o.Subject], strings.Join([]string{o.Metric, o.Op, limitOf(o)}, nbsp))
		label = max(label, len(o.Subject))
	}
	for _, s := range subjects {
		d.wrap(fmt.Sprintf("  %-*s  ", label, s), spaces(label+4), strings.Join(limits[s], ", "))
	}
	verify := slices.Clone(p.Spec.Verify)
	for _, q := range p.Queries {
		verify = append(verify, q.text())
	}
	d.wrap("verify     ", spaces(11), strings.Join(verify, ", "))
	if slices.ContainsFunc(p.Scenario.Objectives, func(o scenarios.Objective) bool { return o.Metric == "rto" }) {
		r := p.Spec.Recovered
		d.wrap("recovered  ", spaces(11), fmt.Sprintf(
			"from the first %s, of at least %d operations, with %s good (answered right within %s) at %s of the offered rate, if that holds to the end of the phase",
			scenarios.FormatDuration(r.Window), r.MinOps, percent(r.Good), scenarios.FormatDuration(r.Within), percent(r.Rate)))
	}
	if c := p.Spec.Compare; c != nil {
		var limits []string
		for _, name := range slices.Sorted(maps.Keys(c.WorseBy)) {
			limits = append(limits, fmt.Sprintf("%s%sby%s%g%%", name, nbsp, nbsp, c.WorseBy[name]))
		}
		d.wrap("compare    ", spaces(11), fmt.Sprintf("with %s; worse than that beyond chance fails: %s", c.To, strings.Join(limits, ", ")))
	}
	if a := p.Scenario.Abort; a != nil {
		d.linef("abort      %s for %s: undo everything and stop", a.Condition(), scenarios.FormatDuration(a.For))
	}
}

// limitOf is the limit of an objective as it is written, without the operator.
func limitOf(o scenarios.Objective) string {
	return strings.TrimSpace(strings.TrimPrefix(o.Text, o.Op))
}

func (d *drawing) warnings() {
	for _, q := range d.p.Warnings {
		d.linef("")
		d.wrap("warning    ", spaces(11), fmt.Sprintf("%s:%d:%d: %s", d.p.Scenario.File, q.Pos.Line, q.Pos.Col, q.Msg))
		d.wrap("           ", spaces(11), q.Hint)
	}
}

// nbsp is a space at which no line is broken.
const nbsp = "\u00a0"

// wrap writes a text in lines of the drawing's width, if there is any. The
// first line begins with first, the others with rest.
func (d *drawing) wrap(first, rest, text string) {
	line, empty := first, true
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
		if !empty && width(line)+1+width(word) > d.width {
			d.linef("%s", line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+strings.ReplaceAll(word, nbsp, " "), false
	}
	if !empty {
		d.linef("%s", line)
	}
}

// targets names what a selection stands for.
func targets(sel sut.Selection) string {
	var names []string
	for _, n := range sel.Nodes {
		names = append(names, n.Name)
	}
	for _, l := range sel.Links {
		names = append(names, l.Name)
	}
	all := strings.Join(names, ", ")
	if len(sel.Links) > 0 && sel.Member != "" {
		return followed(sel) + ": of " + all
	}
	switch {
	case sel.Member == sut.MemberPrimary:
		return "whichever is primary then: one of " + all
	case sel.Member == sut.MemberOldPrimary:
		return "the one that was primary when it was last broken: one of " + all
	case sel.Member == sut.MemberReplica && sel.Index > 0:
		return fmt.Sprintf("whichever is replica %d then: one of %s", sel.Index, all)
	case sel.Member == sut.MemberReplica:
		return "whichever are replicas then: of " + all
	}
	return all
}

// followed says which links a selection stands for that follows a member.
func followed(sel sut.Selection) string {
	switch {
	case sel.Member == sut.MemberPrimary:
		return "those of whichever is primary then"
	case sel.Member == sut.MemberOldPrimary:
		return "those of the one that was primary when it was last broken"
	case sel.Index > 0:
		return fmt.Sprintf("those of whichever is replica %d then", sel.Index)
	}
	return "those of whichever are replicas then"
}

func rate(perSecond float64) string {
	return strconv.FormatFloat(math.Round(perSecond*100)/100, 'f', -1, 64) + "/s"
}

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e6)/1e4, 'f', -1, 64) + "%"
}

// thousands writes a number as 36,200.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func spaces(n int) string { return strings.Repeat(" ", max(0, n)) }

func width(text string) int { return utf8.RuneCountInString(text) }
