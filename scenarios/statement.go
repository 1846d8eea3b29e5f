package scenarios

import "fmt"

// on reads which component an entry is for whose verb has another value.
func (p *parser) on(e *draftEvent, key, n *node) {
	e.on, e.place = key, n
	p.text(&e.where)(key, n)
}

// statement has an entry with a statement act on the component that it names
// beside it, and checks that no other entry names one.
func (p *parser) statement(e *draftEvent) {
	switch {
	case e.Verb == VerbSQL && e.on == nil:
		p.add(e.verbs[0], "it is not said where the statement is carried out", "add for example on: postgres.primary")
	case e.Verb == VerbSQL:
		e.Statement, e.Target, e.TargetPos = e.Target, e.where, e.place.pos
	case e.Verb != "" && e.on != nil:
		p.add(e.on, fmt.Sprintf("%q means nothing beside %q", "on", e.Verb), "only a statement says beside itself where it is carried out")
	}
}
