package httpload

import (
	"encoding/json"
	"net/url"
	"strings"
)

// A value is what an expression gives.
type value struct {
	text string
	json bool // text is JSON as it is: a number, a boolean or a structure
}

// An expr is what stands in ${...}: it gives a value for each visit.
type expr func(v *visit) value

// An escape is how a value is written where it stands.
type escape int

const (
	plain     escape = iota
	inPath           // of a URL
	inQuery          // of a URL, or in a form
	inString         // within a JSON string
	jsonValue        // as JSON, with its type
)

func (e escape) write(b *strings.Builder, v value) {
	switch e {
	case inPath:
		b.WriteString(url.PathEscape(v.text))
	case inQuery:
		b.WriteString(url.QueryEscape(v.text))
	case inString:
		quoted := quote(v.text)
		b.WriteString(quoted[1 : len(quoted)-1])
	case jsonValue:
		if v.json {
			b.WriteString(v.text)
			return
		}
		b.WriteString(quote(v.text))
	default:
		b.WriteString(v.text)
	}
}

// quote writes a JSON string.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return `""` // text always has a JSON form
	}
	return string(quoted)
}

// A template is text with expressions in it.
type template struct {
	parts []part
}

// A part is literal text, or an expression.
type part struct {
	literal *strings.Builder // grows while the template is made
	expr    expr
	escape  escape
}

// literal adds text as it is.
func (t *template) literal(text string) {
	if text == "" {
		return
	}
	if n := len(t.parts); n > 0 && t.parts[n-1].expr == nil {
		t.parts[n-1].literal.WriteString(text)
		return
	}
	b := &strings.Builder{}
	b.WriteString(text)
	t.parts = append(t.parts, part{literal: b})
}

// constant adds a value that is known, written as it must be where it stands.
func (t *template) constant(v value, e escape) {
	var b strings.Builder
	e.write(&b, v)
	t.literal(b.String())
}

// expression adds one.
func (t *template) expression(x expr, e escape) {
	t.parts = append(t.parts, part{expr: x, escape: e})
}

// join adds another template.
func (t *template) join(o template) {
	for _, p := range o.parts {
		if p.expr == nil {
			t.literal(p.literal.String())
			continue
		}
		t.parts = append(t.parts, p)
	}
}

// render writes the text for a visit.
func (t template) render(v *visit) string {
	switch {
	case len(t.parts) == 0:
		return ""
	case len(t.parts) == 1 && t.parts[0].expr == nil:
		return t.parts[0].literal.String()
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.expr == nil {
			b.WriteString(p.literal.String())
			continue
		}
		p.escape.write(&b, p.expr(v))
	}
	return b.String()
}

// isConstant reports whether it is the same for every visit.
func (t template) isConstant() bool {
	return len(t.parts) == 0 || len(t.parts) == 1 && t.parts[0].expr == nil
}
