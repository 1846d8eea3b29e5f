package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The load below which a recovery time says little: one operation is then the
// smallest step that can be seen.
const (
	slowRate  = 10 // operations per second
	shortTime = 10 * time.Second
)

// usualWindow is how long a recovery must hold before it counts, where a
// scenario does not say.
const usualWindow = 5 * time.Second

// gateOpen is how long people have to answer a gate that does not say within:.
const gateOpen = 30 * time.Minute

// comparedPhase is the least length of a phase that can be compared: twelve
// windows of five seconds.
const comparedPhase = time.Minute

// An owner is what has a name: a phase or an event.
type owner struct {
	phase *draftPhase
	event *draftEvent
	line  int
}

// lint checks what the parts of a file say about each other. What was already
// reported as wrong by itself is left out.
func (p *parser) lint() {
	p.lintPhases()
	names := p.lintNames()
	p.lintEvents()
	for _, f := range p.phases {
		p.lintUntil(f, names)
	}
	p.lintObjectives(names)
	p.lintBackups()
	p.lintRestored()
	p.lintCompare()
	if !p.judged && len(p.problems.List) == 0 {
		p.problems.Warn(Pos{1, 1}, 1, "nothing is judged", "add objectives: or verify:")
	}
}

// lintPhases checks the phases as a whole and lays them out one after another.
func (p *parser) lintPhases() {
	var total time.Duration
	for _, f := range p.phases {
		f.start = total
		p.lintPhase(f)
		total = min(total+f.For, maxDuration+1)
	}
	switch {
	case total > maxDuration:
		p.add(p.loadKey, "the phases take too long", "the longest run is 168h, a week")
	case len(p.phases) == 0 && len(p.problems.List) == 0:
		p.add(p.loadKey, "there are no phases", "write for example {name: steady, for: 1m, rate: 200/s}")
	}
}

// lintNames checks that no two phases or events share a name, gives a name to
// the events that have none, and returns who has which.
func (p *parser) lintNames() map[string]owner {
	names := map[string]owner{}
	declare := func(name string, n *node, o owner) {
		if name == "" {
			return
		}
		if first, taken := names[name]; taken {
			p.add(n, fmt.Sprintf("the name %q is taken", name), fmt.Sprintf("phases and events share their names; it is used on line %d", first.line))
			return
		}
		o.line = n.pos.Line
		names[name] = o
	}
	for _, f := range p.phases {
		declare(f.Name, f.name, owner{phase: f})
	}
	for _, e := range p.events {
		declare(e.As, e.as, owner{event: e})
	}
	count := map[string]int{}
	for _, e := range p.events {
		if e.Named || e.Verb == "" {
			continue
		}
		for taken := true; taken; {
			count[e.Verb]++
			e.As = fmt.Sprintf("%s-%d", e.Verb, count[e.Verb])
			_, taken = names[e.As]
		}
		names[e.As] = owner{event: e, line: e.Pos.Line}
	}
	return names
}

// lintEvents checks the timeline: the anchors, their order, and what ends what.
func (p *parser) lintEvents() {
	var last *draftEvent
	before := map[string]*draftEvent{}
	for _, e := range p.events {
		p.lintLength(e)
		if e.Verb == VerbHeal && e.Target != "" {
			p.lintHeal(e, before)
		}
		if e.to != nil {
			p.lintTo(e, before)
		}
		if e.As != "" {
			before[e.As] = e
		}
		if f := p.lintAnchor(e); f == nil || !p.laidOut() {
			continue
		}
		if e.Verb == VerbGate {
			p.lintGate(e)
		}
		if last != nil && p.moment(e) < p.moment(last) {
			p.add(e.at, fmt.Sprintf("out of order: %s is before %s, the entry above", p.clock(e), p.clock(last)), "put the entries in the order of time")
		}
		last = e
	}
}

// lintLength checks that for: stands beside something that can end.
func (p *parser) lintLength(e *draftEvent) {
	verb, ok := LookupVerb(e.Verb)
	if ok && !verb.Fault && e.Verb != VerbScale && e.length != nil {
		p.add(e.length, fmt.Sprintf("%q means nothing beside %q", "for", e.Verb), "only a fault lasts for a time")
	}
	if ok && !slices.Contains([]string{VerbGate, VerbExec, VerbHTTP}, e.Verb) && e.within != nil {
		p.add(e.within, fmt.Sprintf("%q means nothing beside %q", "within", e.Verb), "only a gate has to be answered, and a command or a request to be over")
	}
	if ok && !verb.Fault && e.Verb != VerbHTTP && e.Verb != VerbScale && e.with != nil {
		p.add(e.with, fmt.Sprintf("%q means nothing beside %q", "with", e.Verb), "only a fault has parameters, a request and a scale")
	}
	if e.again != nil {
		p.lintAgain(e, ok && verb.Fault)
	}
}

