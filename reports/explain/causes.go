package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/format"
)

// meaningOf says what a code of PostgreSQL tells of a system that fails.
func meaningOf(code string) string {
	switch code {
	case "25006":
		return "writes were sent to a server that is no primary"
	case "57P01", "57P02", "57P03":
		return "the server was shutting down or starting"
	case "08000", "08001", "08003", "08006":
		return "the connection to the database broke or could not be made"
	case "53300":
		return "the database had no connection left"
	case "26000", "42P05":
		return "a prepared statement was not where it was left: the pooler gave the session to somebody else"
	case "40001", "40P01":
		return "transactions stood in each other's way"
	case "55P03", "57014":
		return "a statement waited too long for a lock, or was cancelled"
	}
	return ""
}

// maxCauses bounds how many codes are told.
const maxCauses = 3

// causes says what servers have logged of themselves.
func (l *logged) causes(r *reports.Result) []string {
	var out []string
	for _, key := range l.keys() {
		meaning := meaningOf(key.code)
		if meaning == "" || len(out) == maxCauses {
			continue
		}
		s := l.codes[key]
		text := fmt.Sprintf("%s logged SQLSTATE %s %s: %s", key.node, key.code, times(s.count), meaning)
		promoted := promotion(r)
		late := !promoted.IsZero() && s.last.After(promoted)
		if late {
			text += fmt.Sprintf("; the last %s after the promotion", format.Duration(ms(s.last.Sub(promoted))))
		}
		if others := l.alike(key.node); len(others) > 0 && !l.anyOf(others, key.code) {
			text += ", and " + strings.Join(others, ", ") + " did not"
			if late && key.code == "25006" {
				text += ": a pool of connections that did not notice"
			}
		}
		out = append(out, text)
	}
	return out
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return format.Count(n) + " times"
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// promotion returns when the last new primary was promoted, zero if none was.
func promotion(r *reports.Result) (at time.Time) {
	for _, v := range r.Recoveries {
		if v.Promoted >= 0 {
			at = r.Began.Add(time.Duration((v.Injected + v.Promoted) * float64(time.Millisecond)))
		}
	}
	return at
}

// alike lists the other nodes that have the same name but for its number.
func (l *logged) alike(node string) []string {
	kind := func(name string) string { return strings.TrimRight(name, "0123456789") }
	var others []string
	for _, other := range l.nodes {
		if other != node && kind(other) == kind(node) {
			others = append(others, other)
		}
	}
	return others
}

func (l *logged) anyOf(nodes []string, code string) bool {
	for _, node := range nodes {
		if l.codes[nodeCode{node, code}] != nil {
			return true
		}
	}
	return false
}
