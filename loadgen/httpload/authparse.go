package httpload

import (
	"strings"

	"github.com/proofload/proofload/scenarios"
)

// An authDraft is a login or a refresh as it is written.
type authDraft struct {
	draft

	token, expires, refresh, header, clients *scenarios.Node
}

// exchangeFields are the keys of a request for a token.
func (d *authDraft) exchangeFields() []scenarios.Field {
	return append([]scenarios.Field{
		{Key: "token", Set: keep(&d.token)},
		{Key: "expires", Set: keep(&d.expires)},
		{Key: "extract", Set: keep(&d.extract)},
	}, d.sentFields()...)
}

// authFields are the keys of auth:.
func (d *authDraft) authFields() []scenarios.Field {
	return append([]scenarios.Field{
		{Key: "clients", Set: keep(&d.clients)},
		{Key: "header", Set: keep(&d.header)},
		{Key: "refresh", Set: keep(&d.refresh)},
	}, d.exchangeFields()...)
}

// defaultHeader is what carries a token.
const defaultHeader = "Authorization: Bearer ${token}"

// auth reads how clients log in.
func (p *parser) auth(n *scenarios.Node) {
	d := &authDraft{}
	d.place = n
	clean := p.Mapping(n, "auth", d.authFields())
	a := &auth{place: n, clients: 1}
	p.file.auth = a
	if d.clients != nil {
		if c, ok := p.Count(d.clients, "clients"); ok {
			a.clients = c
		}
	}
	sc := &scope{locals: []string{"token"}, rows: true}
	if d.token == nil && clean {
		p.AddAt(n.Pos(), 1, `auth has no "token"`, "say where the token is in the answer, for example $.access_token")
		return
	}
	a.login = p.exchange(d, sc)
	if d.refresh != nil {
		r := &authDraft{}
		r.place = d.refresh
		p.Mapping(d.refresh, "refresh", r.exchangeFields())
		a.refresh = p.exchange(r, sc)
		if a.refresh.token == nil {
			a.refresh.token = a.login.token
		}
		if r.expires == nil {
			a.refresh.expires, a.refresh.lasts = a.login.expires, a.login.lasts
		}
	}
	p.authHeader(a, d.header, sc)
	a.locals = len(sc.locals)
}

// exchange understands a request for a token.
func (p *parser) exchange(d *authDraft, sc *scope) *exchange {
	x := &exchange{place: d.place}
	switch {
	case len(d.verbs) != 1:
		p.AddAt(d.place.Pos(), 1, "a login is one request", "give it one of: "+strings.Join(methods(), ", "))
	case d.path.IsScalar() && (strings.HasPrefix(d.path.Text(), "http://") || strings.HasPrefix(d.path.Text(), "https://")):
		x.path, _ = p.template(d.path, "address", sc)
	default:
		x.path, _ = p.path(d.path, sc)
	}
	if len(d.verbs) > 0 {
		x.place = d.path
		x.method = strings.ToUpper(d.verbs[0].Text())
	}
	if d.query != nil {
		p.query(&x.path, d.query, sc)
	}
	x.body, x.kind = p.bodyOf(&d.draft, sc)
	if d.headers != nil {
		x.headers = p.headersOf(d.headers, sc)
	}
	if d.token != nil {
		if e, ok := p.extraction(d.token); ok {
			x.token = &e
		}
	}
	if d.expires != nil {
		p.expires(x, d.expires)
	}
	if d.extract != nil {
		p.Pairs(d.extract, "names and where they are", "{refresh_token: $.refresh_token}", func(k, v *scenarios.Node) {
			if e, ok := p.extraction(v); ok && p.declareAgain(k, sc, &e) {
				x.extract = append(x.extract, e)
			}
		})
	}
	return x
}

// declareAgain makes a name known; a refresh may give the names of its login new
// values.
func (p *parser) declareAgain(key *scenarios.Node, sc *scope, x *extraction) bool {
	for slot, name := range sc.locals {
		if name == key.Text() && slot != tokenSlot {
			x.slot = slot
			return true
		}
	}
	ok := p.declare(key, sc)
	x.slot = len(sc.locals) - 1
	return ok
}

// expires reads when a token expires: after a time, or as the answer says in
// seconds.
func (p *parser) expires(x *exchange, n *scenarios.Node) {
	if n.IsScalar() && !strings.HasPrefix(n.Text(), "$") {
		x.lasts, _ = p.Duration(n, "expires")
		return
	}
	if e, ok := p.extraction(n); ok {
		x.expires = &e
	}
}

// authHeader reads what carries the token.
func (p *parser) authHeader(a *auth, n *scenarios.Node, sc *scope) {
	if n == nil {
		a.header = "Authorization"
		a.value.literal("Bearer ")
		a.value.expression(func(v *visit) value { return v.locals[tokenSlot] }, plain)
		return
	}
	name, _, found := strings.Cut(n.Text(), ":")
	t, ok := p.template(n, "header", sc)
	switch {
	case !ok:
		return
	case !found || !headerName.MatchString(name) || t.isConstant():
		p.Add(n, "this is no header with the token", "write for example \""+defaultHeader+"\"")
		return
	}
	a.header = name
	a.value = t.without(name + ":")
}

// without returns the template without what it begins with, and spaces.
func (t template) without(prefix string) template {
	var rest template
	rest.literal(strings.TrimLeft(strings.TrimPrefix(t.parts[0].literal.String(), prefix), " "))
	rest.join(template{parts: t.parts[1:]})
	return rest
}
