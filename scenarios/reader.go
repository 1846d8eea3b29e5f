package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Reader reads the files that people write, of every kind: strict about keys,
// with the place of each mistake, and with variables resolved in values and
// never in text. It collects mistakes instead of stopping at the first.
type Reader struct {
	lookup   func(string) (string, bool)
	problems *Problems
	secrets  bool // the lookup knows them by the prefix secret:
}

// A Field is a key that a mapping may have.
type Field struct {
	Key   string
	Need  bool                   // the mapping makes no sense without it
	Set   func(key, value *Node) // called if it is given; value is not null
	About string                 // what it means, for people, where no schema says it
}

// Open reads a file of that kind, for example "workload", of version 1. File
// names it in messages; lookup resolves ${VAR}, and may be nil. The error is
// *[Problems]; later mistakes are collected for [Reader.Err].
func Open(kind, file string, src []byte, lookup func(name string) (string, bool)) (*Reader, *Node, error) {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	r := &Reader{lookup: lookup, problems: &Problems{File: file, Source: src}}
	root, q := loadAs(src, kind, maxSource)
	if q != nil {
		r.problems.List = append(r.problems.List, *q)
		return nil, nil, r.Err()
	}
	if !r.version(root, kind) {
		return nil, nil, r.Err()
	}
	return r, root, nil
}

// LoadYAML reads a YAML or JSON document of another's format, of at most limit
// bytes.
func LoadYAML(file string, src []byte, limit int) (*Node, error) {
	root, q := loadAs(src, "document", limit)
	if q != nil {
		q.Hint = "" // it speaks of our own formats
		return nil, &Problems{File: file, Source: src, List: []Problem{*q}}
	}
	return root, nil
}

// Err returns all mistakes found so far as *[Problems], or nil. What is found
// several times, because several places use it, is one mistake.
func (p *Reader) Err() error {
	seen := map[Problem]bool{}
	p.problems.List = slices.DeleteFunc(p.problems.List, func(q Problem) bool {
		again := seen[q]
		seen[q] = true
		return again
	})
	return p.problems.Err()
}

// Quiet returns a reader whose mistakes are not collected.
func (p *Reader) Quiet() *Reader {
	return &Reader{lookup: p.lookup, problems: &Problems{File: p.problems.File, Source: p.problems.Source}}
}

// Add notes a problem with the whole of a value.
func (p *Reader) Add(n *Node, msg, hint string) { p.add(n, msg, hint) }

// AddAt notes a problem with width characters at a place.
func (p *Reader) AddAt(pos Pos, width int, msg, hint string) { p.problems.Add(pos, width, msg, hint) }

// Warn notes something that is probably not meant, but can be carried out.
func (p *Reader) Warn(n *Node, msg, hint string) { p.problems.Warn(n.pos, n.width, msg, hint) }

// Warnings returns what [Reader.Warn] noted, sorted by place.
func (p *Reader) Warnings() []Problem { return p.problems.Warnings() }

// Pairs calls each for every key of a mapping whose keys are free to choose,
// with its value, which is not null.
func (p *Reader) Pairs(n *Node, what, example string, each func(key, value *Node)) {
	if n.kind != mapNode {
		p.add(n, fmt.Sprintf("want %s, got %s", what, n.kind), "write for example "+example)
		return
	}
	given := map[string]*node{}
	for i, key := range n.keys {
		switch value := n.items[i]; {
		case !p.key(key, given):
		case value.isNull():
			p.add(key, fmt.Sprintf("%q has no value", key.text), "give it one, or leave the key out")
		default:
			each(key, value)
		}
	}
}

// List calls each for every element of a list. What names the elements.
func (p *Reader) List(n *Node, what string, each func(*Node)) { p.list(n, what, each) }

// Scalar returns a single value with its variables resolved.
func (p *Reader) Scalar(n *Node, what string) (text string, ok bool) { return p.scalar(n, what) }

// Words returns text with its variables resolved; a number or a boolean is not
// meant as such.
func (p *Reader) Words(n *Node, what string) (text string, ok bool) { return p.words(n, what) }

// Name returns a name that other places may refer to.
func (p *Reader) Name(n *Node, what string) (name string, ok bool) {
	text, ok := p.words(n, what)
	if ok && !namePattern.MatchString(text) {
		p.add(n, fmt.Sprintf("%q is not a name", text), nameHint)
		return "", false
	}
	return text, ok
}

