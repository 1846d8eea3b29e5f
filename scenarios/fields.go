package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
)

// scenarioFields are the keys at the top of the file.
func (p *parser) scenarioFields() []Field {
	return []Field{
		{Key: "proofload", Need: true, Set: func(_, _ *node) {}}, // read before all others
		{Key: "name", Need: true, Set: p.name(&p.sc.Name, titlePattern, titleHint)},
		{Key: "about", Set: p.text(&p.sc.About)},
		{Key: "owner", Set: p.text(&p.sc.Owner)},
		{Key: "tags", Set: func(_, v *node) { p.list(v, "tags", p.tag) }},
		{Key: "vars", Set: func(_, _ *node) {}}, // read before what uses them
		{Key: "target", Need: true, Set: func(k, v *node) {
			p.sc.TargetPos, p.sc.TargetWidth = v.pos, v.width
			p.text(&p.sc.Target)(k, v)
		}},
		{Key: "options", Set: func(_, v *node) { p.options(v) }},
		{Key: "seed", Set: func(k, v *node) {
			p.sc.SeedPos = v.pos
			value(p, &p.sc.Seed, parseSeed)(k, v)
		}},
		{Key: "load", Need: true, Set: func(k, v *node) {
			p.loadKey = k
			p.Mapping(v, "load", p.loadFields())
		}},
		{Key: "timeline", Set: func(_, v *node) { p.list(v, "entries", p.event) }},
		{Key: "objectives", Set: func(_, v *node) { p.objectivesOf(v) }},
		{Key: "verify", Set: func(_, v *node) { p.list(v, "checks", p.verify) }},
		{Key: "bounds", Set: func(_, v *node) { p.Mapping(v, "bounds", p.boundsFields()) }},
		{Key: "recovered", Set: func(_, v *node) { p.Mapping(v, "recovered", p.recoveredFields()) }},
		{Key: "repeat", Set: func(_, v *node) { p.Mapping(v, "repeat", p.repeatFields()) }},
		{Key: "compare", Set: func(k, v *node) {
			p.sc.Compare, p.compareKey = &Compare{Pos: k.pos, WorseBy: map[string]float64{}}, k
			p.Mapping(v, "compare", p.compareFields())
		}},
		{Key: "abort", Set: func(_, v *node) {
			p.sc.Abort = &Abort{Errors: 100}
			if p.Mapping(v, "abort", p.abortFields()) && v.Find("errors") == nil && v.Find("p99") == nil {
				p.add(v, "abort has no condition", "add for example errors: 25% or p99: 5s")
			}
		}},
	}
}

func (p *parser) loadFields() []Field {
	load := &p.sc.Load
	return []Field{
		{Key: "workload", Need: true, Set: func(k, v *node) {
			load.WorkloadPos = v.pos
			p.text(&load.Workload)(k, v)
		}},
		{Key: "arrivals", Set: value(p, &load.Arrivals, oneOf("even", "poisson"))},
		{Key: "max_in_flight", Set: value(p, &load.MaxInFlight, positive)},
		{Key: "protocol", Set: value(p, &load.Client.Protocol, oneOf("http/1.1", "http/2"))},
		{Key: "connections", Set: value(p, &load.Client.Connections, connections)},
		{Key: "tls", Set: func(_, v *node) { p.tls(v) }},
		{Key: "resolve", Set: value(p, &load.Client.Resolve, length)},
		{Key: "timeouts", Set: func(_, v *node) { p.Mapping(v, "timeouts", p.timeoutFields()) }},
		{Key: "send_lag", Set: value(p, &load.SendLag, length)},
		{Key: "phases", Need: true, Set: func(_, v *node) { p.list(v, "phases", p.phase) }},
	}
}

func (p *parser) phaseFields(f *draftPhase) []Field {
	return []Field{
		{Key: "name", Need: true, Set: func(k, v *node) {
			f.name = v
			p.name(&f.Name, namePattern, nameHint)(k, v)
		}},
		{Key: "for", Need: true, Set: value(p, &f.For, length)},
		{Key: "until", Set: func(k, v *node) { p.until(f, k, v) }},
		{Key: "rate", Set: func(k, v *node) { p.rate(f, k, v) }},
		{Key: "replay", Set: func(k, v *node) { p.replay(f, k, v) }},
		{Key: "users", Set: func(k, v *node) { p.users(f, k, v) }},
		{Key: "think", Set: func(k, v *node) { p.think(f, k, v) }},
		{Key: "score", Set: value(p, &f.Score, truth)},
	}
}

