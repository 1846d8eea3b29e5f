package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a rehearsal is cut down to.
const (
	rehearsalRate   = 20.0            // operations per second
	rehearsalPhase  = 3 * time.Second // of a phase in which nothing happens
	rehearsalFault  = 5 * time.Second // what a fault with an end of its own lasts
	rehearsalFirst  = time.Second     // until the first entry of a phase
	rehearsalNext   = 2 * time.Second // between two entries of a phase
	rehearsalAfter  = 6 * time.Second // of a phase after its last entry
	rehearsalErrors = 50              // percent, of a rehearsal that would ask nothing else
	rehearsalLag    = 2 * time.Second // how late sends may be: no latency is judged
)

// Once cuts a scenario down to a rehearsal: every phase and every entry of the
// timeline once and in the same order, within seconds and at a low rate. That
// is too little load to judge latency or recovery by: of the objectives only the
// errors of the phases before the first breakage stay, and of the checks those
// that need neither load after the last fault is gone nor so much of it that the
// same thing is asked for again (see unrehearsed). If that is nothing, it is asked
// whether what is to break broke and was mended, or whether the system answers at
// all.
func (sc *Scenario) Once() {
	sc.About = strings.TrimSpace("Rehearsal: everything once and short, neither latency nor recovery judged. " + sc.About)
	sc.Repeat, sc.Abort, sc.Compare = Repeat{Times: 1}, nil, nil
	sc.Load.SendLag = max(sc.Load.SendLag, rehearsalLag)
	calm, promised := sc.calm(), slices.Clone(sc.Objectives)
	sc.Objectives = slices.DeleteFunc(sc.Objectives, func(o Objective) bool {
		return o.Metric != "errors" || !slices.Contains(calm, o.Subject)
	})
	sc.Verify = slices.DeleteFunc(sc.Verify, func(v Verify) bool { return slices.Contains(unrehearsed(), v.Check) })
	sc.askAnything(promised)
	sc.Timeline = slices.DeleteFunc(sc.Timeline, func(e Event) bool { return e.Verb == VerbGate }) // nobody waits for it
	entries := map[string]time.Duration{}                                                          // by phase: when its next entry may be
	for i := range sc.Timeline {
		e := &sc.Timeline[i]
		next, later := entries[e.Phase]
		if !later {
			next = rehearsalFirst
		}
		e.Offset, e.Again = min(e.Offset, next), Again{}
		entries[e.Phase] = next + rehearsalNext
		if e.For > 0 {
			e.For = min(e.For, rehearsalFault)
		}
	}
	for i := range sc.Load.Phases {
		f := &sc.Load.Phases[i]
		length := rehearsalPhase
		if next, ok := entries[f.Name]; ok {
			length = next - rehearsalNext + rehearsalAfter
		}
		f.rehearse(min(f.For, length))
	}
}

// unrehearsed lists the checks of which a rehearsal cannot say anything. The
// first ones fail, whatever the system does, where the load ends soon after the
// last fault is gone. The others hold several answers about the same thing
// against each other, and a few hundred operations on many accounts give
// them none by chance, or so few that it would depend on the seed whether the
// rehearsal passes.
func unrehearsed() []string {
	return []string{
		"instances-recover", "goodput-returns", "orphaned-work", "restored-writes",
		"read-your-writes", "monotonic-reads", "linearizable", "snapshots-in-order", "cache-coherent",
	}
}

// askAnything gives a rehearsal that would ask nothing something to ask.
func (sc *Scenario) askAnything(promised []Objective) {
	isFault := func(e Event) bool { verb, ok := LookupVerb(e.Verb); return ok && verb.Fault }
	switch {
	case len(sc.Objectives) > 0 || len(sc.Verify) > 0 || len(sc.Queries) > 0:
	case slices.ContainsFunc(sc.Timeline, isFault):
		sc.Verify = []Verify{{Check: "faults-proven"}}
	case len(promised) > 0:
		o := promised[0]
		o.Metric, o.Op, o.Limit, o.Text = "errors", "<=", rehearsalErrors, fmt.Sprintf("%d%%", rehearsalErrors)
		sc.Objectives = []Objective{o}
	}
}

// calm lists the phases before the first in which something is done.
func (sc *Scenario) calm() []string {
	var names []string
	for _, f := range sc.Load.Phases {
		if slices.ContainsFunc(sc.Timeline, func(e Event) bool {
			return e.Phase == f.Name && !slices.Contains([]string{VerbNote, VerbMark, VerbGate}, e.Verb)
		}) {
			break
		}
		names = append(names, f.Name)
	}
	return names
}

// rehearse makes a phase short and its load low and even.
func (f *Phase) rehearse(length time.Duration) {
	f.Until, f.For, f.Steps, f.SpikeAt, f.SpikeFor, f.Period, f.Replay = "", length, 0, 0, 0, 0, ""
	if f.Profile == Closed {
		f.Users.From, f.Users.To = 1, 1
		return
	}
	rate := rehearsalRate
	if f.Profile != Replay {
		rate = min(max(f.From, f.To), rehearsalRate)
	}
	f.Profile, f.From, f.To = Linear, rate, rate
}

// Only keeps the named phases and entries of the timeline: a phase with all its
// entries, an entry with the phase it is in. Objectives of what is left out are
// left out, and so is the heal of a fault that is not injected, and a restore to
// a mark that is not set.
func (sc *Scenario) Only(names []string) error {
	phases, entries, known := map[string]bool{}, map[string]bool{}, []string{}
	for _, f := range sc.Load.Phases {
		known = append(known, f.Name)
		phases[f.Name] = slices.Contains(names, f.Name)
	}
	for _, e := range sc.Timeline {
		known = append(known, e.As)
		entries[e.As] = phases[e.Phase] || slices.Contains(names, e.As)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s has no phase and no entry %q: %s", sc.Name, name, DidYouMean(name, known))
		}
	}
	sc.Timeline = slices.DeleteFunc(sc.Timeline, func(e Event) bool {
		if e.Verb == VerbHeal && !entries[e.Target] || e.To != "" && !entries[e.To] {
			entries[e.As] = false
		}
		return !entries[e.As]
	})
	for _, e := range sc.Timeline {
		phases[e.Phase] = true
	}
	sc.Load.Phases = slices.DeleteFunc(sc.Load.Phases, func(f Phase) bool { return !phases[f.Name] })
	for i := range sc.Load.Phases {
		if f := &sc.Load.Phases[i]; !entries[f.Until] {
			f.Until = ""
		}
	}
	sc.Objectives = slices.DeleteFunc(sc.Objectives, func(o Objective) bool {
		subject, _, _ := strings.Cut(o.Subject, "/")
		return !phases[subject] && !entries[subject]
	})
	sc.About = strings.TrimSpace("Only " + strings.Join(names, ", ") + ". " + sc.About)
	return nil
}