// Duration returns a time of more than nothing, written with its unit.
func (p *Reader) Duration(n *Node, what string) (d time.Duration, ok bool) {
	return readOne(p, n, what, length)
}

// Count returns a whole number from 1.
func (p *Reader) Count(n *Node, what string) (count int, ok bool) {
	return readOne(p, n, what, positive)
}

// Rate returns a number of operations per second, from 0.
func (p *Reader) Rate(n *Node, what string) (perSecond float64, ok bool) {
	return readOne(p, n, what, parseOneRate)
}

// Truth returns true or false.
func (p *Reader) Truth(n *Node, what string) (yes, ok bool) { return readOne(p, n, what, truth) }

// OneOf returns one of several words.
func (p *Reader) OneOf(n *Node, what string, known ...string) (word string, ok bool) {
	return readOne(p, n, what, oneOf(known...))
}

// Expand returns what the inside of one ${...} stands for: a variable of the
// environment. If it cannot be had, msg says why, and hint how to mend it.
func (p *Reader) Expand(inside string) (text, msg, hint string) {
	text, wrong := expand(inside, p.lookup, p.secrets)
	if wrong != nil {
		return "", wrong.msg, wrong.hint
	}
	return text, "", ""
}

// Lookup returns a variable of the environment.
func (p *Reader) Lookup(name string) (text string, ok bool) { return p.lookup(name) }

// readOne returns a single value as parse reads it.
func readOne[T any](p scalarReader, n *node, what string, parse func(string) (T, *mistake)) (v T, ok bool) {
	text, ok := p.scalar(n, what)
	if !ok {
		return v, false
	}
	got, wrong := parse(text)
	if wrong != nil {
		p.add(n, wrong.msg, wrong.hint)
		return v, false
	}
	return got, true
}

// Pos is where the value begins.
func (n *Node) Pos() Pos { return n.pos }

// Width is how many characters of its line the value takes.
func (n *Node) Width() int { return n.width }

// Text is what is written, of a single value.
func (n *Node) Text() string { return n.text }

// IsScalar reports whether it is a single value.
func (n *Node) IsScalar() bool { return n.kind == scalarNode }

// IsMap reports whether it is a mapping.
func (n *Node) IsMap() bool { return n.kind == mapNode }

// IsList reports whether it is a list.
func (n *Node) IsList() bool { return n.kind == listNode }

// IsNull reports whether nothing was written where a value belongs.
func (n *Node) IsNull() bool { return n.isNull() }

// IsText reports whether it is text, and not a number, a boolean or null.
func (n *Node) IsText() bool {
	return n.kind == scalarNode && !slices.Contains([]string{"!!int", "!!float", "!!bool", "!!null"}, n.tag)
}

// Kind says in words what the value is, with an article.
func (n *Node) Kind() string { return string(n.kind) }

// Keys are the keys of a mapping; Items has their values.
func (n *Node) Keys() []*Node { return n.keys }

// Items are the values of a mapping, or the elements of a list.
func (n *Node) Items() []*Node { return n.items }

// Within returns the place of the character at that byte offset of the text.
// Where the text is not written on one line as it is, that is the place of the
// whole value.
func (n *Node) Within(offset int) Pos {
	length := utf8.RuneCountInString(n.text)
	if strings.Contains(n.text, "\n") || offset < 0 || offset > len(n.text) || n.width < length {
		return n.pos
	}
	quote := 0
	if n.width == length+2 {
		quote = 1
	}
	return Pos{n.pos.Line, n.pos.Col + quote + utf8.RuneCountInString(n.text[:offset])}
}

// Find returns the value of a key of a mapping, or nil.
func (n *Node) Find(key string) *Node {
	if n == nil || n.kind != mapNode {
		return nil
	}
	i := slices.IndexFunc(n.keys, func(k *node) bool { return k.text == key })
	if i < 0 {
		return nil
	}
	return n.items[i]
}

// version checks the kind and version of the file. What is of another kind is
// not looked at any further.
func (p *Reader) version(root *node, kind string) bool {
	want := kind + "/v1"
	if root.kind != mapNode {
		p.add(root, fmt.Sprintf("want a %s, got %s", kind, root.kind), "begin with: proofload: "+want)
		return false
	}
	for i, key := range root.keys {
		if key.text != "proofload" {
			continue
		}
		if got := root.items[i]; got.text != want {
			p.add(got, fmt.Sprintf("this is not a %s file", want), "write proofload: "+want)
			return false
		}
		return true
	}
	p.add(&node{pos: Pos{1, 1}, width: 1}, `missing "proofload"`, "begin with: proofload: "+want)
	return false
}

