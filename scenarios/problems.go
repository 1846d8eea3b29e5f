package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Problem is one mistake in a file.
type Problem struct {
	Pos     Pos
	Width   int    // of the text that is wrong, in characters
	Msg     string // what is wrong, lower case, no full stop
	Hint    string // how to mend it; may be empty
	Warning bool   // the file can be used all the same
}

// Problems are all mistakes of one file. As an error it prints each with its
// place, the source line and a caret.
type Problems struct { //nolint:errname // it is a list that is also an error
	File   string
	Source []byte
	List   []Problem
}

// Add notes a mistake.
func (p *Problems) Add(pos Pos, width int, msg, hint string) {
	p.List = append(p.List, Problem{Pos: pos, Width: width, Msg: msg, Hint: hint})
}

// Warn notes something that is probably not meant, but can be carried out.
func (p *Problems) Warn(pos Pos, width int, msg, hint string) {
	p.List = append(p.List, Problem{Pos: pos, Width: width, Msg: msg, Hint: hint, Warning: true})
}

// Err returns the problems as an error, sorted by their place, or nil if there
// are none but warnings.
func (p *Problems) Err() error {
	if errs, _ := p.count(); errs == 0 {
		return nil
	}
	p.sort()
	return p
}

// Warnings returns the warnings alone, sorted by their place.
func (p *Problems) Warnings() []Problem {
	p.sort()
	var warnings []Problem
	for _, q := range p.List {
		if q.Warning {
			warnings = append(warnings, q)
		}
	}
	return warnings
}

// Error implements error with the text that [Problems.Format] writes, without
// its last line break.
func (p *Problems) Error() string {
	var b strings.Builder
	_ = p.Format(&b) // a strings.Builder takes everything
	return strings.TrimSuffix(b.String(), "\n")
}

// Format writes the problems for people, a compiler's way:
//
//	FILE:LINE:COL: MESSAGE
//	  LINE | the source line
//	       | ^^^^
//	       = hint
//	N problems
func (p *Problems) Format(w io.Writer) error {
	var b bytes.Buffer
	lines := strings.Split(string(p.Source), "\n")
	for _, q := range p.List {
		q.format(&b, p.File, lines)
	}
	errs, warnings := p.count()
	var counts []string
	if errs > 0 {
		counts = append(counts, plural(errs, "problem"))
	}
	if warnings > 0 {
		counts = append(counts, plural(warnings, "warning"))
	}
	fmt.Fprintln(&b, strings.Join(counts, ", "))
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write problems: %w", err)
	}
	return nil
}

// format writes one problem.
func (q Problem) format(w io.Writer, file string, lines []string) {
	msg := q.Msg
	if q.Warning {
		msg = "warning: " + msg
	}
	fmt.Fprintf(w, "%s:%d:%d: %s\n", file, q.Pos.Line, q.Pos.Col, Printable(msg))
	number := strconv.Itoa(q.Pos.Line)
	margin := strings.Repeat(" ", len(number))
	if q.Pos.Line >= 1 && q.Pos.Line <= len(lines) {
		line := Printable(lines[q.Pos.Line-1])
		fmt.Fprintf(w, "  %s | %s\n", number, line)
		fmt.Fprintf(w, "  %s | %s\n", margin, q.carets(line))
	}
	if q.Hint != "" {
		fmt.Fprintf(w, "  %s = %s\n", margin, Printable(q.Hint))
	}
}

// carets underlines the wrong text, at least one character of it and never
// more than the line has. Tabs are repeated, so that the carets stand below
// the text whatever a tab's width is.
func (q Problem) carets(line string) string {
	before := []rune(line)
	before = before[:min(max(q.Pos.Col-1, 0), len(before))]
	for i, r := range before {
		if r != '\t' {
			before[i] = ' '
		}
	}
	rest := utf8.RuneCountInString(line) - len(before)
	return string(before) + strings.Repeat("^", max(1, min(q.Width, rest)))
}

// Printable keeps what a text holds, for example of the answer of a system, from
// acting on the terminal: it has ? for each character that could.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if acts(r) {
			return '?'
		}
		return r
	}, strings.TrimSuffix(text, "\r"))
}

// acts reports whether a character can do something to a terminal other than
// to be shown, or to begin a line or a column.
func acts(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' }

func (p *Problems) count() (errs, warnings int) {
	for _, q := range p.List {
		if q.Warning {
			warnings++
		} else {
			errs++
		}
	}
	return errs, warnings
}

func (p *Problems) sort() {
	slices.SortStableFunc(p.List, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// Closest returns the known word that is most like word, or means the same in
// other tools, or "" if none is near enough to be what was meant.
func Closest(word string, known []string) string {
	if ours := elsewhere(word); ours != "" && slices.Contains(known, ours) {
		return ours
	}
	best, least := "", min(3, 1+len(word)/4)+1
	for _, k := range known {
		if max(len(word)-len(k), len(k)-len(word)) >= least {
			continue
		}
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// Of more than manyKnown words a hint lists fewKnown alone: nobody reads them all.
const (
	manyKnown = 24
	fewKnown  = 10
)

// DidYouMean is the hint for a word that is not known: the nearest one, or those
// that are.
func DidYouMean(word string, known []string) string {
	if near := Closest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	var names []string
	for _, k := range known {
		if k != "" && !slices.Contains(names, k) {
			names = append(names, k)
		}
	}
	if len(names) == 0 {
		return ""
	}
	more := ""
	if n := len(names); n > manyKnown {
		names, more = names[:fewKnown], fmt.Sprintf(" and %d more", n-fewKnown)
	}
	return "known here: " + strings.Join(names, ", ") + more
}

// distance is the Levenshtein distance of two words, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
