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
// missed, warnings for what is unclear. There are at most 10; the last then
// says how many more there would be.
func Annotations(r *reports.Result) []string {
	findings := format.Findings(r)
	if left := format.FaultsLeft(r); len(left) > 0 {
		findings = append([]format.Finding{{
			Title: "a fault may still be in place", Text: strings.Join(left, "\n"), Outcome: check.Fail,
		}}, findings...)
	}
	shown := findings
	if len(findings) > maxAnnotations {
		shown = findings[:maxAnnotations-1]
	}
	var commands []string
	for _, f := range shown {
		commands = append(commands, command(r, f))
	}
	if more := len(findings) - len(shown); more > 0 {
		commands = append(commands, command(r, format.Finding{
			Title: r.Scenario.Name, Text: fmt.Sprintf("and %d more, see the report", more), Outcome: check.Fail,
		}))
	}
	return commands
}

// command is one workflow command. Only a finding with a line is put into a
// file, and not into a scenario that ships with proofload.
func command(r *reports.Result, f format.Finding) string {
	kind := "error"
	if f.Outcome == check.Inconclusive {
		kind = "warning"
	}
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
