package text

import (
	"strings"
	"unicode"

	"github.com/proofload/proofload/reports/check"
)

// The styles, as parameters of the SGR escape sequence.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"

	escape = "\x1b["
)

func verdictStyle(verdict string) string { return bold + ";" + outcomeStyle(check.Outcome(verdict)) }

func outcomeStyle(o check.Outcome) string {
	switch o {
	case check.Pass:
		return green
	case check.Inconclusive:
		return yellow
	default:
		return red
	}
}

// paint styles s, if colour is wanted.
func (p *printer) paint(style, s string) string {
	if !p.o.Color || style == "" || s == "" {
		return s
	}
	return escape + style + "m" + s + escape + "0m"
}

// clean keeps s on one line and takes out control characters, so that a name
// in a scenario or the text of an error cannot steer the terminal.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return ' '
		case unicode.IsControl(c):
			return -1
		}
		return c
	}, s)
}
