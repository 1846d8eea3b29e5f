package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Parse reads a scenario file and checks all that can be checked without
// knowing the system it runs against. File names it in messages; lookup
// resolves ${VAR}, and may be nil.
//
// The error is *[Problems] with every mistake of the file.
func Parse(file string, src []byte, lookup func(name string) (string, bool)) (*Scenario, error) {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	problems := &Problems{File: file, Source: src}
	root, q := load(src)
	if q != nil {
		problems.List = append(problems.List, *q)
		return nil, problems.Err()
	}
	p := &parser{
		lookup:   lookup,
		problems: problems,
		sc:       &Scenario{File: file, Source: src, Repeat: Repeat{Times: 1}},
	}
	if !p.version(root) {
		return nil, problems.Err()
	}
	p.mapping(root, "a scenario", p.scenarioFields())
	p.lint()
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return p.finish(), nil
}

// A parser collects what a file says, and what is wrong with it.
type parser struct {
	lookup   func(string) (string, bool)
	problems *Problems
	sc       *Scenario

	phases     []*draftPhase
	events     []*draftEvent
	objectives []*draftObjective
	loadKey    *node
	judged     bool // an objective or a check was asked for
}

// The drafts hold, beside what the scenario says, the places that only
// problems need, and what is not known because it was wrong. A nil node means
// that it was not given, or wrong.
type (
	draftPhase struct {
		Phase
		name, rate, replay, users, think *node
		start                            time.Duration
	}
	draftEvent struct {
		Event
		at, as, length, value *node
		verbs                 []*node
		anchored              bool // at is well formed
	}
	draftObjective struct {
		Objective
		subject, key, value *node
		metric              metric
	}
)

// A field is a key that a mapping may have.
type field struct {
	key  string
	need bool
	set  func(key, value *node)
}

// version checks the kind and version of the file. What is no scenario is not
// looked at any further.
func (p *parser) version(root *node) bool {
	if root.kind != mapNode {
		p.add(root, "want a scenario, got "+string(root.kind), "begin with: proofload: "+Version)
		return false
	}
	for i, key := range root.keys {
		if key.text != "proofload" {
			continue
		}
		if got := root.items[i]; got.text != Version {
			p.add(got, fmt.Sprintf("this is not a %s file", Version), "write proofload: "+Version)
			return false
		}
		return true
	}
	p.add(&node{pos: Pos{1, 1}, width: 1}, `missing "proofload"`, "begin with: proofload: "+Version)
	return false
}

// finish moves the drafts into the scenario.
func (p *parser) finish() *Scenario {
	for _, f := range p.phases {
		p.sc.Load.Phases = append(p.sc.Load.Phases, f.Phase)
	}
	for _, e := range p.events {
		p.sc.Timeline = append(p.sc.Timeline, e.Event)
	}
	for _, o := range p.objectives {
		p.sc.Objectives = append(p.sc.Objectives, o.Objective)
	}
	p.sc.Warnings = p.problems.Warnings()
	return p.sc
}

// add notes a problem with the whole of a value.
func (p *parser) add(n *node, msg, hint string) { p.problems.Add(n.pos, n.width, msg, hint) }

// mapping sets the fields of a mapping, and reports whether it has all that it
// needs and nothing else.
func (p *parser) mapping(n *node, what string, fields []field) bool {
	if n.kind != mapNode {
		p.add(n, fmt.Sprintf("want the keys of %s, got %s", what, n.kind), "known here: "+strings.Join(fieldKeys(fields), ", "))
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
		j := slices.IndexFunc(fields, func(f field) bool { return f.key == key.text })
		switch value := n.items[i]; {
		case j < 0:
			p.add(key, fmt.Sprintf("unknown key %q", key.text), DidYouMean(key.text, fieldKeys(fields)))
			misspelt = append(misspelt, Closest(key.text, fieldKeys(fields)))
			clean = false
		case value.isNull():
			p.add(key, fmt.Sprintf("%q has no value", key.text), "give it one, or leave the key out")
			clean = false
		default:
			fields[j].set(key, value)
		}
	}
	for _, f := range fields {
		if f.need && given[f.key] == nil && !slices.Contains(misspelt, f.key) {
			p.problems.Add(n.pos, 1, fmt.Sprintf("%s has no %q", what, f.key), "")
			clean = false
		}
	}
	return clean
}

