package scenarios

import "fmt"

// does reads what an entry does: VERB: VALUE, or for what has parameters also
// VERB: {on: COMPONENT, PARAMETER: VALUE}.
func (p *parser) does(e *draftEvent, verb Verb, key, n *node) {
	e.verbs = append(e.verbs, key)
	e.Verb, e.VerbPos, e.TargetPos, e.value = verb.Name, key.pos, n.pos, n
	if n.kind != mapNode || !verb.Fault && verb.Name != VerbScale {
		p.text(&e.Target)(key, n)
		return
	}
	e.inside = &node{kind: mapNode, pos: n.pos, width: n.width}
	p.Pairs(n, "a component and parameters", "{on: redis}", func(k, v *node) {
		if k.text == "on" {
			e.TargetPos, e.value = v.pos, v
			p.text(&e.Target)(k, v)
			return
		}
		e.inside.keys, e.inside.items = append(e.inside.keys, k), append(e.inside.items, v)
	})
	if n.Find("on") == nil {
		p.add(n, verb.Name+` has no "on"`, fmt.Sprintf("write %s: and the component, or %s: {on: COMPONENT, PARAMETER: VALUE}", verb.Name, verb.Name))
	}
}

// with reads the parameters of an entry.
func (p *parser) with(e *draftEvent, key, n *node) {
	e.with, e.withNode, e.WithPos = key, n, n.pos
	e.With, e.WithSpots = p.texts(n, "parameters", "{delay: 200ms}")
}

// parameters takes those that stand inside the verb's value for those of with:,
// which then there must not be.
func (p *parser) parameters(e *draftEvent) {
	switch {
	case e.inside == nil || len(e.inside.keys) == 0:
	case e.with != nil:
		p.add(e.with, "parameters are given in two places", fmt.Sprintf("put them all into with:, or all into %s: {on: COMPONENT}", e.Verb))
	default:
		p.with(e, e.verbs[0], e.inside)
	}
}
