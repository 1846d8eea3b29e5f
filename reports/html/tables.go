package html

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// accounts is the account of the writes, empty if there were none.
func accounts(w check.Writes) []account {
	if w.Attempted == 0 && w.Acknowledged == 0 {
		return nil
	}
	bad := func(n int) string {
		if n > 0 {
			return "bad"
		}
		return ""
	}
	audited := func(n int) string {
		if format.Audited(w) {
			return format.Count(n)
		}
		return "not looked up"
	}
	rows := []account{
		{"Attempted", format.Count(w.Attempted), "sent, or about to be", ""},
		{"Acknowledged", format.Count(w.Acknowledged), "the success answer was read to its end", ""},
		{"Found", audited(w.Found), "of the acknowledged, in the authoritative store afterwards", ""},
		{"Lost", audited(w.Lost), "acknowledged, and not in the store afterwards", bad(w.Lost)},
	}
	if w.Lost > 0 {
		rows = append(rows,
			account{"Lost amount", format.Count(w.LostAmount), "in minor units of the currency", "bad"},
			account{"Lost after T0", format.Count(w.LostAfterT0), "of the lost, acknowledged after the fault: split brain", bad(w.LostAfterT0)})
	}
	if w.ObservedThenLost > 0 {
		rows = append(rows, account{"Observed, then lost", format.Count(w.ObservedThenLost), "a client was shown it, acknowledged or not, and it is not in the store", "bad"})
	}
	return append(rows,
		account{"Duplicated", audited(w.Duplicated), "in the store more than once", bad(w.Duplicated)},
		account{"Indeterminate", format.Count(w.Indeterminate), "may have happened: no complete answer came", ""},
		account{"Recovered", audited(w.Recovered), "of the indeterminate, in the store afterwards", ""},
		account{"Unexpected", audited(w.Unexpected), "in the store although refused or never attempted", bad(w.Unexpected)})
}

func (p *page) windows(r *reports.Result) {
	for _, w := range r.Windows[:min(maxRows, len(r.Windows))] {
		row := window{
			Phase: w.Phase, Op: w.Op, All: w.Op == "", Score: w.Score,
			Count: format.Count(w.Count), OK: format.Count(w.OK), Errors: format.Count(w.Errors), Share: "–", Shed: format.Count(w.Shed),
			P50: "–", P90: "–", P95: "–", P99: "–", P999: "–", Max: "–", ByErr: byError(w.ByErr),
		}
		if row.All {
			row.Op = "all"
		}
		if w.Count > 0 {
			row.Share = format.Percent(100 * float64(w.Errors) / float64(w.Count))
		}
		if w.Errors > 0 {
			row.Class = "bad"
		}
		if w.OK > 0 {
			row.P50, row.P90, row.P95 = format.Duration(w.P50), format.Duration(w.P90), format.Duration(w.P95)
			row.P99, row.P999, row.Max = format.Duration(w.P99), format.Duration(w.P999), format.Duration(w.Max)
		}
		p.Windows = append(p.Windows, row)
		for _, t := range w.Parts {
			p.Parts = append(p.Parts, part{
				Phase: row.Phase, Op: row.Op, Part: strings.ReplaceAll(t.Part, "_", " "), Count: format.Count(t.Count),
				P50: format.Duration(t.P50), P99: format.Duration(t.P99), Max: format.Duration(t.Max),
			})
		}
	}
}

// byError words the errors of a window by class, the most frequent first.
func byError(counts map[string]int64) string {
	classes := slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), func(class string) bool { return counts[class] == 0 })
	slices.SortStableFunc(classes, func(a, b string) int { return cmp.Compare(counts[b], counts[a]) })
	for i, class := range classes {
		classes[i] = class + " " + format.Count(counts[class])
	}
	return strings.Join(classes, ", ")
}

func (p *page) faults(r *reports.Result) {
	began := map[int]float64{}
	for _, d := range known(r) {
		began[d.number] = d.began * 1000
	}
	for _, f := range r.Faults[:min(maxRows, len(r.Faults))] {
		row := fault{
			Drill: f.Drill, Name: f.Name, What: f.Verb + " " + f.Target, From: format.Clock(f.From - began[f.Drill]),
			Until: "–", Seen: "never", Proof: f.Proof, State: "healed",
		}
		if f.To >= 0 {
			row.Until = format.Clock(f.To - began[f.Drill])
		}
		if f.Settled >= 0 {
			row.Seen = "after " + format.Duration(f.Settled-f.From)
		}
		switch {
		case f.Open:
			row.State, row.Class = "MAY STILL BE IN PLACE", "bad"
		case f.To < 0:
			row.State, row.Class = "not seen gone", "unclear"
		case f.Settled < 0:
			row.State, row.Class = "healed, not seen in effect", "unclear"
		}
		p.Faults = append(p.Faults, row)
	}
}

func generatorOf(g check.Generator) generator {
	sent := format.Count(g.Sent)
	if g.Offered > 0 {
		sent += fmt.Sprintf(" (%s of offered)", format.Percent(100*float64(g.Sent)/float64(g.Offered)))
	}
	shown := generator{
		Fell: g.Fell, Reason: g.Reason,
		Rows: []fact{
			{"Offered", format.Count(g.Offered)},
			{"Sent", sent},
			{"Completed", format.Count(g.Completed)},
			{"Shed by its own cap", format.Count(g.Shed)},
			{"Send lag, median", format.Duration(g.LagP50)},
			{"Send lag, p99", format.Duration(g.LagP99)},
			{"Send lag, longest", format.Duration(g.LagMax)},
		},
	}
	if g.Processor > 0 {
		shown.Rows = append(shown.Rows,
			fact{"Its share of its processors", format.Percent(100 * g.Processor)},
			fact{"Its longest pause for garbage collection", format.Duration(g.GCPause)},
		)
	}
	return shown
}
