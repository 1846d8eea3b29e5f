package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// requestPattern is a method and the rest of an address behind the host.
var requestPattern = regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*$`)

// The parameters of a request, and what it is answered with.
const (
	WithBody   = "body"
	WithType   = "type"   // of the body
	WithStatus = "status" // of the answer; without it any of 2xx
)

// on reads which component an entry is for whose verb has another value.
func (p *parser) on(e *draftEvent, key, n *node) {
	e.on, e.place = key, n
	p.text(&e.where)(key, n)
}

// statement has an entry with a statement, a command or a request act on the
// component that it names beside it, and checks that no other entry names one.
func (p *parser) statement(e *draftEvent) {
	verb, ok := LookupVerb(e.Verb)
	does := verb.does()
	switch {
	case does && e.on == nil && verb.Takes != TakesRequest:
		p.add(e.verbs[0], fmt.Sprintf("it is not said where the %s is carried out", verb.Takes), "add for example on: "+verb.example())
	case does && e.on == nil: // the target as a whole
		e.Statement = e.Target
	case does:
		e.Statement, e.Target, e.TargetPos = e.Target, e.where, e.place.pos
		e.Somewhere = true
	case ok && e.on != nil:
		p.add(e.on, fmt.Sprintf("%q means nothing beside %q", "on", e.Verb), "only a statement, a command or a request says beside itself where it is carried out")
	}
	if verb.Takes == TakesRequest {
		p.request(e)
	} else if e.headers != nil {
		p.add(e.headers, fmt.Sprintf("%q has no headers", e.Verb), "only a request has: http: GET /PATH")
	}
}

// request checks what a request says.
func (p *parser) request(e *draftEvent) {
	if e.Statement != "" && !requestPattern.MatchString(e.Statement) {
		p.add(e.value, fmt.Sprintf("%q is not a request", e.Statement), "write a method and a path, for example POST /admin/cache/flush")
	}
	if e.withNode == nil || e.withNode.kind != mapNode {
		return
	}
	known := []string{WithBody, WithType, WithStatus, WithHeaders}
	for i, key := range e.withNode.keys {
		if !slices.Contains(known, key.text) {
			p.add(key, fmt.Sprintf("a request has no %q", key.text), DidYouMean(key.text, known))
		}
		if key.text != WithStatus || e.With[WithStatus] == "" {
			continue
		}
		if status, err := strconv.Atoi(e.With[WithStatus]); err != nil || status < 100 || status > 599 {
			p.add(e.withNode.items[i], fmt.Sprintf("%q is not a status", e.With[WithStatus]), "write for example 204")
		}
	}
}
