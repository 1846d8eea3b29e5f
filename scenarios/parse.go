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
// resolves ${VAR}, and may be nil. Where it knows vars.NAME, that is used in
// place of what the file says under vars:.
//
// The error is *[Problems] with every mistake of the file.
func Parse(file string, src []byte, lookup func(name string) (string, bool)) (*Scenario, error) {
	sc, err := ParseDraft(file, src, lookup)
	if err != nil {
		return nil, err
	}
	return sc, nil
}

// ParseDraft is [Parse], but returns of a file with mistakes also what is sound
// in it, for those who look for what else is wrong. It is nil if that is nothing.
func ParseDraft(file string, src []byte, lookup func(name string) (string, bool)) (*Scenario, error) {
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
		Reader: Reader{lookup: lookup, problems: problems},
		sc:     &Scenario{File: file, Source: src, Repeat: Repeat{Times: 1}},
	}
	if !p.version(root, "scenario") {
		return nil, problems.Err()
	}
	p.vars(root)
	p.Mapping(root, "a scenario", p.scenarioFields())
	p.lint()
	if err := problems.Err(); err != nil {
		return p.draft(), err
	}
	return p.finish(), nil
}

// A parser collects what a file says, and what is wrong with it.
type parser struct {
	Reader

	sc *Scenario

	phases     []*draftPhase
	events     []*draftEvent
	objectives []*draftObjective
	loadKey    *node
	compareKey *node
	judged     bool     // an objective or a check was asked for
	misnamed   []string // what phases and entries are called, where that is no name
}

// The drafts hold, beside what the scenario says, the places that only
// problems need, and what is not known because it was wrong. A nil node means
// that it was not given, or wrong.
type (
	draftPhase struct {
		Phase
		name, rate, replay, users, think *node
		until                            *node
		start                            time.Duration
	}
	draftEvent struct {
		Event
		at, as, length, value *node
		with, again, within   *node
		withNode              *node  // its value, without headers
		headers               *node  // of with:, the key
		inside                *node  // parameters that stand in the verb's value
		on, place             *node  // the key and its value
		where                 string // which on: says
		to                    *node
		verbs                 []*node
		anchored              bool // at is well formed
		malformed             bool // it has mistakes of its own
	}
	draftObjective struct {
		Objective
		subject, key, value *node
		metric              metric
	}
)

// draft is what is sound of a file with mistakes.
func (p *parser) draft() *Scenario {
	p.events = slices.DeleteFunc(p.events, func(e *draftEvent) bool { return e.malformed })
	p.sc.Queries = slices.DeleteFunc(p.sc.Queries, func(q Query) bool { return q.On == "" })
	sc := p.finish()
	sc.Warnings = nil // they are among the mistakes
	return sc
}

// meant reports whether a name is probably that of a phase or an entry whose own
// name is wrong, which is said where it is given.
func (p *parser) meant(name string) bool {
	return slices.ContainsFunc(p.misnamed, func(m string) bool { return strings.EqualFold(m, name) }) || Closest(name, p.misnamed) != ""
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

// baseline reads the name of a run that was kept.
func baseline(text string) (string, *mistake) {
	if name, ok := strings.CutPrefix(text, BaselinePrefix); !ok || !namePattern.MatchString(name) {
		return "", &mistake{fmt.Sprintf("%q names no baseline", text), "write " + BaselinePrefix + "NAME, for example " + BaselinePrefix + "main; a name is of a to z, 0 to 9 and -"}
	}
	return text, nil
}

// width counts the characters of a text.
func width(text string) int { return utf8.RuneCountInString(text) }
