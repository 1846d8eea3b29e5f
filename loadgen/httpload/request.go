package httpload

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/scenarios"
)

// methods are the keys that say what a request does.
func methods() []string {
	return []string{"get", "post", "put", "patch", "delete", "head", "options"}
}

// A draft is a request as it is written.
type draft struct {
	place, name, weight, think, set, headers, query, json, form, body *scenarios.Node
	expect, extract, ack, auth, maxBody, steps                        *scenarios.Node
	events, send, hold, session, sees, refused, limited               *scenarios.Node

	verbs []*scenarios.Node // keys
	path  *scenarios.Node
	step  *step
}

// bodyFields are the keys of what is sent.
func (d *draft) sentFields() []scenarios.Field {
	fields := []scenarios.Field{
		{Key: "headers", Set: keep(&d.headers)},
		{Key: "query", Set: keep(&d.query)},
		{Key: "json", Set: keep(&d.json)},
		{Key: "form", Set: keep(&d.form)},
		{Key: "body", Set: keep(&d.body)},
	}
	for _, m := range methods() {
		fields = append(fields, scenarios.Field{Key: m, Set: func(k, v *scenarios.Node) {
			d.verbs = append(d.verbs, k)
			d.path = v
		}})
	}
	return fields
}

// stepFields are the keys of a request within a journey.
func (d *draft) stepFields() []scenarios.Field {
	open := func(k, v *scenarios.Node) {
		d.verbs = append(d.verbs, k)
		d.path = v
	}
	return append([]scenarios.Field{
		{Key: streamKind, Set: open},
		{Key: socketKind, Set: open},
		{Key: sqlKind, Set: open},
		{Key: amqpKind, Set: open},
		{Key: "events", Set: keep(&d.events)},
		{Key: "send", Set: keep(&d.send)},
		{Key: "hold", Set: keep(&d.hold)},
		{Key: "name", Set: keep(&d.name)},
		{Key: "think", Set: keep(&d.think)},
		{Key: "set", Set: keep(&d.set)},
		{Key: "expect", Set: keep(&d.expect)},
		{Key: "extract", Set: keep(&d.extract)},
		{Key: "ack", Set: keep(&d.ack)},
		{Key: "session", Set: keep(&d.session)},
		{Key: "sees", Set: keep(&d.sees)},
		{Key: "refused", Set: keep(&d.refused)},
		{Key: "limited", Set: keep(&d.limited)},
		{Key: "auth", Set: keep(&d.auth)},
		{Key: "max_body", Set: keep(&d.maxBody)},
	}, d.sentFields()...)
}

// requestFields are the keys of an entry of requests:, which is a request or a
// journey.
func (d *draft) requestFields() []scenarios.Field {
	return append([]scenarios.Field{
		{Key: "weight", Set: keep(&d.weight)},
		{Key: "steps", Set: keep(&d.steps)},
	}, d.stepFields()...)
}

// requests reads the names and the order of all requests.
func (p *parser) requests() {
	n := p.nodes.requests
	if n == nil {
		return
	}
	p.List(n, "requests", p.request)
	if n.IsList() && len(n.Items()) == 0 {
		p.Add(n, "there are no requests", "write for example {name: home, get: /}")
	}
	for _, s := range p.file.steps {
		i := slices.IndexFunc(p.file.steps, func(o *step) bool { return o.op == s.op })
		if first := p.file.steps[i]; first != s {
			p.Add(s.place, fmt.Sprintf("the name %q is taken", s.op), fmt.Sprintf("it is used on line %d; requests and steps share their names", first.place.Pos().Line))
		}
	}
}

// request reads one entry of requests:.
func (p *parser) request(n *scenarios.Node) {
	d := &draft{place: n}
	clean := p.Mapping(n, "a request", d.requestFields())
	j := &journey{weight: 1}
	p.file.journeys = append(p.file.journeys, j)
	switch {
	case d.name != nil:
		j.name, _ = p.Name(d.name, "name")
	case clean:
		p.AddAt(n.Pos(), 1, `a request has no "name"`, "reports and objectives need it")
	}
	if d.weight != nil {
		if w, ok := p.Count(d.weight, "weight"); ok {
			j.weight = uint64(w) //nolint:gosec // from 1
		}
	}
	p.file.weight += j.weight
	if d.think != nil {
		p.Add(d.think, "a journey begins when it is due: nobody thinks before it", "think: belongs to a later step")
	}
	if d.steps == nil {
		p.addStep(j, d, d.name, j.name)
		return
	}
	for _, own := range []*scenarios.Node{d.path, d.headers, d.query, d.json, d.form, d.body, d.set, d.expect, d.extract, d.ack, d.auth, d.maxBody, d.events, d.send, d.hold, d.session, d.sees, d.refused, d.limited} {
		if own != nil {
			p.Add(own, "a journey has steps instead", "move this into the step it belongs to")
		}
	}
	p.steps(j, d.steps)
}