func (p *parser) eventFields(e *draftEvent) []Field {
	fields := []Field{
		{Key: "at", Need: true, Set: func(k, v *node) { p.at(e, k, v) }},
		{Key: "as", Set: func(k, v *node) {
			e.as, e.Named = v, true
			p.name(&e.As, namePattern, nameHint)(k, v)
		}},
		{Key: "for", Set: func(k, v *node) {
			e.length = k
			value(p, &e.For, length)(k, v)
		}},
	}
	fields = append(fields,
		Field{Key: "within", Set: func(k, v *node) {
			e.within = k
			value(p, &e.For, length)(k, v)
		}},
		Field{Key: "to", Set: func(k, v *node) { p.to(e, k, v) }},
		Field{Key: "with", Set: func(k, v *node) { p.with(e, k, v) }},
		Field{Key: "repeat", Set: func(k, v *node) {
			e.again = k
			p.Mapping(v, "repeat", p.againFields(&e.Again))
		}},
		Field{Key: "on", Set: func(k, v *node) { p.on(e, k, v) }},
	)
	for _, verb := range Verbs() {
		fields = append(fields, Field{Key: verb.Name, Set: func(k, v *node) { p.does(e, verb, k, v) }})
	}
	return fields
}

func (p *parser) boundsFields() []Field {
	b := &p.sc.Bounds
	return []Field{
		{Key: "stale", Set: value(p, &b.Stale, length)},
		{Key: "answer", Set: value(p, &b.Answer, length)},
		{Key: "return", Set: value(p, &b.Return, length)},
		{Key: "amplification", Set: value(p, &b.Amplification, positive)},
	}
}

func (p *parser) recoveredFields() []Field {
	r := &p.sc.Recovered
	return []Field{
		{Key: "window", Set: value(p, &r.Window, length)},
		{Key: "good", Set: value(p, &r.Good, share)},
		{Key: "rate", Set: value(p, &r.Rate, share)},
		{Key: "within", Set: value(p, &r.Within, length)},
	}
}

func (p *parser) repeatFields() []Field {
	r := &p.sc.Repeat
	return []Field{
		{Key: "times", Set: func(k, v *node) {
			p.sc.RepeatPos = v.pos
			value(p, &r.Times, times)(k, v)
		}},
		{Key: "jitter", Set: value(p, &r.Jitter, parseDuration)},
	}
}

// againFields are the keys of the repeat: of an entry.
func (p *parser) againFields(a *Again) []Field {
	return []Field{
		{Key: "times", Need: true, Set: value(p, &a.Times, times)},
		{Key: "every", Need: true, Set: value(p, &a.Every, length)},
		{Key: "jitter", Set: value(p, &a.Jitter, parseDuration)},
	}
}

func (p *parser) compareFields() []Field {
	c := p.sc.Compare
	return []Field{
		{Key: "to", Need: true, Set: value(p, &c.To, baseline)},
		{Key: "worse_by", Need: true, Set: func(k, v *node) {
			if p.Mapping(v, "worse_by", p.worseFields()) && len(c.WorseBy) == 0 {
				p.add(k, "worse_by limits nothing", "write for example {p99: 20%, errors: 0.1%}")
			}
		}},
	}
}

// worseFields are the metrics that runs are compared by.
func (p *parser) worseFields() []Field {
	var fields []Field
	for _, name := range compared() {
		fields = append(fields, Field{Key: name, Set: func(k, v *node) {
			var by float64
			value(p, &by, parsePercent)(k, v)
			p.sc.Compare.WorseBy[name] = by
		}})
	}
	return fields
}

func (p *parser) abortFields() []Field {
	a := p.sc.Abort
	return []Field{
		{Key: "errors", Set: value(p, &a.Errors, parsePercent)},
		{Key: "p99", Set: value(p, &a.P99, length)},
		{Key: "for", Need: true, Set: value(p, &a.For, length)},
	}
}

// objectiveFields are the metrics that one subject may be limited in.
func (p *parser) objectiveFields(subject *node) []Field {
	var fields []Field
	for _, m := range metrics() {
		fields = append(fields, Field{Key: m.name, Set: func(k, v *node) { p.objective(subject, m, k, v) }})
	}
	return fields
}

// name makes a setter for a name that other places may refer to.
func (p *parser) name(dst *string, pattern *regexp.Regexp, hint string) func(key, value *node) {
	return func(key, value *node) {
		text, ok := p.words(value, key.text)
		if ok && !pattern.MatchString(text) {
			if pattern == namePattern {
				p.misnamed = append(p.misnamed, text)
			}
			p.add(value, fmt.Sprintf("%q is not a name", text), hint)
			return
		}
		*dst = text
	}
}

func (p *parser) tag(n *node) {
	if text, ok := p.words(n, "a tag"); ok {
		p.sc.Tags = append(p.sc.Tags, text)
	}
}

// options reads the options of the target, which only the target understands.
func (p *parser) options(n *node) {
	p.sc.OptionsPos = n.pos
	p.sc.Options, p.sc.OptionSpots = p.texts(n, "options", "{replication: async}")
}

// spotOf is where a key and its value are.
func spotOf(key, value *node) Spot {
	return Spot{Key: key.pos, Value: value.pos, KeyWidth: key.width, ValueWidth: value.width}
}

