package scenarios

import (
	"fmt"
	"slices"
)

// until reads which entry of the timeline ends a phase when it is over.
func (p *parser) until(f *draftPhase, key, n *node) {
	f.until = n
	p.name(&f.Until, namePattern, nameHint)(key, n)
}

// lintUntil checks that a phase lasts until an entry of its own is over that takes
// its time and ends by itself.
func (p *parser) lintUntil(f *draftPhase, names map[string]owner) {
	if f.Until == "" {
		return
	}
	named, ok := names[f.Until]
	e := named.event
	switch {
	case !ok:
		p.add(f.until, fmt.Sprintf("no entry %q", f.Until), DidYouMean(f.Until, p.entryNames()))
	case e == nil:
		p.add(f.until, f.Until+" is a phase, which cannot end another", "name an entry of the timeline with as:, and write that")
	case e.Phase != f.Name && e.anchored:
		p.add(f.until, fmt.Sprintf("%s is an entry of %s, not of %s", f.Until, e.Phase, f.Name), "a phase lasts until one of its own entries is over")
	case e.Verb == VerbNote || e.Verb == VerbMark:
		p.add(f.until, fmt.Sprintf("%s is a %s, which is over at once", f.Until, e.Verb), "make the phase shorter in place of this")
	case e.again != nil:
		p.add(f.until, f.Until+" happens several times", "give the last of them an entry of its own, and name that")
	case p.isFault(e) && e.length == nil:
		p.add(f.until, f.Until+" does not end by itself", "name the heal: or start: that ends it, or give it a for:")
	default:
		p.lintBehind(f, e)
	}
}

// lintBehind checks that nothing of a phase comes after the entry that ends it.
func (p *parser) lintBehind(f *draftPhase, last *draftEvent) {
	i := slices.Index(p.events, last)
	for j, e := range p.events {
		if e.anchored && e.Phase == f.Name && (j > i || e.Offset+e.Again.Last() > last.Offset) && e != last {
			p.add(e.at, fmt.Sprintf("%s ends when %s is over, so this may never come", f.Name, f.Until), "put it before that entry, or into a later phase")
		}
	}
}

// leapt reports whether less time than planned may pass between two entries,
// because a phase ends early.
func (p *parser) leapt(from, to *draftEvent) bool {
	first, last := p.anchor(from), p.anchor(to)
	return slices.ContainsFunc(p.phases, func(f *draftPhase) bool {
		return f.until != nil && f.start >= first.start && f.start < last.start
	})
}

// entryNames lists the entries that a phase can wait for, for messages.
func (p *parser) entryNames() []string {
	var names []string
	for _, e := range p.events {
		if e.As != "" && p.lasts(e) {
			names = append(names, e.As)
		}
	}
	return names
}
