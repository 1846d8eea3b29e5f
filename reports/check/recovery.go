package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// recovery measures how long clients were not served after an event with an
// objective of its own. It keeps the operations that were scheduled after T0
// in the phase the event lies in.
type recovery struct {
	fuse
	spec    *Spec
	course  *course
	faults  *faults
	writes  *durability
	entries []Entry // of the timeline, that have an objective
	kept    map[opDrill][]arrival
	keys    words // of what arrivals have missed
	anatomy *anatomy
}

func newRecovery(spec *Spec, c *course, fs *faults, d *durability) *recovery {
	r := &recovery{spec: spec, course: c, faults: fs, writes: d, kept: map[opDrill][]arrival{}}
	for _, e := range spec.Events {
		if slices.ContainsFunc(spec.Objectives, func(o Objective) bool { return o.Subject == e.Name && ofEvent(o.Metric) && o.Metric != metricTook }) {
			r.entries = append(r.entries, e)
		}
	}
	r.anatomy = newAnatomy(c)
	return r
}

func (r *recovery) watches(event string) bool {
	return slices.ContainsFunc(r.entries, func(e Entry) bool { return e.Name == event })
}

func (r *recovery) observe(e *history.Event) {
	switch {
	case e.By == history.ByFault && e.Op == history.FaultInject && r.watches(e.ID):
		r.forget(e)
		r.anatomy.begin(e)
	case completed(e):
		r.keep(e)
	}
	r.anatomy.observe(e)
}

// keep remembers an operation, unless it was scheduled before the first T0 of
// its phase.
func (r *recovery) keep(e *history.Event) {
	drill := r.course.number(e)
	watched, t0 := false, unseen
	for _, entry := range r.entries {
		if entry.Phase != e.Phase {
			continue
		}
		watched = true
		if f := r.faults.get(drill, entry.Name); f != nil && (t0 == unseen || f.t0 < t0) {
			t0 = f.t0
		}
	}
	if !watched || e.Sched < t0 {
		return
	}
	key := opDrill{opKey{phase: e.Phase}, drill}
	a := arrival{
		sched: e.Sched,
		write: e.Write,
		good:  e.Kind == history.OK && took(e) <= r.spec.Recovered.Within,
		late:  sentLate(e, r.spec.Recovered.Within, r.spec.budget()),
	}
	a.missed = r.keys.number(missed(e))
	r.kept[key] = append(r.kept[key], a)
}

// servedOf returns what was scheduled after a fault, in the order of time, and
// how many operations it left out because they were answered and did not find a
// write that is lost. They say that data is gone, which is counted with the
// writes, and not that the system is away; how long they go on depends on what
// the clients care to ask for.
func (r *recovery) servedOf(phase string, f *fault) (served []arrival, ofLost int) {
	served = make([]arrival, 0, len(r.kept[opDrill{opKey{phase: phase}, f.drill}]))
	for _, a := range r.kept[opDrill{opKey{phase: phase}, f.drill}] {
		switch {
		case a.sched < f.t0:
		case r.writes.isLost(r.keys.of(a.missed)):
			ofLost++
		default:
			served = append(served, a)
		}
	}
	slices.SortStableFunc(served, func(a, b arrival) int { return cmp.Compare(a.sched, b.sched) })
	return served, ofLost
}

// forget drops what was kept of a phase before its first T0. Operations are
// recorded when they complete, so those scheduled just after T0 may already be
// among them.
func (r *recovery) forget(e *history.Event) {
	entry, _ := r.spec.entry(e.ID)
	key := opDrill{opKey{phase: entry.Phase}, r.course.number(e)}
	if f := r.faults.get(key.drill, e.ID); f != nil && f.t0 == e.At && !r.disturbedBefore(entry, f) {
		r.kept[key] = slices.Clone(slices.DeleteFunc(r.kept[key], func(a arrival) bool { return a.sched < e.At }))
	}
}