// steps reads the steps of a journey.
func (p *parser) steps(j *journey, n *scenarios.Node) {
	p.List(n, "steps", func(n *scenarios.Node) {
		d := &draft{place: n}
		p.Mapping(n, "a step", d.stepFields())
		op, place := fmt.Sprintf("%s-%d", j.name, len(j.steps)+1), n
		if d.name != nil {
			op, _ = p.Name(d.name, "name")
			place = d.name
		}
		if d.think != nil && len(j.steps) == 0 {
			p.Add(d.think, "a journey begins when it is due: nobody thinks before it", "think: belongs to a later step")
		}
		p.addStep(j, d, place, op)
	})
	if n.IsList() && len(n.Items()) == 0 {
		p.Add(n, "the journey has no steps", "write at least one")
	}
}

func (p *parser) addStep(j *journey, d *draft, place *scenarios.Node, op string) {
	if place == nil {
		place = d.place
	}
	d.step = &step{op: op, index: len(p.file.steps), place: place, journey: j, login: true}
	j.steps = append(j.steps, d.step)
	p.file.steps = append(p.file.steps, d.step)
	p.drafts = append(p.drafts, d)
	p.acked[op] = p.acked[op] || d.ack != nil
	if d.hold != nil {
		held := &step{op: op + "-held", index: len(p.file.steps), place: d.hold, journey: j, channel: heldKind}
		held.expect.status = success()
		held.thinkFrom, _ = p.Duration(d.hold, "hold")
		held.thinkTo = held.thinkFrom
		j.steps = append(j.steps, held)
		p.file.steps = append(p.file.steps, held)
	}
}

// compileAll understands every request, now that all names are known.
func (p *parser) compileAll() {
	if p.nodes.auth != nil {
		p.auth(p.nodes.auth)
	}
	scopes := map[*journey]*scope{}
	for _, d := range p.drafts {
		sc := scopes[d.step.journey]
		if sc == nil {
			sc = &scope{journey: d.step.journey, rows: true, recents: map[string]int{}}
			scopes[d.step.journey] = sc
		}
		sc.step = d.step
		p.compileStep(d, sc)
		d.step.journey.locals = len(sc.locals)
	}
	p.circles()
}

// compileStep understands one request.
func (p *parser) compileStep(d *draft, sc *scope) {
	s := d.step
	if d.think != nil {
		s.thinkFrom, s.thinkTo = p.think(d.think)
	}
	if d.set != nil {
		p.Pairs(d.set, "names and their values", "{order: \"${uuid}\"}", func(k, v *scenarios.Node) { p.assign(s, k, v, sc) })
	}
	s.expect.status = success()
	p.sent(d, s, sc)
	if d.expect != nil {
		p.Mapping(d.expect, "what is expected", p.expectFields(s, sc))
		p.suits(d, s)
	}
	if d.auth != nil {
		s.login, _ = p.Truth(d.auth, "auth")
	}
	for _, n := range []*scenarios.Node{p.nodes.maxBody, d.maxBody} {
		if n != nil {
			s.maxBody = p.size(n, "max_body")
		}
	}
	if d.extract != nil {
		p.Pairs(d.extract, "names and where they are", "{order: $.id}", func(k, v *scenarios.Node) {
			if x, ok := p.extraction(v); ok && p.declare(k, sc) {
				x.slot = len(sc.locals) - 1
				s.extract = append(s.extract, x)
			}
		})
	}
	if d.ack != nil {
		p.ack(d, s, sc)
	}
	if d.session != nil {
		s.session, _ = p.Truth(d.session, "session")
	}
	if d.sees != nil {
		s.sees = p.sees(d.sees, sc)
	}
	p.refusal(d, s, sc)
}

