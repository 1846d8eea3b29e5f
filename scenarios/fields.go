package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scenarioFields are the keys at the top of the file.
func (p *parser) scenarioFields() []field {
	return []field{
		{key: "proofload", need: true, set: func(_, _ *node) {}}, // read before all others
		{key: "name", need: true, set: p.name(&p.sc.Name, titlePattern)},
		{key: "about", set: p.text(&p.sc.About)},
		{key: "owner", set: p.text(&p.sc.Owner)},
		{key: "tags", set: func(_, v *node) { p.list(v, "tags", p.tag) }},
		{key: "target", need: true, set: func(k, v *node) {
			p.sc.TargetPos = v.pos
			p.text(&p.sc.Target)(k, v)
		}},
		{key: "options", set: func(_, v *node) { p.options(v) }},
		{key: "seed", set: value(p, &p.sc.Seed, parseSeed)},
		{key: "load", need: true, set: func(k, v *node) {
			p.loadKey = k
			p.mapping(v, "load", p.loadFields())
		}},
		{key: "timeline", set: func(_, v *node) { p.list(v, "entries", p.event) }},
		{key: "objectives", set: func(_, v *node) { p.objectivesOf(v) }},
		{key: "verify", set: func(_, v *node) { p.list(v, "checks", p.verify) }},
		{key: "recovered", set: func(_, v *node) { p.mapping(v, "recovered", p.recoveredFields()) }},
		{key: "repeat", set: func(_, v *node) { p.mapping(v, "repeat", p.repeatFields()) }},
		{key: "abort", set: func(_, v *node) {
			p.sc.Abort = &Abort{}
			p.mapping(v, "abort", p.abortFields())
		}},
	}
}

func (p *parser) loadFields() []field {
	load := &p.sc.Load
	return []field{
		{key: "workload", need: true, set: func(k, v *node) {
			load.WorkloadPos = v.pos
			p.text(&load.Workload)(k, v)
		}},
		{key: "arrivals", set: value(p, &load.Arrivals, oneOf("even", "poisson"))},
		{key: "max_in_flight", set: value(p, &load.MaxInFlight, positive)},
		{key: "connections", set: value(p, &load.Connections, connections)},
		{key: "send_lag", set: value(p, &load.SendLag, length)},
		{key: "phases", need: true, set: func(_, v *node) { p.list(v, "phases", p.phase) }},
	}
}

func (p *parser) phaseFields(f *draftPhase) []field {
	return []field{
		{key: "name", need: true, set: func(k, v *node) {
			f.name = v
			p.name(&f.Name, namePattern)(k, v)
		}},
		{key: "for", need: true, set: value(p, &f.For, length)},
		{key: "rate", set: func(k, v *node) { p.rate(f, k, v) }},
		{key: "replay", set: func(k, v *node) { p.replay(f, k, v) }},
		{key: "users", set: func(k, v *node) { p.users(f, k, v) }},
		{key: "think", set: func(k, v *node) { p.think(f, k, v) }},
		{key: "score", set: value(p, &f.Score, truth)},
	}
}

func (p *parser) eventFields(e *draftEvent) []field {
	fields := []field{
		{key: "at", need: true, set: func(k, v *node) { p.at(e, k, v) }},
		{key: "as", set: func(k, v *node) {
			e.as, e.Named = v, true
			p.name(&e.As, namePattern)(k, v)
		}},
		{key: "for", set: func(k, v *node) {
			e.length = k
			value(p, &e.For, length)(k, v)
		}},
	}
	for _, verb := range Verbs() {
		fields = append(fields, field{key: verb.Name, set: func(k, v *node) {
			e.verbs = append(e.verbs, k)
			e.Verb, e.VerbPos, e.TargetPos, e.value = verb.Name, k.pos, v.pos, v
			p.text(&e.Target)(k, v)
		}})
	}
	return fields
}

func (p *parser) recoveredFields() []field {
	r := &p.sc.Recovered
	return []field{
		{key: "window", set: value(p, &r.Window, length)},
		{key: "good", set: value(p, &r.Good, share)},
		{key: "rate", set: value(p, &r.Rate, share)},
		{key: "within", set: value(p, &r.Within, length)},
	}
}

func (p *parser) repeatFields() []field {
	r := &p.sc.Repeat
	return []field{
		{key: "times", set: value(p, &r.Times, times)},
		{key: "jitter", set: value(p, &r.Jitter, parseDuration)},
	}
}

func (p *parser) abortFields() []field {
	a := p.sc.Abort
	return []field{
		{key: "errors", need: true, set: value(p, &a.Errors, parsePercent)},
		{key: "for", need: true, set: value(p, &a.For, length)},
	}
}

// objectiveFields are the metrics that one subject may be limited in.
func (p *parser) objectiveFields(subject *node) []field {
	var fields []field
	for _, m := range metrics() {
		fields = append(fields, field{key: m.name, set: func(k, v *node) { p.objective(subject, m, k, v) }})
	}
	return fields
}

// name makes a setter for a name that other places may refer to.
func (p *parser) name(dst *string, pattern *regexp.Regexp) func(key, value *node) {
	return func(key, value *node) {
		text, ok := p.words(value, key.text)
		if ok && !pattern.MatchString(text) {
			p.add(value, fmt.Sprintf("%q is not a name", text), "use a to z, 0 to 9 and -, and begin with a letter")
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
	if n.kind != mapNode {
		p.add(n, "want options and their values, got "+string(n.kind), "write for example {replication: async}")
		return
	}
	given := map[string]*node{}
	p.sc.Options = map[string]string{}
	for i, key := range n.keys {
		if !p.key(key, given) {
			continue
		}
		if n.items[i].isNull() {
			p.add(key, fmt.Sprintf("%q has no value", key.text), "give it one, or leave the key out")
			continue
		}
		if text, ok := p.scalar(n.items[i], key.text); ok {
			p.sc.Options[key.text] = text
		}
	}
}

func (p *parser) event(n *node) {
	e := &draftEvent{Event: Event{Pos: n.pos}}
	clean := p.mapping(n, "an entry of the timeline", p.eventFields(e))
	switch {
	case len(e.verbs) > 1:
		p.add(e.verbs[1], fmt.Sprintf("one entry cannot both %s and %s", e.verbs[0].text, e.verbs[1].text), "write an entry for each")
	case len(e.verbs) == 0 && clean:
		p.problems.Add(n.pos, 1, "this entry does nothing", "give it one of: "+strings.Join(verbNames(), ", "))
	}
	p.events = append(p.events, e)
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
			p.mapping(n.items[i], "an objective", p.objectiveFields(subject))
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
	text, ok := p.words(n, "a check")
	switch {
	case !ok:
		return
	case !slices.Contains(checkNames(), text):
		p.add(n, fmt.Sprintf("no check %q", text), DidYouMean(text, checkNames()))
		return
	case slices.ContainsFunc(p.sc.Verify, func(v Verify) bool { return v.Check == text }):
		p.add(n, text+" is asked for twice", "")
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
