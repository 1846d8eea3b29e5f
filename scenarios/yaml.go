package scenarios

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxSource is the size of the largest file that is read, in bytes.
const maxSource = 1 << 20

// A Node is a value of a YAML file with its place. An alias is replaced by what
// it stands for.
type Node struct {
	kind  nodeKind
	tag   string // of a scalar: !!str, !!int, !!float, !!bool or !!null
	text  string // of a scalar, before variables are resolved
	pos   Pos
	width int
	keys  []*node // of a mapping
	items []*node // the values of keys, or the elements of a list
}

type node = Node

type nodeKind string

const (
	scalarNode nodeKind = "a single value"
	mapNode    nodeKind = "a mapping"
	listNode   nodeKind = "a list"
)

// isNull reports whether nothing was written where a value belongs.
func (n *node) isNull() bool { return n.kind == scalarNode && n.tag == "!!null" }

// load reads the only document of a scenario file.
func load(src []byte) (*node, *Problem) { return loadAs(src, "scenario", maxSource) }

// loadAs reads the only document of a file of that kind, of at most limit
// bytes. This file is the only one that knows the YAML library.
func loadAs(src []byte, kind string, limit int) (*node, *Problem) {
	if len(src) > limit {
		return nil, &Problem{Pos: Pos{1, 1}, Msg: fmt.Sprintf("the file has %d bytes, at most %d are read", len(src), limit), Hint: "keep what is not read out of it: recorded arrivals and data have files of their own"}
	}
	if q := unreadable(src); q != nil {
		return nil, q
	}
	var doc yaml.Node
	if err := yaml.Load(src, &doc); err != nil {
		q := explain(err, kind, strings.Split(string(src), "\n"))
		return nil, &q
	}
	if len(doc.Content) == 0 {
		return nil, &Problem{Pos: Pos{1, 1}, Msg: "the file is empty", Hint: "begin with: proofload: " + kind + "/v1"}
	}
	return convert(doc.Content[0], map[*yaml.Node]*node{}), nil
}

// convert copies the library's tree. An anchor that holds itself becomes a
// cycle, which does no harm: the language is only a few levels deep.
func convert(y *yaml.Node, done map[*yaml.Node]*node) *node {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if n, ok := done[y]; ok {
		return n
	}
	n := &node{pos: Pos{max(1, y.Line), max(1, y.Column)}, width: 1}
	done[y] = n
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = mapNode
		for i := 0; i+1 < len(y.Content); i += 2 {
			n.keys = append(n.keys, convert(y.Content[i], done))
			n.items = append(n.items, convert(y.Content[i+1], done))
		}
	case yaml.SequenceNode:
		n.kind = listNode
		for _, item := range y.Content {
			n.items = append(n.items, convert(item, done))
		}
	default:
		n.kind, n.tag, n.text = scalarNode, y.ShortTag(), y.Value
		n.width = utf8.RuneCountInString(y.Value)
		switch {
		case y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
			n.width += 2
		case y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
			n.width = 1
		}
	}
	return n
}

// unreadable finds the first byte that no YAML file may have. The library
// knows what is wrong with it, but not where it is.
func unreadable(src []byte) *Problem {
	pos := Pos{1, 1}
	for rest := src; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return &Problem{Pos: pos, Msg: "this byte is not UTF-8", Hint: "save the file as UTF-8"}
		case r < ' ' && !strings.ContainsRune("\t\n\r", r), r == 0x7f:
			return &Problem{Pos: pos, Msg: fmt.Sprintf("control character %U", r), Hint: "delete it"}
		case r == '\n':
			pos = Pos{pos.Line + 1, 1}
		default:
			pos.Col++
		}
		rest = rest[size:]
	}
	return nil
}

// explain says what a syntax error means. The library names the place where it
// could not go on, which is often not where the mistake is.
func explain(err error, kind string, lines []string) Problem {
	var e *yaml.LoadError
	if !errors.As(err, &e) || e.Mark.Line < 1 {
		return explainDocuments(err, kind, lines)
	}
	at, context := Pos{e.Mark.Line, max(1, e.Mark.Column)}, Pos{e.ContextMark.Line, max(1, e.ContextMark.Column)}
	text := from(lines, at)
	if strings.HasPrefix(e.Message, "did not find expected alphabetic") { // an alias, in app[*]
		if p, ok := explainBare(at.Line, at.Line, lines); ok {
			return p
		}
	}
	switch {
	case strings.HasPrefix(e.Message, "did not find expected ',' or"):
		return explainFlow(at, context, lines)
	case strings.HasPrefix(e.Message, "mapping values are not allowed"):
		return explainColon(at, lines)
	case strings.Contains(e.ContextMsg, "block scalar") && strings.HasPrefix(from(lines, context), ">"):
		return explainGreater(context, lines)
	case strings.HasPrefix(text, ">"):
		return explainGreater(at, lines)
	case strings.HasPrefix(text, "\t"):
		return Problem{Pos: at, Width: 1, Msg: "a tab cannot indent", Hint: "indent with spaces"}
	case strings.Contains(e.ContextMsg, "quoted scalar"):
		return Problem{Pos: context, Width: 1, Msg: "this quote is not closed", Hint: "end the text with the same quote"}
	case strings.Contains(e.Message, "cannot start any token") && text != "":
		first, _ := utf8.DecodeRuneInString(text)
		return Problem{Pos: at, Width: 1, Msg: fmt.Sprintf("%q cannot start a value", first), Hint: "quote the value"}
	case strings.Contains(e.ContextMsg, "block"):
		return Problem{Pos: at, Width: 1, Msg: e.Message, Hint: "check the indentation of this line"}
	}
	return Problem{Pos: at, Width: 1, Msg: e.Message, Hint: "look here and just before: something is not closed, not quoted, or not indented as its neighbours are"}
}