// A scalarReader is a [Reader], or what embeds one.
type scalarReader interface {
	scalar(n *node, what string) (string, bool)
	add(n *node, msg, hint string)
}

// add notes a problem with the whole of a value.
func (p *Reader) add(n *node, msg, hint string) { p.problems.Add(n.pos, n.width, msg, hint) }

// Mapping sets the fields of a mapping, and reports whether it has all that it
// needs and nothing else. What names the mapping in messages, with an article.
func (p *Reader) Mapping(n *node, what string, fields []Field) bool {
	return p.mapping(n, what, fields, guessKey)
}

// mapping is [Reader.Mapping] with a guess of its own.
func (p *Reader) mapping(n *node, what string, fields []Field, meant guess) bool {
	if n.kind != mapNode {
		_, hint := meant("", fieldKeys(fields))
		p.add(n, fmt.Sprintf("want the keys of %s, got %s", what, n.kind), hint)
		return false
	}
	clean := true
	given := map[string]*node{}
	var misspelt []string // these are not missing
	for i, key := range n.keys {
		if !p.key(key, given) {
			clean = false
			continue
		}
		j := slices.IndexFunc(fields, func(f Field) bool { return f.Key == key.text })
		switch value := n.items[i]; {
		case j < 0:
			near, hint := meant(key.text, fieldKeys(fields))
			p.add(key, fmt.Sprintf("unknown key %q", key.text), hint)
			misspelt = append(misspelt, near)
			clean = false
		case value.isNull():
			p.add(key, fmt.Sprintf("%q has no value", key.text), "give it one, or leave the key out")
			clean = false
		default:
			fields[j].Set(key, value)
		}
	}
	for _, f := range fields {
		if f.Need && given[f.Key] == nil && !slices.Contains(misspelt, f.Key) {
			p.problems.Add(n.pos, 1, fmt.Sprintf("%s has no %q", what, f.Key), fmt.Sprintf("add %s: with its value", f.Key))
			clean = false
		}
	}
	return clean
}

// key checks that a key is text and new.
func (p *Reader) key(key *node, given map[string]*node) bool {
	if key.kind != scalarNode {
		p.add(key, "want a key, got "+string(key.kind), "write text before the colon")
		return false
	}
	if wrong := showable(key.text); wrong != nil {
		p.add(key, wrong.msg, wrong.hint)
		return false
	}
	if first := given[key.text]; first != nil {
		p.add(key, fmt.Sprintf("%q is given twice", key.text), fmt.Sprintf("it is on line %d already", first.pos.Line))
		return false
	}
	given[key.text] = key
	return true
}

func fieldKeys(fields []Field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.Key
	}
	return keys
}

// list calls each for every element of a list.
func (p *Reader) list(n *node, what string, each func(*node)) {
	if n.kind != listNode {
		p.add(n, fmt.Sprintf("want a list of %s, got %s", what, n.kind), "put it into [ ], or write each on a line of its own that begins with -")
		return
	}
	for _, item := range n.items {
		if item.isNull() {
			p.add(item, fmt.Sprintf("want %s, got nothing", what), "write it after the -, or take the - away")
			continue
		}
		each(item)
	}
}

// scalar returns a single value with its variables resolved.
func (p *Reader) scalar(n *node, what string) (string, bool) {
	if n.kind != scalarNode {
		p.add(n, fmt.Sprintf("want a single value for %s, got %s", what, n.kind), "write one value, and no [ ] or { }")
		return "", false
	}
	text, wrong := resolve(n.text, p.lookup, p.secrets)
	if wrong == nil {
		wrong = showable(n.text, text)
	}
	if wrong != nil {
		p.add(n, wrong.msg, wrong.hint)
		return "", false
	}
	return text, true
}

// words returns text: a number or a boolean is not meant as such.
func (p *Reader) words(n *node, what string) (string, bool) {
	if n.kind == scalarNode && slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.tag) {
		p.add(n, fmt.Sprintf("want text for %s, got %s", what, n.text), fmt.Sprintf("quote it: %q", n.text))
		return "", false
	}
	text, ok := p.scalar(n, what)
	if ok && text == "" {
		p.add(n, what+" is empty", "write something, or leave it out")
	}
	return text, ok && text != ""
}

// text makes a setter for any text.
func (p *Reader) text(dst *string) func(key, value *node) {
	return func(key, value *node) {
		if text, ok := p.words(value, key.text); ok {
			*dst = text
		}
	}
}
