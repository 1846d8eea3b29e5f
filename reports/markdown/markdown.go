// Package markdown writes a result as a step summary for CI systems that show
// Markdown, and as annotations that point into the scenario file.
package markdown

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

const (
	maxSize = 1000 << 10 // bytes; GitHub drops a step summary of more than 1 MiB altogether
	maxRows = 100        // of a table
	maxIDs  = 10         // of lost or duplicated writes
)

// Write writes r as Markdown: the verdict in one sentence, objectives,
// recoveries, writes, faults and how to reproduce. It is less than 1 MiB,
// whatever r holds.
func Write(w io.Writer, r *reports.Result) error {
	d := &document{r: r}
	d.headline()
	d.objectives()
	d.findings()
	d.said()
	d.checks()
	d.diagnoses()
	d.recoveries()
	d.writes()
	d.faults()
	d.reproduce()
	if _, err := w.Write(d.cut()); err != nil {
		return fmt.Errorf("write markdown: %w", err)
	}
	return nil
}

// A document collects the Markdown of one result.
type document struct {
	r   *reports.Result
	buf bytes.Buffer
}

func (d *document) printf(layout string, args ...any) { fmt.Fprintf(&d.buf, layout, args...) }

// cut is the document, shortened at the end of a line if it is too large.
func (d *document) cut() []byte {
	return Cut(d.buf.Bytes(), maxSize, "Cut here: the whole of it is in report.html.")
}

// Cut shortens a document of more than size bytes: it ends with a line of the
// first size bytes, and with a note as a paragraph of its own after that.
func Cut(text []byte, size int, note string) []byte {
	if len(text) <= size {
		return text
	}
	text = text[:max(0, size)]
	text = slices.Clone(text[:bytes.LastIndexByte(text, '\n')+1])
	if fences := bytes.Count(append([]byte{'\n'}, text...), []byte("\n```")); fences%2 > 0 {
		text = append(text, "```\n"...)
	}
	return append(text, "\n"+note+"\n"...)
}

func (d *document) headline() {
	r := d.r
	d.printf("## %s %s: %s\n\n", symbol(r.Verdict), strings.ToUpper(r.Verdict), escape(r.Scenario.Name))
	if format.Judged(r) && r.Sentence != "" {
		d.printf("**%s**\n\n", escape(r.Sentence))
	}
	if r.Problem != "" {
		d.printf("**Problem:** %s\n\n", escape(r.Problem))
	}
	words := []string{"run " + code(r.Run)}
	if r.Target != "" {
		words = append(words, code(r.Target))
	}
	for _, option := range format.Options(r) {
		words = append(words, code(option))
	}
	words = append(words, format.DrillCount(r))
	if r.TookMS > 0 { // nobody knows how long a run that died took
		words = append(words, "took "+format.Duration(r.TookMS))
	}
	d.printf("%s\n", strings.Join(words, " · "))
	if none := format.NoLoad(r); none != "" {
		d.printf("\n> [!WARNING]\n> %s\n", none)
	}
	if g := r.Generator; g.Fell {
		d.printf("\n> [!WARNING]\n> The load generator fell behind: %s of %s operations sent, send lag p99 %s. %s\n",
			format.Count(g.Sent), format.Count(g.Offered), format.Duration(g.LagP99), escape(g.Reason))
	}
}

// said lists what went wrong in the words of the operations.
func (d *document) said() {
	for i, text := range format.Said(d.r) {
		if i == 0 {
			d.printf("\n### Said of operations\n\n")
		}
		d.printf("- %s\n", escape(text))
	}
}

func (d *document) objectives() {
	if len(d.r.Objectives) == 0 {
		return
	}
	d.printf("\n### Objectives\n\n| | objective | measured | limit | margin | note |\n|---|---|--:|--:|--:|---|\n")
	for i, o := range d.r.Objectives {
		if d.more(i, len(d.r.Objectives), 6) {
			break
		}
		margin := "-"
		if format.Measured(o) && !o.Censored {
			margin = format.Margin(o.Unit, o.Margin)
		}
		notes := slices.DeleteFunc([]string{o.Reason, o.Note, format.Samples(o)}, func(s string) bool { return s == "" })
		d.row(outcome(o.Outcome), escape(o.Subject+" "+o.Metric), bold(o.Outcome, escape(format.Measurement(o))),
			escape(sign(o.Op)+" "+format.Limit(o.Unit, o.Limit)), margin, escape(strings.Join(notes, "; ")))
	}
}

// findings lists where in the scenario file to look.
func (d *document) findings() {
	first := true
	for i, f := range format.Findings(d.r) {
		if f.Text == d.r.Problem || i >= maxRows {
			continue
		}
		if first {
			d.printf("\n")
			first = false
		}
		place := format.Place(d.r, f)
		if place != "" {
			place = code(place) + ": "
		}
		d.printf("- %s%s\n", place, escape(f.Text))
	}
}

func (d *document) checks() {
	if len(d.r.Checks) == 0 {
		return
	}
	d.printf("\n### Checks\n\n| | check | finding |\n|---|---|---|\n")
	for i, v := range d.r.Checks {
		if d.more(i, len(d.r.Checks), 3) {
			break
		}
		d.row(outcome(v.Outcome), escape(v.Check), escape(v.Reason))
	}
}

