package httpload

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/proofload/proofload/scenarios"
)

// The bounds of a JSON body. Aliases make a small file say very much.
const (
	maxDepth  = 64
	maxValues = 100_000 // in all bodies of a file together
)

// bodyOf returns the body of a request and its type, or nil.
func (p *parser) bodyOf(d *draft, sc *scope) (*template, string) {
	given := 0
	for _, n := range []*scenarios.Node{d.json, d.form, d.body} {
		if n == nil {
			continue
		}
		given++
		if given > 1 {
			p.Add(n, "a request has one body", "write one of json:, form: and body:")
			return nil, ""
		}
	}
	t := &template{}
	switch {
	case d.json != nil:
		p.json(t, d.json, sc, 0)
		return t, "application/json"
	case d.form != nil:
		p.pairs(t, d.form, sc, "fields and their values")
		return t, "application/x-www-form-urlencoded"
	case d.body != nil:
		if body, ok := p.template(d.body, "body", sc); ok {
			return &body, "text/plain; charset=utf-8"
		}
	}
	return nil, ""
}

// json writes a value of the file as JSON. An expression that stands alone keeps
// its type; within other text it is text.
func (p *parser) json(t *template, n *scenarios.Node, sc *scope, depth int) {
	p.values++
	switch {
	case depth > maxDepth:
		p.Add(n, fmt.Sprintf("this is nested more than %d levels deep", maxDepth), "send it as text with body:")
	case p.values > maxValues:
		if p.values == maxValues+1 {
			p.Add(n, fmt.Sprintf("the file has more than %d values to send", maxValues), "leave some out, or put them into a file of data:")
		}
	case n.IsMap():
		t.literal("{")
		for i, key := range n.Keys() {
			if i > 0 {
				t.literal(",")
			}
			t.literal(quote(key.Text()) + ":")
			p.json(t, n.Items()[i], sc, depth+1)
		}
		t.literal("}")
	case n.IsList():
		t.literal("[")
		for i, item := range n.Items() {
			if i > 0 {
				t.literal(",")
			}
			p.json(t, item, sc, depth+1)
		}
		t.literal("]")
	case !n.IsText():
		v, _ := p.constantJSON(n)
		t.literal(v)
	default:
		p.jsonText(t, n, sc)
	}
}

// jsonText writes text, with its expressions.
func (p *parser) jsonText(t *template, n *scenarios.Node, sc *scope) {
	source := n.Text()
	if inside, ok := strings.CutPrefix(source, "${"); ok && closing(inside) == len(inside)-1 {
		p.compile(t, n, sc, escaping{escape: everywhere(jsonValue)})
		return
	}
	t.literal(`"`)
	p.compile(t, n, sc, escaping{
		escape:  everywhere(inString),
		literal: func(s string) string { q := quote(s); return q[1 : len(q)-1] },
	})
	t.literal(`"`)
}

// constantJSON returns the JSON of a number, a boolean or null.
func (p *parser) constantJSON(n *scenarios.Node) (string, bool) {
	source := n.Text()
	switch low := strings.ToLower(source); {
	case low == "true", low == "false":
		return low, true
	case n.IsNull():
		return "null", true
	case json.Valid([]byte(source)):
		return source, true
	}
	if v, err := strconv.ParseInt(source, 0, 64); err == nil {
		return strconv.FormatInt(v, 10), true
	}
	if v, err := strconv.ParseFloat(source, 64); err == nil && v-v == 0 {
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	p.Add(n, source+" is no number of JSON", "quote it, if text is meant")
	return "null", false
}

// query adds query: to a path.
func (p *parser) query(t *template, n *scenarios.Node, sc *scope) {
	separator := "?"
	for _, part := range t.parts {
		if part.expr == nil && strings.Contains(part.literal.String(), "?") {
			separator = "&"
		}
	}
	var q template
	p.pairs(&q, n, sc, "parameters and their values")
	if len(q.parts) > 0 {
		t.literal(separator)
		t.join(q)
	}
}

// pairs writes what a form or a query has.
func (p *parser) pairs(t *template, n *scenarios.Node, sc *scope, what string) {
	first := true
	add := func(k, v *scenarios.Node) {
		if !v.IsScalar() {
			p.Add(v, fmt.Sprintf("want a single value for %s, got %s", k.Text(), v.Kind()), "write it several times as a list of single values, or send json:")
			return
		}
		if !first {
			t.literal("&")
		}
		first = false
		t.literal(url.QueryEscape(k.Text()) + "=")
		p.compile(t, v, sc, escaping{escape: everywhere(inQuery), literal: url.QueryEscape})
	}
	p.Pairs(n, what, "{limit: 20}", func(k, v *scenarios.Node) {
		if !v.IsList() {
			add(k, v)
			return
		}
		for _, item := range v.Items() {
			add(k, item)
		}
	})
}

// path compiles the path of a request. What stands at its beginning may be a
// path of its own; elsewhere an expression is one segment, or one parameter.
func (p *parser) path(n *scenarios.Node, sc *scope) (template, bool) {
	var t template
	if !n.IsScalar() {
		p.Add(n, "want a path, got "+n.Kind(), "write for example /v1/orders")
		return t, false
	}
	source := n.Text()
	if !strings.HasPrefix(source, "/") && !strings.HasPrefix(source, "${") {
		p.Add(n, fmt.Sprintf("%q is not a path", source), "begin with /; where the system is, its target or base: says")
		return t, false
	}
	if strings.ContainsAny(literalsOf(source), " \t\n\r\"<>\\^`{|}#") {
		p.Add(n, "a path cannot hold spaces, # and the like", "write them as %20 and so on")
		return t, false
	}
	query := queryOf(source)
	ok := p.compile(&t, n, sc, escaping{escape: func(offset int) escape {
		switch {
		case offset == 0:
			return plain
		case offset > query:
			return inQuery
		}
		return inPath
	}})
	return t, ok
}

// queryOf returns where the query of a path begins, not looking into
// expressions; its length if there is none.
func queryOf(source string) int {
	for at := 0; at < len(source); at++ {
		switch {
		case source[at] == '?':
			return at
		case strings.HasPrefix(source[at:], "${"):
			length := closing(source[at+2:])
			if length < 0 {
				return len(source)
			}
			at += 2 + length
		}
	}
	return len(source)
}

// literalsOf returns a text without its expressions.
func literalsOf(source string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(source, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		length := closing(rest)
		if length < 0 {
			return b.String() // reported elsewhere
		}
		source = rest[length+1:]
	}
}
