package markdown

import (
	"fmt"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// maxAnnotations is how many GitHub shows of one step and kind.
const maxAnnotations = 10

// Annotations returns workflow commands for GitHub that put what was missed
// beside the line of the scenario file that asks for it: errors for what was
// missed, warnings for what is unclear. There are at most 10 of each for all
// results together, which are those of one step; the last then says how many more
// there would be.
func Annotations(results ...*reports.Result) []string {
	var failed, unclear []string
	for _, r := range results {
		findings := format.Findings(r)
		if left := format.FaultsLeft(r); len(left) > 0 {
			findings = append([]format.Finding{{
				Title: "a fault may still be in place", Text: strings.Join(left, "\n"), Outcome: check.Fail,
			}}, findings...)
		}
		for _, f := range findings {
			if f.Outcome == check.Inconclusive {
				unclear = append(unclear, command("warning", r, f))
			} else {
				failed = append(failed, command("error", r, f))
			}
		}
	}
	return append(shown("error", failed), shown("warning", unclear)...)
}

// shown is what GitHub shows of commands of one kind.
func shown(kind string, commands []string) []string {
	if len(commands) <= maxAnnotations {
		return commands
	}
	const last = maxAnnotations - 1
	return append(commands[:last:last], fmt.Sprintf("::%s title=proofload::and %d more, see the report", kind, len(commands)-last))
}

// command is one workflow command. Only a finding with a line is put into a
// file, and not into a scenario that ships with proofload.
func command(kind string, r *reports.Result, f format.Finding) string {
	var properties []string
	if f.At.Line > 0 && r.Scenario.File != "" && !strings.HasPrefix(r.Scenario.File, "library:") {
		properties = append(properties, "file="+property(r.Scenario.File), fmt.Sprintf("line=%d,col=%d", f.At.Line, max(1, f.At.Col)))
	}
	properties = append(properties, "title="+property(f.Title))
	text := f.Text
	if f.Why != "" {
		text += "\n" + f.Why
	}
	return "::" + kind + " " + strings.Join(properties, ",") + "::" + data(text)
}

// data escapes the message of a workflow command.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// property escapes a property of a workflow command.
func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
