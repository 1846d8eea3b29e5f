package httpload

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/scenarios"
)

// The kinds of steps that are no requests.
const (
	sqlKind  = "sql"
	amqpKind = "amqp"
)

// An endpoint is a database or a broker that operations go to themselves.
type endpoint struct {
	name        string
	place       *scenarios.Node
	kind        string // sqlKind or amqpKind; empty where that is not known
	at          string // a URL, or the name of an endpoint of the target
	connections int    // 0: the default
}

// A statement is an operation on a database.
type statement struct {
	endpoint int // of the file
	sql      string
	args     []template // the values of its parameters
	write    bool
}

// What is done with messages.
const (
	publishVerb = "publish"
	getVerb     = "get"
	consumeVerb = "consume"
)

// A message is an operation on a broker.
type message struct {
	endpoint  int // of the file
	verb      string
	to        template // the routing key, or the queue
	exchange  template
	headers   []header
	messages  int // that are taken
	transient bool
}

// A counting says how many rows or messages an answer must have.
type counting struct {
	key      *scenarios.Node
	place    *scenarios.Node
	from, to int64
}

// endpointOf reads one of endpoints:.
func (p *parser) endpointOf(name, n *scenarios.Node) {
	e := &endpoint{name: name.Text(), place: n}
	p.file.endpoints = append(p.file.endpoints, e) // also if it is wrong, so that it is known
	at := n
	if n.IsMap() {
		at = nil
		p.Mapping(n, "an endpoint", p.endpointFields(e, &at))
	}
	if at == nil {
		return
	}
	e.place = at
	e.at = p.fixed(at, "the address").text
	switch scheme, _, _ := strings.Cut(e.at, "/"); scheme {
	case "postgres", "postgres:", "postgresql:":
		e.kind = sqlKind
	case "amqp", "amqp:":
		e.kind = amqpKind
	default:
		p.Add(at, "this is neither an endpoint of the target nor the address of a database or a broker",
			"write for example postgres/pgbouncer, amqp/rabbitmq, postgres://USER:PASSWORD@localhost:5432/NAME or amqp://USER:PASSWORD@localhost:5672/")
	}
}

func (p *parser) endpointFields(e *endpoint, at **scenarios.Node) []scenarios.Field {
	return []scenarios.Field{
		{Key: "at", Need: true, Set: keep(at)},
		{Key: "connections", Set: func(k, v *scenarios.Node) { e.connections, _ = p.Count(v, k.Text()) }},
	}
}

// on returns the index of the endpoint that a step goes to: the one it names, or
// the only one there is of its kind.
func (p *parser) on(n, place *scenarios.Node, kind string) int {
	var names []string
	only := -1
	for i, e := range p.file.endpoints {
		if e.kind == kind || e.kind == "" {
			names, only = append(names, e.name), i
		}
	}
	if n == nil {
		if len(names) != 1 {
			p.Add(place, fmt.Sprintf("this does not say which %s: it goes to", kind), "write on: with one of endpoints:"+listed(names))
			return 0
		}
		return only
	}
	name, ok := p.Words(n, "on")
	if !ok {
		return 0
	}
	i := slices.IndexFunc(p.file.endpoints, func(e *endpoint) bool { return e.name == name })
	switch {
	case i < 0:
		p.Add(n, fmt.Sprintf("there is no %q in endpoints:", name), scenarios.DidYouMean(name, names))
	case !slices.Contains(names, name):
		p.Add(n, fmt.Sprintf("%s is not for %s:", name, kind), "write on: with one of endpoints:"+listed(names))
	}
	return max(0, i)
}

func listed(names []string) string {
	if len(names) == 0 {
		return ", which has none of this kind"
	}
	return ", which has " + strings.Join(names, ", ")
}

