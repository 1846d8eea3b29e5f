package scenarios

import (
	"fmt"
	"slices"
	"time"
)

// loads are the keys of which each phase has exactly one.
func loads() []string { return []string{"rate", "replay", "users"} }

func (p *parser) phase(n *node) {
	f := &draftPhase{Phase: Phase{Pos: n.pos, Score: true}}
	p.Mapping(n, "a phase", p.phaseFields(f))
	p.phases = append(p.phases, f)
	if n.kind != mapNode {
		return
	}
	var given []*node
	for _, key := range n.keys {
		if slices.Contains(loads(), key.text) || f.misspelt(key, p) {
			given = append(given, key)
		}
	}
	switch {
	case len(given) == 0:
		p.problems.Add(n.pos, 1, `a phase has no "rate"`, "add for example rate: 200/s, or replay: or users:")
	case len(given) > 1:
		p.add(given[1], fmt.Sprintf("one phase cannot have both %s and %s", given[0].text, given[1].text), "write a phase for each")
	case f.think != nil && f.users == nil && given[0].text != "users":
		p.add(f.think, "think means nothing without users", fmt.Sprintf("operations of %s: do not wait for anything; write users: for clients that do", given[0].text))
	}
}

// misspelt reports whether an unknown key was meant as one of the loads.
func (f *draftPhase) misspelt(key *node, p *parser) bool {
	known := fieldKeys(p.phaseFields(f))
	return !slices.Contains(known, key.text) && slices.Contains(loads(), Closest(key.text, known))
}

func (p *parser) rate(f *draftPhase, key, n *node) {
	var r rate
	if !parsed(p, &r, key, n, parseRate) {
		return
	}
	f.rate, f.Profile, f.From, f.To = n, r.profile, r.from, r.to
	f.Steps, f.SpikeAt, f.SpikeFor, f.Period = r.steps, r.spikeAt, r.spikeFor, r.period
}

func (p *parser) replay(f *draftPhase, key, n *node) {
	f.Profile, f.ReplayPos, f.replay = Replay, n.pos, n
	p.text(&f.Replay)(key, n)
}

func (p *parser) users(f *draftPhase, key, n *node) {
	var s span[int]
	if !parsed(p, &s, key, n, parseUsers) {
		return
	}
	f.users, f.Profile, f.Users.From, f.Users.To = n, Closed, s.from, s.to
}

func (p *parser) think(f *draftPhase, key, n *node) {
	f.think = key
	var s span[time.Duration]
	if parsed(p, &s, key, n, parseThink) {
		f.Users.ThinkLeast, f.Users.ThinkMost = s.from, s.to
	}
}

// parsed is value at once. It reports whether there is one.
func parsed[T any](p *parser, dst *T, key, n *node, parse func(string) (T, *mistake)) bool {
	ok := false
	value(p, dst, func(text string) (v T, wrong *mistake) {
		v, wrong = parse(text)
		ok = wrong == nil
		return v, wrong
	})(key, n)
	return ok
}

// lintPhase checks what a phase says of itself.
func (p *parser) lintPhase(f *draftPhase) {
	if end := f.SpikeAt + f.SpikeFor; f.Profile == Spike && f.For > 0 && end > f.For {
		p.add(f.rate, fmt.Sprintf("the spike ends %s after the start of %s, which lasts %s", FormatDuration(end), f.Name, FormatDuration(f.For)),
			"make the phase longer, or the spike earlier or shorter")
	}
	if f.Profile == Sine && f.For > 0 && f.Period > f.For {
		p.problems.Warn(f.rate.pos, f.rate.width, fmt.Sprintf("one oscillation takes %s, but %s lasts %s", FormatDuration(f.Period), f.Name, FormatDuration(f.For)),
			"make the phase longer, or the period shorter")
	}
}

// offersNothing reports whether it is known that no operation is sent in a
// phase.
func (f *draftPhase) offersNothing() bool {
	switch {
	case f.rate != nil:
		return f.From == 0 && f.To == 0
	case f.users != nil:
		return f.Users.From == 0 && f.Users.To == 0
	}
	return false
}

// phaseNames lists the phases for messages.
func (p *parser) phaseNames() []string {
	var names []string
	for _, f := range p.phases {
		names = append(names, f.Name)
	}
	return names
}
