// Package explain says why verdicts of a run are what they are: what failed, since
// when, how often and where, with examples, the lines that the nodes have logged
// about them, and what the evidence says of the cause.
package explain

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

const (
	indent   = "  "
	maxWidth = 400 // of a line of a log
)

// Write explains one verdict of a result, given by the name of its check, or by
// subject and metric of its objective; or, if the name is empty, all that are not
// a pass. Logs are the run's own, one file a node. The error names the verdicts
// there are if there is none of that name.
func Write(w io.Writer, r *reports.Result, logs fs.FS, verdict string) error {
	list, err := choose(r, verdict)
	if err != nil {
		return err
	}
	found, err := search(logs, r, list)
	if err != nil {
		return err
	}
	p := &printer{r: r, found: found}
	left := format.FaultsLeft(r)
	switch all := len(r.Objectives) + len(r.Checks); {
	case len(list) > 0:
	case len(left) > 0:
		p.line("", fmt.Sprintf("All %d verdicts are a pass, but faults may still be in place:", all))
		for _, l := range left {
			p.line(indent, l)
		}
	default:
		p.line("", fmt.Sprintf("All %d verdicts are a pass: there is nothing to explain.", all))
	}
	for i, s := range list {
		if i > 0 {
			p.buf.WriteByte('\n')
		}
		p.subject(s)
	}
	if verdict == "" {
		p.diagnoses()
	}
	if _, err := w.Write(p.buf.Bytes()); err != nil {
		return fmt.Errorf("write explanation: %w", err)
	}
	return nil
}

// A subject is one verdict.
type subject struct {
	name      string
	outcome   check.Outcome
	reason    string
	check     *check.Verdict         // or
	objective *check.ObjectiveResult // this
}

// choose returns the verdicts that are to be explained.
func choose(r *reports.Result, name string) ([]subject, error) {
	var all, chosen []subject
	for i, o := range r.Objectives {
		reason := o.Reason
		if reason == "" {
			reason = o.Note
		}
		all = append(all, subject{name: o.Subject + " " + o.Metric, outcome: o.Outcome, reason: reason, objective: &r.Objectives[i]})
	}
	for i, v := range r.Checks {
		all = append(all, subject{name: v.Check, outcome: v.Outcome, reason: v.Reason, check: &r.Checks[i]})
	}
	var names []string
	for _, s := range all {
		names = append(names, fmt.Sprintf("%q", s.name))
		if name == s.name || name == "" && s.outcome != check.Pass {
			chosen = append(chosen, s)
		}
	}
	if name != "" && len(chosen) == 0 {
		return nil, fmt.Errorf("no verdict %q in run %s: there are %s", name, r.Run, strings.Join(names, ", "))
	}
	return chosen, nil
}

// A printer collects the explanation.
type printer struct {
	r     *reports.Result
	found *logged
	buf   bytes.Buffer
}

func (p *printer) line(prefix, text string) { fmt.Fprintln(&p.buf, prefix+clean(text)) }

// diagnoses says what was found beside the verdicts.
func (p *printer) diagnoses() {
	for _, d := range p.r.Diagnoses {
		p.buf.WriteByte('\n')
		p.line("", "FOUND  "+d.Sign)
		p.line(indent, d.Text)
		for _, seen := range d.Evidence {
			p.line(indent+"seen: ", seen)
		}
		p.line(indent+"next: ", d.Next)
	}
}

func (p *printer) subject(s subject) {
	p.line("", fmt.Sprintf("%s  %s", strings.ToUpper(string(s.outcome)), s.name))
	if s.reason != "" {
		p.line(indent, s.reason)
	}
	if s.check != nil {
		for _, g := range s.check.Groups {
			p.group(g)
		}
	} else {
		p.objective(s.objective)
	}
	p.causes(s)
}