// statementOf understands sql:.
func (p *parser) statementOf(n *scenarios.Node, sc *scope) *statement {
	st := &statement{}
	var on, read, write, args *scenarios.Node
	if !p.Mapping(n, "a statement", statementFields(&on, &read, &write, &args)) {
		return st
	}
	st.endpoint = p.on(on, n, sqlKind)
	source := read
	switch {
	case read != nil && write != nil, read == nil && write == nil:
		p.Add(n, "a statement either reads or writes", "write it as read: or as write:, so that it is known whether it may have happened when there is no answer")
		return st
	case write != nil:
		source, st.write = write, true
	}
	st.sql, _ = p.Words(source, "the statement")
	if args != nil {
		p.List(args, "values", func(n *scenarios.Node) {
			t, _ := p.template(n, "a value of args", sc)
			st.args = append(st.args, t)
		})
	}
	if most := highest(st.sql); st.sql != "" && most != len(st.args) {
		p.Add(source, fmt.Sprintf("the statement has parameters up to $%d, and args: has %d values", most, len(st.args)), "give each parameter its value")
	}
	return st
}

func statementFields(on, read, write, args **scenarios.Node) []scenarios.Field {
	return []scenarios.Field{
		{Key: "on", Set: keep(on)},
		{Key: "read", Set: keep(read)},
		{Key: "write", Set: keep(write)},
		{Key: "args", Set: keep(args)},
	}
}

// A parameter of a statement, and a text in it, in which there are none.
var (
	parameter = regexp.MustCompile(`\$(\d{1,5})`)
	quoted    = regexp.MustCompile(`'[^']*'`)
)

// highest returns the number of the last parameter of a statement.
func highest(sql string) int {
	most := 0
	for _, m := range parameter.FindAllStringSubmatch(quoted.ReplaceAllString(sql, ""), -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			most = max(most, n)
		}
	}
	return most
}

// messageOf understands amqp:.
func (p *parser) messageOf(d *draft, sc *scope) *message {
	m := &message{messages: 1}
	n := d.path
	var on, count, exchange *scenarios.Node
	var verbs, values []*scenarios.Node
	if !p.Mapping(n, "what is done with messages", p.messageFields(m, &on, &count, &exchange, &verbs, &values)) {
		return m
	}
	m.endpoint = p.on(on, n, amqpKind)
	if len(verbs) != 1 {
		p.Add(n, "one operation does one thing with messages", "give it one of publish: KEY, get: QUEUE and consume: QUEUE")
		return m
	}
	m.verb = verbs[0].Text()
	m.to, _ = p.template(values[0], m.verb, sc)
	publishes := m.verb == publishVerb
	for _, own := range []struct {
		node *scenarios.Node
		is   bool // of what publishes
	}{{exchange, true}, {count, false}, {d.json, true}, {d.body, true}, {d.headers, true}} {
		if own.node != nil && own.is != publishes {
			p.Add(own.node, "this means nothing to "+m.verb, "leave it out")
		}
	}
	if exchange != nil {
		m.exchange, _ = p.template(exchange, "exchange", sc)
	}
	if d.headers != nil {
		p.Pairs(d.headers, "headers and their values", "{tenant: acme}", func(k, v *scenarios.Node) {
			if t, ok := p.template(v, k.Text(), sc); ok {
				m.headers = append(m.headers, header{k.Text(), t})
			}
		})
	}
	return m
}

func (p *parser) messageFields(m *message, on, count, exchange **scenarios.Node, verbs, values *[]*scenarios.Node) []scenarios.Field {
	fields := []scenarios.Field{
		{Key: "on", Set: keep(on)},
		{Key: "exchange", Set: keep(exchange)},
		{Key: "messages", Set: func(k, v *scenarios.Node) {
			*count = v
			if n, ok := p.Count(v, k.Text()); ok {
				m.messages = min(n, maxEvents)
			}
		}},
		{Key: "transient", Set: func(k, v *scenarios.Node) { m.transient, _ = p.Truth(v, k.Text()) }},
	}
	for _, verb := range []string{publishVerb, getVerb, consumeVerb} {
		fields = append(fields, scenarios.Field{Key: verb, Set: func(k, v *scenarios.Node) {
			*verbs, *values = append(*verbs, k), append(*values, v)
		}})
	}
	return fields
}

