package httpload

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/ohler55/ojg/jp"

	"github.com/proofload/proofload/scenarios"
)

// expectFields are the keys of expect:.
func (p *parser) expectFields(s *step, sc *scope) []scenarios.Field {
	return []scenarios.Field{
		{Key: "status", Set: func(k, v *scenarios.Node) { s.expect.status = p.statuses(v, k.Text()) }},
		{Key: "within", Set: func(k, v *scenarios.Node) { s.timeout, _ = p.Duration(v, k.Text()) }},
		{Key: "rows", Set: func(k, v *scenarios.Node) { s.expect.count = p.count(k, v) }},
		{Key: "messages", Set: func(k, v *scenarios.Node) { s.expect.count = p.count(k, v) }},
		{Key: "headers", Set: func(_, v *scenarios.Node) {
			p.Pairs(v, "headers and what they are", "{Content-Type: application/json}", func(k, v *scenarios.Node) {
				if c, ok := p.condition(v, "the header "+k.Text(), sc); ok {
					c.source.header = http.CanonicalHeaderKey(k.Text())
					s.expect.headers = append(s.expect.headers, c)
				}
			})
		}},
		{Key: "body", Set: func(_, v *scenarios.Node) {
			if c, ok := p.condition(v, "the body", sc); ok {
				s.expect.body = append(s.expect.body, c)
			}
		}},
		{Key: "json", Set: func(_, v *scenarios.Node) {
			p.Pairs(v, "paths and what is there", "{$.status: accepted}", func(k, v *scenarios.Node) {
				path, wrong := parsePath(k.Text())
				if wrong != nil {
					p.Add(k, wrong.msg, wrong.hint)
					return
				}
				if c, ok := p.condition(v, k.Text(), sc); ok {
					c.source.path = path
					s.expect.json = append(s.expect.json, c)
				}
			})
		}},
	}
}

// condition reads what something must be: a value, or /a pattern/.
func (p *parser) condition(n *scenarios.Node, part string, sc *scope) (condition, bool) {
	c := condition{place: n, part: part}
	source := n.Text()
	if n.IsScalar() && len(source) > 2 && strings.HasPrefix(source, "/") && strings.HasSuffix(source, "/") {
		var ok bool
		c.match, ok = p.pattern(n, source[1:len(source)-1])
		return c, ok
	}
	t, ok := p.template(n, part, sc)
	c.equals = t
	return c, ok
}