// disturbedBefore reports whether another event with an objective came before
// this one in the same phase.
func (r *recovery) disturbedBefore(entry Entry, f *fault) bool {
	return slices.ContainsFunc(r.entries, func(o Entry) bool {
		other := r.faults.get(f.drill, o.Name)
		return o.Phase == entry.Phase && other != nil && other.t0 < f.t0
	})
}

// firstCut returns when the first fault with an objective in a drill was
// certainly in place.
func (r *recovery) firstCut(drill int) (time.Duration, bool) {
	at, ok := unseen, false
	for _, e := range r.entries {
		if f := r.faults.get(drill, e.Name); f != nil && (!ok || f.cut() < at) {
			at, ok = f.cut(), true
		}
	}
	return at, ok
}

// between returns the T0 of the events with an objective before and after a
// fault, in the same drill; the ends of time where there is none.
func (r *recovery) between(f *fault) (from, to time.Duration) {
	from, to = 0, 1<<63-1
	for _, e := range r.entries {
		switch other := r.faults.get(f.drill, e.Name); {
		case other == nil || other == f:
		case other.t0 < f.t0:
			from = max(from, other.t0)
		case other.t0 > f.t0:
			to = min(to, other.t0)
		}
	}
	return from, to
}

// A finding is what one drill showed of one event.
type finding struct {
	Recovery
	fault      *fault
	unasked    string  // why the question was not asked, or empty
	doubt      string  // why it was asked of one class only, or empty
	cut        bool    // the drill did not run to its end
	note       string  // for a reader
	late       int     // operations that were not good because they were sent late
	resolution float64 // ms
}

// find measures the recovery from an event in a drill. It reports false if the
// event did not happen in that drill.
func (r *recovery) find(entry Entry, drill int) (finding, bool) {
	return r.findAs(entry, drill, func(a arrival) bool { return a.good })
}

// findAs is find by another opinion of what is good.
func (r *recovery) findAs(entry Entry, drill int, good func(arrival) bool) (finding, bool) {
	f := r.faults.get(drill, entry.Name)
	if f == nil {
		return finding{}, false
	}
	found := finding{fault: f, cut: r.course.cut(drill)}
	found.Recovery = Recovery{
		Event: entry.Name, Drill: drill, Injected: ms(f.t0), CallTook: since(f.t0, f.called), Propagated: since(f.t0, f.settled),
		Impact: -1, Noticed: -1, Promoted: -1, Rerouted: -1, FirstOK: -1, Steady: -1, Stalled: -1,
		ByClass: map[string]float64{},
	}
	r.anatomy.tell(f, &found.Recovery)
	r.measure(entry, &found, good)
	if f.failed != "" {
		found.unasked = fmt.Sprintf("the event %s failed: %s", entry.Name, f.failed)
	} else if f.settled == unseen && f.breaks() {
		found.unasked = "the event " + entry.Name + " was not seen to take effect"
	}
	return found, true
}

// The classes of operations whose recovery is measured.
const (
	classRead  = "read"
	classWrite = "write"
)

// measure finds the recovery time of both classes; the later one counts.
func (r *recovery) measure(entry Entry, found *finding, good func(arrival) bool) {
	f := found.fault
	all, ofLost := r.servedOf(entry.Phase, f)
	for i, a := range all {
		all[i].good = good(a)
		found.late += one(a.late)
	}
	if len(all) == 0 {
		found.unasked = fmt.Sprintf("no operation was scheduled in %s after %s", entry.Phase, entry.Name)
		return
	}
	end := all[len(all)-1].sched
	if _, to, ok := r.course.span(f.drill, entry.Phase); ok {
		end = max(end, min(to, r.course.last))
	}
	if i := slices.IndexFunc(all, func(a arrival) bool { return !a.good }); i >= 0 {
		found.Impact = since(f.t0, all[i].sched)
	}
	found.BadSeconds, found.Flaps = badSeconds(all, f.t0, r.spec.Recovered.Good)
	found.note = disturbed(all)
	if ofLost > 0 {
		found.note += fmt.Sprintf("; %s on lost writes left out", many(ofLost, "operation"))
	}
	for _, class := range []string{classRead, classWrite} {
		r.measureClass(entry, found, class, all, end)
	}
	if len(found.ByClass) == 0 {
		found.unasked = fmt.Sprintf("only %s between %s and the end of %s: too few to tell", many(len(all), "operation"), entry.Name, entry.Phase)
	}
}