// lintGate checks that the load can go on while a gate is open, and that what is
// broken then stays so.
func (p *parser) lintGate(gate *draftEvent) {
	f := p.anchor(gate)
	const hint = "put the gate into a phase that has a rate, or users whose number stays as it is"
	switch {
	case f.Profile == Replay:
		p.add(gate.at, fmt.Sprintf("nothing was recorded for the time at a gate, and %s is replayed", f.Name), hint)
	case f.users != nil && f.Users.From != f.Users.To:
		p.add(gate.at, fmt.Sprintf("the number of users changes in %s, so there is none to stay at", f.Name), hint)
	}
	for _, e := range p.events[:slices.Index(p.events, gate)] {
		if e.For > 0 && p.isFault(e) && p.anchor(e) != nil && p.moment(gate) < p.moment(e)+e.Again.Last()+e.For {
			p.problems.Warn(gate.at.pos, gate.at.width, fmt.Sprintf("%s lasts %s whether this gate is open or not: it may be over before anybody answers", e.As, FormatDuration(e.For)),
				"end it with a heal: after the gate in place of its for:")
		}
	}
}

// lintAgain checks that an entry that happens again is over by then.
func (p *parser) lintAgain(e *draftEvent, fault bool) {
	a := e.Again
	switch {
	case !fault && e.Verb != "":
		p.add(e.again, fmt.Sprintf("%q means nothing beside %q", "repeat", e.Verb), "only a fault happens again")
	case a.Times == 0 || a.Every == 0:
	case e.For == 0 && e.length == nil:
		p.add(e.again, "what happens again must end before", "add for example for: 5s")
	case e.For+a.Jitter >= a.Every:
		p.add(e.again, fmt.Sprintf("one lasts %s, and the jitter of %s can make the next one begin before it is over", FormatDuration(e.For), FormatDuration(a.Jitter)),
			"write every: with more than "+FormatDuration(e.For+a.Jitter))
	}
}

// lintHeal checks that a heal names a fault that is in effect.
func (p *parser) lintHeal(e *draftEvent, before map[string]*draftEvent) {
	fault := before[e.Target]
	if fault == nil {
		var known []string
		for _, b := range p.events {
			if p.isFault(b) {
				known = append(known, b.As)
			}
		}
		p.add(e.value, fmt.Sprintf("no fault %q before this entry", e.Target), DidYouMean(e.Target, known))
		return
	}
	switch {
	case fault.Verb != "" && !p.isFault(fault):
		p.add(e.value, e.Target+" is no fault, there is nothing to heal", "name an entry that breaks something")
	case fault.For > 0 && p.laidOut() && p.anchor(fault) != nil && p.anchor(e) != nil && p.moment(fault)+fault.For <= p.moment(e) && !p.leapt(fault, e):
		p.add(e.value, fmt.Sprintf("%s is over by then, it lasts for %s", e.Target, FormatDuration(fault.For)), "leave this entry out, or the fault's for:")
	}
}

// lintAnchor checks that an entry lies in its phase, and returns the phase.
func (p *parser) lintAnchor(e *draftEvent) *draftPhase {
	if !e.anchored {
		return nil
	}
	f := p.anchor(e)
	if f == nil {
		if len(p.phases) > 0 && !p.meant(e.Phase) {
			p.problems.Add(e.at.pos, width(e.Phase), fmt.Sprintf("no phase %q", e.Phase), DidYouMean(e.Phase, p.phaseNames()))
		}
		return nil
	}
	jitter := p.sc.Repeat.Jitter
	switch {
	case f.For == 0:
		return nil
	case e.Offset >= f.For:
		p.add(e.at, fmt.Sprintf("%s is not inside %s, which lasts %s", e.at.text, f.Name, FormatDuration(f.For)), "anchor it to a later phase, or make this one longer")
	case e.Offset+e.Again.Last() >= f.For && e.Again.Times > 1:
		p.add(e.at, fmt.Sprintf("the last of them begins past the end of %s, which lasts %s", f.Name, FormatDuration(f.For)),
			fmt.Sprintf("make the phase longer than %s, or repeat it less", FormatDuration(e.Offset+e.Again.Last())))
	case e.Offset+e.Again.Last()+jitter > f.For:
		p.add(e.at, fmt.Sprintf("the jitter of %s can shift this entry past the end of %s, which lasts %s", FormatDuration(jitter), f.Name, FormatDuration(f.For)),
			fmt.Sprintf("make the phase at least %s long, or the jitter shorter", FormatDuration(e.Offset+e.Again.Last()+jitter)))
	}
	return f
}

// lintObjectives checks each subject once and each of its metrics against it.
func (p *parser) lintObjectives(names map[string]owner) {
	subjects := map[*node]owner{}
	for _, o := range p.objectives {
		named, seen := subjects[o.subject]
		if !seen {
			named = p.lintSubject(o.subject, names)
			subjects[o.subject] = named
		}
		switch {
		case named.phase != nil:
			p.lintPhaseObjective(o, named.phase)
		case named.event != nil:
			p.lintEventObjective(o, named.event)
		}
	}
}