// texts reads a mapping of which only others understand the keys and values, and
// where these are.
func (p *parser) texts(n *node, what, example string) (map[string]string, map[string]Spot) {
	if n.kind != mapNode {
		p.add(n, "want "+what+" and their values, got "+string(n.kind), "write for example "+example)
		return nil, nil
	}
	given := map[string]*node{}
	read, spots := map[string]string{}, map[string]Spot{}
	for i, key := range n.keys {
		if !p.key(key, given) {
			continue
		}
		if n.items[i].isNull() {
			p.add(key, fmt.Sprintf("%q has no value", key.text), "give it one, or leave the key out")
			continue
		}
		if text, ok := p.scalar(n.items[i], key.text); ok {
			value := n.items[i]
			read[key.text], spots[key.text] = text, spotOf(key, value)
		}
	}
	return read, spots
}

func (p *parser) event(n *node) {
	e := &draftEvent{Event: Event{Pos: n.pos}}
	before := len(p.problems.List)
	clean := p.mapping(n, "an entry of the timeline", p.eventFields(e), guessOf(n))
	switch {
	case len(e.verbs) > 1:
		p.add(e.verbs[1], fmt.Sprintf("one entry cannot both %s and %s", e.verbs[0].text, e.verbs[1].text), "write an entry for each")
	case len(e.verbs) == 0 && clean:
		p.problems.Add(n.pos, 1, "this entry does nothing", sayEntry)
	}
	if e.Verb == VerbMark && e.Target != "" {
		p.mark(e)
	}
	if e.Verb == VerbGate && e.within == nil {
		e.For = gateOpen
	}
	p.parameters(e)
	p.statement(e)
	p.scale(e)
	e.malformed = len(p.problems.List) > before
	p.events = append(p.events, e)
}

// mark gives an entry that marks a moment the name that it is.
func (p *parser) mark(e *draftEvent) {
	switch {
	case e.as != nil:
		p.add(e.as, "a mark has a name already", "leave as: out")
	case !namePattern.MatchString(e.Target):
		p.misnamed = append(p.misnamed, e.Target)
		p.add(e.value, fmt.Sprintf("%q is not a name", e.Target), nameHint)
	default:
		e.as, e.As, e.Named = e.value, e.Target, true
	}
}

func (p *parser) at(e *draftEvent, key, n *node) {
	e.at = n
	text, ok := p.words(n, key.text)
	if !ok {
		return
	}
	phase, offset, wrong := parseAt(text)
	if wrong != nil {
		p.add(n, wrong.msg, wrong.hint)
		return
	}
	e.Phase, e.Offset, e.anchored = phase, offset, true
}

// objectivesOf reads all objectives, which are keyed by their subject.
func (p *parser) objectivesOf(n *node) {
	if n.kind != mapNode {
		p.add(n, "want objectives by phase or event, got "+string(n.kind), "write for example steady: {p99: 250ms}")
		return
	}
	given := map[string]*node{}
	for i, subject := range n.keys {
		switch {
		case !p.key(subject, given):
		case n.items[i].isNull():
			p.add(subject, fmt.Sprintf("%q has no objective", subject.text), "write for example {p99: 250ms}, or leave it out")
		default:
			p.Mapping(n.items[i], "an objective", p.objectiveFields(subject))
		}
	}
}

func (p *parser) objective(subject *node, m metric, key, n *node) {
	p.judged = true
	o := &draftObjective{
		Objective: Objective{Subject: subject.text, Metric: m.name, Pos: n.pos, SubjectPos: subject.pos},
		subject:   subject, key: key, value: n, metric: m,
	}
	p.objectives = append(p.objectives, o)
	text, ok := p.scalar(n, key.text)
	if !ok {
		return
	}
	op, limit, wrong := m.limit(text)
	if wrong != nil {
		p.add(n, wrong.msg, wrong.hint)
		return
	}
	o.Op, o.Limit, o.Text = op, limit, text
}

func (p *parser) verify(n *node) {
	p.judged = true
	if n.kind == mapNode {
		p.query(n)
		return
	}
	text, ok := p.words(n, "a check")
	switch {
	case !ok:
		return
	case !slices.Contains(checkNames(), text):
		p.add(n, fmt.Sprintf("no check %q", text), DidYouMean(text, checkNames()))
		return
	case slices.ContainsFunc(p.sc.Verify, func(v Verify) bool { return v.Check == text }):
		p.add(n, text+" is asked for twice", "take one of them away")
		return
	}
	p.sc.Verify = append(p.sc.Verify, Verify{Check: text, Pos: n.pos})
}

// times reads how many drills there are to be.
func times(text string) (int, *mistake) {
	n, wrong := positive(text)
	if wrong == nil && n > 1000 {
		return 0, &mistake{text + " drills are too many", "write 1 to 1000"}
	}
	return n, wrong
}

// parseSeed reads a seed, which 0 would leave open.
func parseSeed(text string) (uint64, *mistake) {
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil || v == 0 {
		return 0, &mistake{fmt.Sprintf("%q is not a seed", text), fmt.Sprintf("write a whole number from 1 to %d", uint64(math.MaxUint64))}
	}
	return v, nil
}