// key checks that a key is text and new.
func (p *parser) key(key *node, given map[string]*node) bool {
	if key.kind != scalarNode {
		p.add(key, "want a key, got "+string(key.kind), "")
		return false
	}
	if first := given[key.text]; first != nil {
		p.add(key, fmt.Sprintf("%q is given twice", key.text), fmt.Sprintf("it is on line %d already", first.pos.Line))
		return false
	}
	given[key.text] = key
	return true
}

func fieldKeys(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// list calls each for every element of a list.
func (p *parser) list(n *node, what string, each func(*node)) {
	if n.kind != listNode {
		p.add(n, fmt.Sprintf("want a list of %s, got %s", what, n.kind), "")
		return
	}
	for _, item := range n.items {
		if item.isNull() {
			p.add(item, fmt.Sprintf("want %s, got nothing", what), "")
			continue
		}
		each(item)
	}
}

// scalar returns a single value with its variables resolved.
func (p *parser) scalar(n *node, what string) (string, bool) {
	if n.kind != scalarNode {
		p.add(n, fmt.Sprintf("want a single value for %s, got %s", what, n.kind), "")
		return "", false
	}
	text, wrong := resolve(n.text, p.lookup)
	if wrong != nil {
		p.add(n, wrong.msg, wrong.hint)
		return "", false
	}
	return text, true
}

// words returns text: a number or a boolean is not meant as such.
func (p *parser) words(n *node, what string) (string, bool) {
	if n.kind == scalarNode && slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.tag) {
		p.add(n, fmt.Sprintf("want text for %s, got %s", what, n.text), fmt.Sprintf("quote it: %q", n.text))
		return "", false
	}
	text, ok := p.scalar(n, what)
	if ok && text == "" {
		p.add(n, what+" is empty", "")
	}
	return text, ok && text != ""
}

// text makes a setter for any text.
func (p *parser) text(dst *string) func(key, value *node) {
	return func(key, value *node) {
		if text, ok := p.words(value, key.text); ok {
			*dst = text
		}
	}
}

// value makes a setter for what parse reads.
func value[T any](p *parser, dst *T, parse func(string) (T, *mistake)) func(key, value *node) {
	return func(key, value *node) {
		text, ok := p.scalar(value, key.text)
		if !ok {
			return
		}
		v, wrong := parse(text)
		if wrong != nil {
			p.add(value, wrong.msg, wrong.hint)
			return
		}
		*dst = v
	}
}

// length reads a duration that is not zero.
func length(text string) (time.Duration, *mistake) {
	d, wrong := parseDuration(text)
	if wrong == nil && d == 0 {
		return 0, &mistake{text + " is no time at all", "write more than 0s"}
	}
	return d, wrong
}

// share reads a percentage that is not zero, as a share of 1.
func share(text string) (float64, *mistake) {
	v, wrong := parsePercent(text)
	if wrong == nil && v == 0 {
		return 0, &mistake{text + " asks for nothing", "write more than 0%"}
	}
	return v / 100, wrong
}

// positive reads a whole number from 1.
func positive(text string) (int, *mistake) {
	n, wrong := parseCount(text)
	if wrong == nil && n == 0 {
		return 0, &mistake{"0 is too few", "write 1 or more"}
	}
	return n, wrong
}

// truth reads true or false.
func truth(text string) (bool, *mistake) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, &mistake{fmt.Sprintf("%q is neither true nor false", text), "write true or false"}
}

// oneOf reads one of several words.
func oneOf(known ...string) func(string) (string, *mistake) {
	return func(text string) (string, *mistake) {
		if !slices.Contains(known, text) {
			return "", &mistake{fmt.Sprintf("unknown value %q", text), DidYouMean(text, known)}
		}
		return text, nil
	}
}

// width counts the characters of a text.
func width(text string) int { return utf8.RuneCountInString(text) }