// lintCompare warns where no phase is long enough to be compared.
func (p *parser) lintCompare() {
	if p.sc.Compare == nil {
		return
	}
	p.judged = true
	for _, f := range p.phases {
		if f.For == 0 || f.Score && f.For >= comparedPhase {
			return
		}
	}
	p.problems.Warn(p.compareKey.pos, p.compareKey.width, "no scored phase is long enough to be compared", "let one last for "+FormatDuration(comparedPhase)+" or more")
}

// lintSubject checks that what has objectives exists and can have some. It
// returns nobody if not.
func (p *parser) lintSubject(subject *node, names map[string]owner) owner {
	name, op, isOp := strings.Cut(subject.text, "/")
	named, ok := names[name]
	f := named.phase
	msg, hint := "", ""
	switch {
	case !ok && (len(p.phases) == 0 || p.meant(name)): // they were wrong as a whole, or this one's name
	case !ok:
		p.problems.Add(subject.pos, width(name), fmt.Sprintf("no phase or event %q", name), DidYouMean(name, p.names()))
	case f == nil && isOp:
		msg, hint = name+" is an event, it has no operations", "write PHASE/OPERATION, or the event alone"
	case isOp && op == "":
		msg, hint = fmt.Sprintf("%q names no operation", subject.text), "write PHASE or PHASE/OPERATION"
	case f != nil && !f.Score:
		msg, hint = name+" is not scored, so it has no objectives", "take score: false away, or these objectives"
	case f != nil && f.offersNothing():
		// Not an error: the run will say itself that it is inconclusive.
		p.problems.Warn(subject.pos, width(subject.text), name+" offers no load, so this can never be judged", "give the phase a rate")
		return named
	default:
		return named
	}
	if msg != "" {
		p.add(subject, msg, hint)
	}
	return owner{}
}

// lintPhaseObjective checks that a metric is one that phases have.
func (p *parser) lintPhaseObjective(o *draftObjective, f *draftPhase) {
	if o.Metric == "rate" && f.users != nil {
		p.add(o.key, fmt.Sprintf("nothing is offered in %s that could be missed: its users send when they have an answer", f.Name),
			"limit p99 or errors, or give the phase a rate: in place of users:")
	}
	if o.metric.event {
		p.add(o.key, fmt.Sprintf("%s is of an event, but %s is a phase", o.Metric, f.Name),
			fmt.Sprintf("a phase has %s; name an event with as: and limit that", strings.Join(metricNames(false), ", ")))
	}
}

// lintEventObjective checks that a metric is one that the event has.
func (p *parser) lintEventObjective(o *draftObjective, e *draftEvent) {
	switch {
	case !o.metric.event:
		p.add(o.key, fmt.Sprintf("%s is of a phase, but %s is an event", o.Metric, e.As), "an event has "+strings.Join(metricNames(true), ", "))
		return
	case o.metric.step && (p.isFault(e) || !p.lasts(e)):
		p.add(o.key, fmt.Sprintf("%s is of a step that takes its time, but %s is a %s", o.Metric, e.As, e.Verb), "give a start:, a heal:, a backup: or a restore: a name with as:, and limit that; a fault has an rto")
		return
	case !p.lasts(e):
		p.add(o.key, fmt.Sprintf("%s is a %s, after which nothing can be counted", e.As, e.Verb), "give the entry that does something a name with as:, and limit that")
		return
	case o.metric.fault && e.Verb != "" && !p.isFault(e) && !slices.Contains(disturbers(o.Metric), e.Verb):
		p.add(o.key, fmt.Sprintf("%s is of a fault, but %s is a %s", o.Metric, e.As, e.Verb), "give the entry that breaks something a name with as:, and limit that")
		return
	}
	if o.Metric == "rto" && o.Op != "" {
		p.lintRecoveryTime(o, e)
	}
}

// names lists the phases and events for messages.
func (p *parser) names() []string {
	names := p.phaseNames()
	for _, e := range p.events {
		names = append(names, e.As)
	}
	return names
}

// anchor returns the phase that an entry lies in.
func (p *parser) anchor(e *draftEvent) *draftPhase {
	for _, f := range p.phases {
		if e.anchored && f.Name == e.Phase {
			return f
		}
	}
	return nil
}

// laidOut reports whether it is known when every phase begins.
func (p *parser) laidOut() bool {
	for _, f := range p.phases {
		if f.For == 0 {
			return false
		}
	}
	return true
}

// moment is when an entry happens, counted from the beginning of the drill.
func (p *parser) moment(e *draftEvent) time.Duration { return p.anchor(e).start + e.Offset }

// clock says when an entry happens, for people.
func (p *parser) clock(e *draftEvent) string {
	return fmt.Sprintf("%s (%s)", e.at.text, FormatDuration(p.moment(e)))
}

// lasts reports whether an entry may do something that takes its time.
func (p *parser) lasts(e *draftEvent) bool {
	verb, ok := LookupVerb(e.Verb)
	return !ok || verb.lasts()
}

func (p *parser) isFault(e *draftEvent) bool {
	verb, ok := LookupVerb(e.Verb)
	return ok && verb.Fault
}