// sent understands what a request sends.
func (p *parser) sent(d *draft, s *step, sc *scope) {
	switch {
	case len(d.verbs) == 0:
		p.AddAt(d.place.Pos(), 1, quoteName(s.op)+" does nothing", "give it one of: "+strings.Join(append(methods(), streamKind, socketKind, sqlKind, amqpKind), ", "))
		return
	case len(d.verbs) > 1:
		p.Add(d.verbs[1], fmt.Sprintf("one request cannot both %s and %s", d.verbs[0].Text(), d.verbs[1].Text()), "write a request for each")
		return
	}
	s.method = strings.ToUpper(d.verbs[0].Text())
	if p.direct(d, s, sc) {
		return
	}
	p.channel(d, s, sc)
	s.path, _ = p.path(d.path, sc)
	if d.query != nil {
		p.query(&s.path, d.query, sc)
	}
	s.body, s.kind = p.bodyOf(d, sc)
	for _, n := range []*scenarios.Node{p.nodes.headers, d.headers} {
		if n != nil {
			s.headers = append(s.headers, p.headersOf(n, sc)...)
		}
	}
}

// channel understands what a step keeps open.
func (p *parser) channel(d *draft, s *step, sc *scope) {
	kind := d.verbs[0].Text()
	if kind != streamKind && kind != socketKind {
		p.closed(d)
		return
	}
	s.method, s.channel, s.events = "GET", kind, 1
	for _, n := range []*scenarios.Node{d.json, d.form, d.body} {
		if n != nil {
			p.Add(n, "nothing is sent to open a "+kind, "what a socket sends then is send:")
		}
	}
	if kind == socketKind {
		s.expect.status = statuses{{101, 101}}
	}
	if d.events != nil {
		if n, ok := p.Count(d.events, "events"); ok {
			s.events = min(n, maxEvents)
		}
	}
	if d.send == nil {
		return
	}
	if kind == streamKind {
		p.Add(d.send, "a stream of events takes no messages", "send: belongs to socket:")
	}
	p.List(d.send, "messages", func(n *scenarios.Node) {
		var t template
		if n.IsScalar() {
			t, _ = p.template(n, "a message", sc)
		} else {
			p.json(&t, n, sc, 0)
		}
		s.send = append(s.send, t)
	})
}

// maxEvents bounds how many events an answer consists of.
const maxEvents = 10_000

// assign gives a name to a value.
func (p *parser) assign(s *step, key, n *scenarios.Node, sc *scope) {
	a := assignment{}
	if n.IsScalar() && !n.IsText() {
		v, _ := p.constantJSON(n)
		a.whole = func(*visit) value { return literal(v) }
	} else {
		t, ok := p.template(n, key.Text(), sc)
		if !ok {
			return
		}
		a.value = t
		if len(t.parts) == 1 {
			a.whole = t.parts[0].expr
		}
	}
	if p.declare(key, sc) {
		a.slot = len(sc.locals) - 1
		s.set = append(s.set, a)
	}
}

// declare makes a name known to what follows.
func (p *parser) declare(key *scenarios.Node, sc *scope) bool {
	name := key.Text()
	switch {
	case !localName.MatchString(name):
		p.Add(key, fmt.Sprintf("%q is not a name", name), "use a to z, 0 to 9, - and _, and begin with a letter")
		return false
	case p.reserved(name), slices.ContainsFunc(p.file.feeds, func(f *feed) bool { return f.name == name }), slices.Contains(sc.locals, name):
		p.Add(key, fmt.Sprintf("%q already means something", name), "choose another name")
		return false
	}
	sc.locals = append(sc.locals, name)
	return true
}

var thinkRange = regexp.MustCompile(`^(\S+?) *\.\. *(\S+)$`)

// think reads 2s or 1s..3s.
func (p *parser) think(n *scenarios.Node) (from, to time.Duration) {
	source, ok := p.Words(n, "think")
	if !ok {
		return 0, 0
	}
	first, second := source, source
	if m := thinkRange.FindStringSubmatch(source); m != nil {
		first, second = m[1], m[2]
	}
	from, err := time.ParseDuration(first)
	to, err2 := time.ParseDuration(second)
	if err != nil || err2 != nil || from < 0 || to < from || to > 24*time.Hour {
		p.Add(n, fmt.Sprintf("%q is no time to think", source), "write for example 2s, or 1s..3s for anything between")
		return 0, 0
	}
	return from, to
}

// circles refuses requests that wait for each other's writes for ever. A journey
// is possible if all whose writes it asks for are.
func (p *parser) circles() {
	possible := map[*journey]bool{}
	for range p.file.journeys {
		for _, j := range p.file.journeys {
			possible[j] = !slices.ContainsFunc(j.wants, func(s *step) bool { return !possible[s.journey] })
		}
	}
	for _, j := range p.file.journeys {
		if !possible[j] {
			p.Add(j.steps[0].place, quoteName(j.name)+" asks for writes that are never made", "one request must be possible without the writes of others")
			return
		}
	}
}

func quoteName(name string) string {
	if name == "" {
		return "this request"
	}
	return name
}