func (p *parser) pattern(n *scenarios.Node, source string) (*regexp.Regexp, bool) {
	re, err := regexp.Compile(source)
	if err != nil {
		p.Add(n, "this is no regular expression: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "the syntax is that of Go, https://pkg.go.dev/regexp/syntax")
		return nil, false
	}
	return re, true
}

// statuses reads one status or a list of them.
func (p *parser) statuses(n *scenarios.Node, what string) statuses {
	var all statuses
	one := func(n *scenarios.Node) {
		source, ok := p.Scalar(n, what)
		if !ok {
			return
		}
		r, ok := parseStatus(source)
		if !ok {
			p.Add(n, fmt.Sprintf("%q is no status", source), "write for example 201, 2xx or 200-204")
			return
		}
		all = append(all, r)
	}
	if n.IsList() {
		p.List(n, "statuses", one)
	} else {
		one(n)
	}
	if len(all) == 0 {
		return success() // there was a problem
	}
	return all
}

// extraction reads where a value is: a JSONPath, or one of json:, header: and
// regex:.
func (p *parser) extraction(n *scenarios.Node) (extraction, bool) {
	x := extraction{place: n}
	if !n.IsMap() {
		source, ok := p.Words(n, "where it is")
		if !ok {
			return x, false
		}
		path, wrong := parsePath(source)
		if wrong != nil {
			p.Add(n, wrong.msg, wrong.hint+", or {header: Location} or {regex: 'id=(\\d+)'}")
			return x, false
		}
		x.from.path = path
		return x, true
	}
	sound := true
	clean := p.Mapping(n, "an extraction", p.sourceFields(&x, &sound))
	switch {
	case !clean || !sound:
		return x, false
	case x.from.path == nil && x.from.header == "" && x.from.match == nil:
		p.Add(n, "this says nothing of where it is", "write a JSONPath, column:, header: or regex:")
		return x, false
	case x.from.path != nil && (x.from.header != "" || x.from.match != nil):
		p.Add(n, "a value has one place", "write one of json: or column:, and header: or regex:")
		return x, false
	}
	x.place = n.Items()[0]
	return x, true
}

func (p *parser) sourceFields(x *extraction, sound *bool) []scenarios.Field {
	return []scenarios.Field{
		{Key: "json", Set: func(_, v *scenarios.Node) {
			path, wrong := parsePath(v.Text())
			if wrong != nil {
				p.Add(v, wrong.msg, wrong.hint)
				*sound = false
			}
			x.from.path = path
		}},
		{Key: "column", Set: func(k, v *scenarios.Node) {
			name, ok := p.Words(v, k.Text())
			*sound = *sound && ok
			x.from.path = jp.R().N(0).C(name)
		}},
		{Key: "header", Set: func(k, v *scenarios.Node) {
			name, ok := p.Words(v, k.Text())
			*sound = *sound && ok
			x.from.header = http.CanonicalHeaderKey(name)
		}},
		{Key: "regex", Set: func(k, v *scenarios.Node) {
			if source, ok := p.Words(v, k.Text()); ok {
				x.from.match, ok = p.pattern(v, source)
				*sound = *sound && ok
				return
			}
			*sound = false
		}},
	}
}

// ack reads how a write is acknowledged.
func (p *parser) ack(d *draft, s *step, sc *scope) {
	var key, lookup *scenarios.Node
	if !p.Mapping(d.ack, "ack", ackFields(&key, &lookup)) {
		return
	}
	changes := s.method
	if s.message != nil {
		changes = s.message.verb
	}
	if s.method != "" && (!s.writes() || s.message != nil && s.message.verb != publishVerb) {
		p.Add(d.ack, changes+" changes nothing that could be lost", "ack: belongs to a request that writes")
	}
	for _, r := range s.expect.status {
		if d.expect != nil && (r.from < 200 || r.to > 299) {
			p.Add(d.expect, "only an answer of 2xx acknowledges a write", "expect 2xx alone, or leave ack: out")
			break
		}
	}
	s.ack = &ack{place: d.ack}
	if key.IsScalar() && strings.Contains(key.Text(), "${") {
		if t, ok := p.template(key, "key", sc); ok {
			s.ack.made = &t
			s.ack.fresh = isFresh(d.set, key.Text())
		}
		if s.ack.made != nil && s.ack.made.isConstant() {
			p.Add(key, "this key is the same for every write", "use one that is made for each, for example with set: {order: \"${uuid}\"}")
		}
	} else if x, ok := p.extraction(key); ok {
		s.ack.given = &x
	}
	if lookup != nil {
		s.ack.lookup = p.lookup(lookup)
	}
}

// isFresh reports whether a key is made anew for this request alone, so that it is
// in the system only if this request has put it there.
func isFresh(set *scenarios.Node, key string) bool {
	const unique = "${uuid}"
	if strings.Contains(key, unique) {
		return true
	}
	if set == nil || !set.IsMap() {
		return false
	}
	for i, name := range set.Keys() {
		if v := set.Items()[i]; v.IsScalar() && strings.Contains(v.Text(), unique) && strings.Contains(key, "${"+name.Text()+"}") {
			return true
		}
	}
	return false
}

func ackFields(key, lookup **scenarios.Node) []scenarios.Field {
	return []scenarios.Field{
		{Key: "key", Need: true, Set: keep(key)},
		{Key: "lookup", Set: keep(lookup)},
	}
}

// lookup reads how a write is found again: a path, or more than that.
func (p *parser) lookup(n *scenarios.Node) *lookup {
	l := &lookup{place: n, found: success(), absent: statuses{{404, 404}, {410, 410}}, within: defaultSettle, login: true}
	path, own := n, (*scenarios.Node)(nil)
	if n.IsMap() {
		path = nil
		if !p.Mapping(n, "a lookup", p.lookupFields(l, &path, &own)) {
			return l
		}
		l.place = path
		if l.query != nil {
			l.place = n
			return l
		}
		if path == nil {
			p.Add(n, "this says nothing of where to look", "write get: with a path, or sql: with a statement that reads")
			return l
		}
	}
	sc := keyScope()
	if t, ok := p.path(path, sc); ok {
		l.path = t
		if t.isConstant() {
			p.Add(path, "this finds the same whatever was written", "use ${key}")
		}
	}
	if h := p.nodes.headers; h != nil {
		l.headers = p.sharedHeaders(h, sc)
	}
	if own != nil {
		l.headers = append(l.headers, p.headersOf(own, sc)...)
	}
	return l
}

// keyScope is what a lookup may speak of.
func keyScope() *scope { return &scope{locals: []string{"key"}} }

// sharedHeaders are the headers of all requests that make sense in a lookup:
// those that say the same each time.
func (p *parser) sharedHeaders(n *scenarios.Node, sc *scope) []header {
	if !n.IsMap() {
		return nil // reported with the requests
	}
	var list []header
	for i, key := range n.Keys() {
		item := n.Items()[i]
		if !item.IsScalar() {
			continue
		}
		quiet := *p
		quiet.Reader = p.Quiet()
		if t, ok := quiet.template(item, key.Text(), sc); ok && t.isConstant() {
			list = append(list, header{http.CanonicalHeaderKey(key.Text()), t})
		}
	}
	return list
}

func (p *parser) lookupFields(l *lookup, path, own **scenarios.Node) []scenarios.Field {
	return []scenarios.Field{
		{Key: "get", Set: keep(path)},
		{Key: sqlKind, Set: func(_, v *scenarios.Node) {
			if l.query = p.statementOf(v, keyScope()); l.query.write {
				p.Add(v, "a lookup changes nothing", "write read:")
			}
		}},
		{Key: "headers", Set: keep(own)},
		{Key: "status", Set: func(k, v *scenarios.Node) { l.found = p.statuses(v, k.Text()) }},
		{Key: "absent", Set: func(k, v *scenarios.Node) { l.absent = p.statuses(v, k.Text()) }},
		{Key: "count", Set: func(_, v *scenarios.Node) {
			if x, ok := p.extraction(v); ok {
				l.count = &x
			}
		}},
		{Key: "within", Set: func(k, v *scenarios.Node) { l.within, _ = p.Duration(v, k.Text()) }},
		{Key: "auth", Set: func(k, v *scenarios.Node) { l.login, _ = p.Truth(v, k.Text()) }},
	}
}