func (r *recovery) measureClass(entry Entry, found *finding, class string, all []arrival, end time.Duration) {
	f := found.fault
	of := slices.DeleteFunc(slices.Clone(all), func(a arrival) bool { return a.write != (class == classWrite) })
	if len(of) == 0 {
		return
	}
	start, how := watch{Recovered: r.spec.Recovered, end: end}.steady(of)
	lasted := end - f.t0
	switch {
	case how == tooShort && slices.ContainsFunc(of, func(a arrival) bool { return !a.good }):
		found.doubt = fmt.Sprintf("only %s between %s and the end of %s: too few to tell", many(len(of), class+" operation"), entry.Name, entry.Phase)
		return
	case how == tooShort:
		found.note += fmt.Sprintf(", too few %s operations to tell (%s)", class, count(len(of)))
		return
	case how == isRecovered && start == 0:
		lasted = 0 // never below target
	case how == isRecovered:
		lasted = of[start].sched - f.t0
	}
	found.ByClass[class] = ms(lasted)
	if ms(lasted) >= found.Steady {
		found.Steady = ms(lasted)
		found.resolution = ms(end-f.t0) / float64(len(of))
	}
	found.Censored = found.Censored || how == notRecovered
}

// disturbed says how many operations were not good.
func disturbed(all []arrival) string {
	bad := 0
	for _, a := range all {
		bad += one(!a.good)
	}
	if bad == 0 {
		return "no operation was disturbed"
	}
	return fmt.Sprintf("%s of %s disturbed", count(bad), were(len(all), "operation"))
}

// recoverySample judges a recovery time.
func (c *court) recoverySample(o Objective, entry Entry, f *fault) sample {
	if c.recovery.blown != "" {
		return unclear(c.recovery.blown)
	}
	found, _ := c.recovery.find(entry, f.drill)
	if found.unasked != "" {
		return unclear(found.unasked)
	}
	if missing := c.generator.missing(f.drill, entry.Phase); missing != "" {
		return unclear("the load generator fell behind: " + missing)
	}
	s := o.judged(found.Steady)
	s.censored, s.note, s.resolution = found.Censored, found.note, found.resolution
	observed := observation(found.Steady)
	switch {
	case !found.Censored && found.doubt != "" && s.outcome == Pass:
		s.outcome, s.reason = Inconclusive, found.doubt
	case !found.Censored:
		s.reason = fmt.Sprintf("clients were served again %s after %s %s", o.beside(found.Steady), happened(entry), o.limit())
	case found.cut && s.outcome == Pass:
		s.outcome = Inconclusive
		s.reason = fmt.Sprintf("the drill ended %s after %s, before clients were served again", span(observed), happened(entry))
	default:
		s.outcome = Fail
		s.reason = fmt.Sprintf("clients were not served again within %s after %s %s", span(observed), happened(entry), o.limit())
	}
	if found.Flaps > 0 && s.outcome == Fail {
		s.reason += ", and fell below target again " + many(found.Flaps, "time")
	}
	if s.outcome == Fail && c.recovery.punctual(o, entry, f) {
		s.outcome, s.reason = Inconclusive, fellBehind(found.late)
	}
	return s
}

// punctual reports whether clients would have been served again in time if
// nothing had been sent late.
func (r *recovery) punctual(o Objective, entry Entry, f *fault) bool {
	found, _ := r.findAs(entry, f.drill, func(a arrival) bool { return a.good || a.late })
	return found.late > 0 && found.unasked == "" && found.doubt == "" && !found.Censored && o.judged(found.Steady).outcome == Pass
}