// explainDocuments is for files that have no document, or more than one.
func explainDocuments(err error, kind string, lines []string) Problem {
	if !strings.Contains(err.Error(), "found multiple") {
		if strings.Contains(err.Error(), "no documents") {
			return Problem{Pos: Pos{1, 1}, Width: 1, Msg: "the file is empty", Hint: "begin with: proofload: " + kind + "/v1"}
		}
		return Problem{Pos: Pos{1, 1}, Width: 1, Msg: err.Error(), Hint: "the file has to be YAML"}
	}
	last := 1
	for i, line := range lines {
		if strings.HasPrefix(line, "---") {
			last = i + 1
		}
	}
	return Problem{Pos: Pos{last, 1}, Width: 3, Msg: "a second document begins here", Hint: "write one " + kind + " a file"}
}

// explainFlow is for a {} or [] that does not go on as it should, most often
// because an unquoted ${} or app[1] opens another one.
func explainFlow(at, context Pos, lines []string) Problem {
	if p, ok := explainBare(max(1, context.Line), at.Line, lines); ok {
		return p
	}
	if context.Line < 1 {
		context = at
	}
	return Problem{Pos: context, Width: 1, Msg: "this bracket is not closed", Hint: "close it, or write the comma that is missing before the next entry"}
}

// explainBare is for a value within some lines that opens a bracket of its own.
func explainBare(first, last int, lines []string) (Problem, bool) {
	for line := first; line <= min(last, len(lines)); line++ {
		if col, bare := bareIn(lines[line-1]); bare != "" {
			return Problem{
				Pos: Pos{line, col}, Width: utf8.RuneCountInString(bare),
				Msg:  bare + " must be quoted inside {} and []",
				Hint: fmt.Sprintf("quote the value, for example %q", bare),
			}, true
		}
	}
	return Problem{}, false
}

// bareValue is what opens a bracket of its own: a variable, or one of several
// nodes.
var bareValue = regexp.MustCompile(`^(?:\$\{[^}]*\}?|[A-Za-z][\w.-]*\[[\w*]+\])`)

// bareIn finds the first value of a line that opens a bracket of its own and is
// not in quotes.
func bareIn(line string) (col int, value string) {
	quote, before := rune(0), ' '
	for i, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '$' || !isWord(before):
			if value = bareValue.FindString(line[i:]); value != "" {
				return utf8.RuneCountInString(line[:i]) + 1, value
			}
		}
		before = r
	}
	return 0, ""
}

// isWord reports whether a rune may be within the name of a component.
func isWord(r rune) bool {
	return r == '_' || r == '.' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

var plainValue = regexp.MustCompile(`^\s*(?:- )?[\w.-]+: +([^\s"'\[{|>].*)$`)

// explainColon is for a ": " where no key may be: in plain text, or because
// the line is indented too far.
func explainColon(at Pos, lines []string) Problem {
	q := Problem{Pos: at, Width: 1, Msg: "a key cannot be here", Hint: "check the indentation of this line"}
	if at.Line > len(lines) {
		return q
	}
	line := strings.TrimSuffix(lines[at.Line-1], "\r")
	if m := plainValue.FindStringSubmatch(line); m != nil {
		q.Msg = `text that holds ": " must be quoted`
		q.Hint = fmt.Sprintf("write %q", m[1])
	}
	return q
}

// explainGreater is for an unquoted >= 99%.
func explainGreater(at Pos, lines []string) Problem {
	value := strings.TrimSpace(strings.TrimSuffix(from(lines, at), "\r"))
	if i := strings.IndexAny(value, ",}#"); i > 0 {
		value = strings.TrimSpace(value[:i])
	}
	return Problem{
		Pos: at, Width: utf8.RuneCountInString(value),
		Msg:  `a value that begins with ">" must be quoted`,
		Hint: fmt.Sprintf("write %q", value),
	}
}

// from returns the text of a line from a place on.
func from(lines []string, at Pos) string {
	if at.Line < 1 || at.Line > len(lines) {
		return ""
	}
	line := []rune(lines[at.Line-1])
	return string(line[min(at.Col-1, len(line)):])
}