// direct understands a step that is no request. It reports whether it is one.
func (p *parser) direct(d *draft, s *step, sc *scope) bool {
	kind := d.verbs[0].Text()
	unused := []*scenarios.Node{d.query, d.form, d.auth}
	switch kind {
	case sqlKind:
		s.statement = p.statementOf(d.path, sc)
		unused = append(unused, d.json, d.body, d.headers)
	case amqpKind:
		s.message = p.messageOf(d, sc)
		s.body, s.kind = p.bodyOf(d, sc)
	default:
		return false
	}
	p.closed(d)
	s.login = false
	for _, n := range unused {
		if n != nil {
			p.Add(n, "this means nothing to "+kind+":", "leave it out")
		}
	}
	return true
}

// closed refuses what only makes sense of a connection that is kept.
func (p *parser) closed(d *draft) {
	for _, n := range []*scenarios.Node{d.events, d.send, d.hold} {
		if n != nil {
			p.Add(n, "a plain request keeps nothing open", "this belongs to stream: and socket:")
		}
	}
}

// count reads how many rows or messages are expected: 1, or 1-10.
func (p *parser) count(k, n *scenarios.Node) *counting {
	source, ok := p.Scalar(n, k.Text())
	if !ok {
		return nil
	}
	first, last, isRange := strings.Cut(source, "-")
	if !isRange {
		last = first
	}
	from, err := strconv.ParseInt(strings.TrimSpace(first), 10, 32)
	to, err2 := strconv.ParseInt(strings.TrimSpace(last), 10, 32)
	if err != nil || err2 != nil || from < 0 || to < from {
		p.Add(n, fmt.Sprintf("%q is no number of %s", source, k.Text()), "write for example 1, or 0-10")
		return nil
	}
	return &counting{key: k, place: n, from: from, to: to}
}

// suits checks that what is expected can be expected of such a step.
func (p *parser) suits(d *draft, s *step) {
	owner := map[string]*bool{}
	sql, amqp, plain := s.statement != nil, s.message != nil, s.statement == nil && s.message == nil
	takes := amqp && s.message.verb != publishVerb
	owner["rows"], owner["messages"], owner["status"] = &sql, &takes, &plain
	owner["headers"], owner["body"] = &plain, &plain
	if takes {
		owner["headers"], owner["body"] = &takes, &takes
	}
	if amqp && !takes {
		owner["json"] = &sql
	}
	for _, k := range d.expect.Keys() {
		if fits := owner[k.Text()]; fits != nil && !*fits {
			p.Add(k, k.Text()+" means nothing to such an operation", "rows: is of sql:, messages: of what takes messages, status: of a request")
		}
	}
}

// Check reports the endpoints that the file wants of the target, which has
// those. No target is the empty name. The error is *[scenarios.Problems].
func (f *File) Check(target string, endpoints []string) error {
	problems := &scenarios.Problems{File: f.Path, Source: f.Source}
	for _, e := range f.endpoints {
		msg, mend := target+" has no endpoint "+e.at, scenarios.DidYouMean(e.at, endpoints)
		switch {
		case e.isURL(), slices.Contains(endpoints, e.at):
			continue
		case target == "":
			msg, mend = e.at+" is an endpoint of a target, and none is given", "give --target stack/NAME, or write an address on this machine"
		case mend == "":
			mend = "it has none: write an address on this machine"
		}
		problems.Add(e.place.Pos(), e.place.Width(), msg, mend)
	}
	return problems.Err()
}

// CheckDirect reports what goes to the target over HTTP, for one that speaks
// none.
func (f *File) CheckDirect(target string) error {
	problems := &scenarios.Problems{File: f.Path, Source: f.Source}
	add := func(place *scenarios.Node, what string) {
		problems.Add(place.Pos(), place.Width(), target+" speaks no HTTP, and "+what+" does", "give a target that is the address of a web system, http://HOST:PORT")
	}
	if f.auth != nil {
		add(f.auth.place, "auth:")
	}
	for _, s := range f.sums {
		add(s.place, "sums:")
	}
	for _, s := range f.steps {
		if s.statement == nil && s.message == nil {
			add(s.place, s.op)
		}
		if s.ack != nil && s.ack.lookup != nil && s.ack.lookup.query == nil {
			add(s.ack.lookup.place, "the lookup of "+s.op)
		}
	}
	return problems.Err()
}

// isURL reports whether an endpoint is an address, and not one of the target's.
func (e *endpoint) isURL() bool { return strings.Contains(e.at, "://") }
