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
	n = p.headers(e, n)
	e.with, e.withNode, e.WithPos = key, n, n.pos
	e.With, e.WithSpots = p.texts(n, "parameters", "{delay: 200ms}")
}

// WithHeaders is the parameter of a request that has several.
const WithHeaders = "headers"

// headers reads those of a request, and returns the other parameters. A secret that
// is named in one stays a name: see [Reveal].
func (p *parser) headers(e *draftEvent, n *node) *node {
	headers := n.Find(WithHeaders)
	if headers == nil || headers.isNull() {
		return n
	}
	rest := &node{kind: mapNode, pos: n.pos, width: n.width}
	for i, key := range n.keys {
		if n.items[i] == headers {
			e.headers = key
			continue
		}
		rest.keys, rest.items = append(rest.keys, key), append(rest.items, n.items[i])
	}
	e.Headers, e.HeaderSpots = map[string]string{}, map[string]Spot{}
	p.Pairs(headers, "headers and their values", `{Authorization: "Bearer ${secret:API_TOKEN}"}`, func(name, value *node) {
		text, ok := p.Secret(value, name.text, func(secret string) (string, bool) { return "${" + secretPrefix + secret + "}", IsVariable(secret) })
		if ok {
			e.Headers[name.text] = text
			e.HeaderSpots[name.text] = Spot{Key: name.pos, Value: value.pos, KeyWidth: name.width, ValueWidth: value.width}
		}
	})
	return rest
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