// group says what failed of one operation.
func (p *printer) group(g check.Group) {
	p.buf.WriteByte('\n')
	when := "at " + p.moment(g.Since)
	if g.Until > g.Since {
		when = fmt.Sprintf("since %s, until %s", p.moment(g.Since), p.moment(g.Until))
	}
	p.line(indent, fmt.Sprintf("%s: %s %s", g.Op, format.Count(g.Count), when))
	if len(g.ByNode) > 0 {
		var nodes []string
		for _, node := range slices.Sorted(maps.Keys(g.ByNode)) {
			nodes = append(nodes, fmt.Sprintf("%s %s", node, format.Count(g.ByNode[node])))
		}
		p.line(indent+indent, "by instance: "+strings.Join(nodes, ", "))
	}
	for i, c := range g.Cases {
		word := "next"
		switch {
		case c.Worst:
			word = "worst"
		case i == 0:
			word = "first"
		}
		p.line(indent+indent, word+": "+c.Text)
		p.about(c)
	}
}

// about says how a case is found elsewhere, and what was logged about it.
func (p *printer) about(c check.Case) {
	const deep = indent + indent + indent
	var known []string
	if c.Node != "" {
		known = append(known, "answered by "+c.Node)
	}
	if c.Correlation != "" {
		known = append(known, "correlation id "+c.Correlation)
	}
	if len(known) > 0 {
		p.line(deep, strings.Join(known, ", "))
	}
	for _, l := range p.found.about(c) {
		p.line(deep, l.node+": "+l.text)
	}
}

// moment writes a time of the run, and where in its drill that is.
func (p *printer) moment(at float64) string {
	text := format.Duration(at)
	for _, f := range p.r.Faults {
		if at >= f.From && (f.To < 0 || at <= f.To) {
			return fmt.Sprintf("%s (%s after %s)", text, format.Duration(at-f.From), f.Name)
		}
	}
	return text
}

// objective says what is known beside a limit: how the recovery went, or which
// errors there were.
func (p *printer) objective(o *check.ObjectiveResult) {
	for _, v := range p.r.Recoveries {
		if v.Event == o.Subject {
			p.recovery(v)
		}
	}
	phase, op, _ := strings.Cut(o.Subject, "/")
	for _, w := range p.r.Windows {
		if w.Phase != phase || op != "" && w.Op != op || w.Op == "" || w.Errors == 0 {
			continue
		}
		var classes []string
		for _, class := range slices.SortedFunc(maps.Keys(w.ByErr), func(a, b string) int { return int(w.ByErr[b] - w.ByErr[a]) }) {
			classes = append(classes, fmt.Sprintf("%s %s", class, format.Count(w.ByErr[class])))
		}
		p.line(indent, fmt.Sprintf("%s: %s of %s failed: %s", w.Op, format.Count(w.Errors), format.Count(w.Count), strings.Join(classes, ", ")))
	}
}

func (p *printer) recovery(v check.Recovery) {
	var steps []string
	for _, s := range []struct {
		what string
		at   float64
	}{
		{"clients noticed", v.Impact},
		{"the agent noticed", v.Noticed},
		{"promoted", v.Promoted},
		{"rerouted", v.Rerouted},
		{"first write by the new primary", v.FirstOK},
		{"served again", v.Steady},
	} {
		if s.at >= 0 {
			steps = append(steps, s.what+" after "+format.Duration(s.at))
		}
	}
	p.line(indent, fmt.Sprintf("drill %d: %s", v.Drill, strings.Join(steps, ", ")))
}

// causes says what the evidence tells, that of the logs first: what a server has
// said of itself is the most telling.
func (p *printer) causes(s subject) {
	var causes []string
	if s.outcome == check.Fail {
		causes = p.found.causes(p.r)
	}
	if s.check != nil {
		causes = append(causes, s.check.Causes...)
	}
	if len(causes) == 0 {
		return
	}
	p.buf.WriteByte('\n')
	p.line(indent, "probable cause:")
	for _, c := range causes {
		p.line(indent+indent, "- "+c)
	}
}

// clean takes out control characters, so that what a system has logged cannot
// steer a terminal, and keeps a line from being endless.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '\t' || c == '\n':
			return ' '
		case unicode.IsControl(c):
			return -1
		}
		return c
	}, s)
	if len(s) > maxWidth {
		return strings.ToValidUTF8(s[:maxWidth], "") + " ..."
	}
	return s
}