// diagnoses says what was found beside the verdicts.
func (d *document) diagnoses() {
	if len(d.r.Diagnoses) == 0 {
		return
	}
	d.printf("\n### Found beside the verdict\n\n| finding | evidence | next |\n|---|---|---|\n")
	for i, found := range d.r.Diagnoses {
		if d.more(i, len(d.r.Diagnoses), 3) {
			break
		}
		d.row(escape(found.Text), escape(strings.Join(found.Evidence, "; ")), escape(found.Next))
	}
}

// recoveries has a row for each drill and event, in seconds since the fault
// was injected.
func (d *document) recoveries() {
	if len(d.r.Recoveries) == 0 {
		return
	}
	d.printf("\n### Recovery, since T0, the moment of the fault\n\n" +
		"| drill | event | noticed | promoted | rerouted | first ok | steady | lost | recovery point | stalled before |\n" +
		"|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for i, rec := range d.r.Recoveries {
		if d.more(i, len(d.r.Recoveries), 10) {
			break
		}
		steady := "**" + seen(rec.Steady) + "**"
		if rec.Censored {
			steady = "**> " + seen(rec.Steady) + "**"
		}
		lost, point := format.Count(rec.Lost), format.Duration(rec.Point)
		if !format.Audited(d.r.Writes) { // nobody knows
			lost, point = "-", "-"
		}
		d.row(format.Count(rec.Drill), escape(rec.Event), seen(rec.Noticed), seen(rec.Promoted), seen(rec.Rerouted),
			seen(rec.FirstOK), steady, lost, point, seen(rec.Stalled))
	}
}

func (d *document) writes() {
	said := format.Writes(d.r.Writes)
	if said == "" {
		return
	}
	d.printf("\n### Writes\n\n%s.\n", said)
	for _, ids := range []struct {
		what string
		ids  []string
	}{{"Lost", d.r.Writes.LostIDs}, {"Duplicated", d.r.Writes.DuplicatedIDs}} {
		if len(ids.ids) == 0 {
			continue
		}
		d.printf("\n%s, for example:\n\n", ids.what)
		for _, id := range ids.ids[:min(maxIDs, len(ids.ids))] {
			d.printf("- %s\n", code(id))
		}
	}
}

func (d *document) faults() {
	left := format.FaultsLeft(d.r)
	d.printf("\n### Faults: %s\n", strings.TrimSuffix(format.Faults(d.r), ":"))
	if len(left) > 0 {
		d.printf("\n```\n%s\n```\n", strings.ReplaceAll(strings.Join(left, "\n"), "```", "'''"))
	}
	if len(d.r.Faults) == 0 {
		return
	}
	d.printf("\n| drill | fault | from | until | seen in effect | evidence |\n|--:|---|--:|--:|--:|---|\n")
	for i, f := range d.r.Faults {
		if d.more(i, len(d.r.Faults), 6) {
			break
		}
		until, settled := "**not seen gone**", "**never**"
		if f.To >= 0 {
			until = format.Clock(f.To)
		}
		if f.Open {
			until = "**open**"
		}
		if f.Settled >= 0 {
			settled = "after " + format.Duration(f.Settled-f.From)
		}
		d.row(format.Count(f.Drill), escape(f.Verb+" "+f.Target), format.Clock(f.From), until, settled, escape(f.Proof))
	}
}

func (d *document) reproduce() {
	command := strings.NewReplacer("\n", " ", "```", "'''").Replace(format.Reproduce(d.r))
	client := ""
	if d.r.Client != "" {
		client = ", HTTP client " + escape(d.r.Client)
	}
	d.printf("\n### Reproduce\n\n```sh\n%s\n```\n\nScenario %s, sha256 %s, seed %d%s.\n",
		command, code(d.r.Scenario.File), code(d.r.Scenario.SHA256), d.r.Seed, client)
}

// more ends a table that is too long, and reports whether it did.
func (d *document) more(i, n, columns int) bool {
	if i < maxRows {
		return false
	}
	cells := slices.Repeat([]string{""}, columns)
	cells[1] = format.Count(n-i) + " more in report.html"
	d.row(cells...)
	return true
}

func (d *document) row(cells ...string) { d.printf("| %s |\n", strings.Join(cells, " | ")) }

// seen words a moment since T0, which is negative if it was not seen.
func seen(ms float64) string {
	if ms < 0 {
		return "-"
	}
	return format.Duration(ms)
}

func symbol(verdict string) string {
	switch check.Outcome(verdict) {
	case check.Pass:
		return "✅"
	case check.Inconclusive:
		return "❔"
	default:
		return "❌"
	}
}

func outcome(o check.Outcome) string { return symbol(string(o)) + " " + format.OutcomeWord(o) }

func sign(op string) string { return strings.NewReplacer("<=", "≤", ">=", "≥").Replace(op) }

func bold(o check.Outcome, s string) string {
	if o == check.Pass {
		return s
	}
	return "**" + s + "**"
}
