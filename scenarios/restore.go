package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// MarkPrefix is what a reference to a mark begins with.
const MarkPrefix = "mark:"

// restoredWrites is the check of what restores bring back.
const restoredWrites = "restored-writes"

// to reads the moment that a restore goes back to.
func (p *parser) to(e *draftEvent, key, n *node) {
	e.to = n
	text, ok := p.words(n, key.text)
	if !ok {
		return
	}
	name, ok := strings.CutPrefix(text, MarkPrefix)
	if !ok || !namePattern.MatchString(name) {
		p.add(n, fmt.Sprintf("%q is no mark", text), "write "+MarkPrefix+"NAME, with the name of an entry mark: NAME above")
		return
	}
	e.To = name
}

// lintTo checks that a restore goes back to a mark that is above it.
func (p *parser) lintTo(e *draftEvent, before map[string]*draftEvent) {
	if e.Verb != "" && e.Verb != VerbRestore {
		p.add(e.to, fmt.Sprintf("%q means nothing beside %q", "to", e.Verb), "only a restore goes back to a mark")
		return
	}
	if m := before[e.To]; e.To == "" || m != nil && (m.Verb == VerbMark || m.Verb == "") {
		return
	}
	var known []string
	for _, b := range before {
		if b.Verb == VerbMark {
			known = append(known, MarkPrefix+b.As)
		}
	}
	slices.Sort(known)
	p.add(e.to, fmt.Sprintf("no mark %q before this entry", e.To), DidYouMean(MarkPrefix+e.To, known))
}

// lintRestored warns of a check of what restores bring back where there is none.
func (p *parser) lintRestored() {
	i := slices.IndexFunc(p.sc.Verify, func(v Verify) bool { return v.Check == restoredWrites })
	if i < 0 || slices.ContainsFunc(p.events, func(e *draftEvent) bool { return e.Verb == VerbRestore }) {
		return
	}
	p.problems.Warn(p.sc.Verify[i].Pos, len(restoredWrites), "no entry of the timeline is a restore:, so there is nothing that "+restoredWrites+" could look at",
		"leave it out, or add an entry such as {at: PHASE, restore: postgres}")
}
