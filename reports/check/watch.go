package check

import (
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// The bounds on what a [Watch] remembers.
const (
	sealAfter  = 2 * time.Minute // no operation takes as long
	maxWatched = 6 * 60 * 60     // seconds of the run
)

// A Watch follows a run while it goes on. It sees what a [Judgement] has for
// charts, and how the objectives of a phase stand in the drill under way; it
// gives no verdict, because that takes the final reads.
//
// Its memory does not grow with the number of operations: about a kilobyte a
// second of the run, of the last six hours, and the histograms of each
// operation in each phase. It is not safe for concurrent use.
type Watch struct {
	court  *court
	pulse  pulse
	sealed int64 // all seconds before it are sealed
}

// NewWatch returns a watch of a run that has not begun.
func NewWatch(spec Spec) *Watch {
	spec.Verify, spec.Queries = nil, nil
	c := newCourt(spec)
	c.witnesses = slices.DeleteFunc(c.witnesses, func(w *witness) bool {
		return !slices.Contains([]*fuse{&c.course.fuse, &c.faults.fuse, &c.latency.fuse, &c.generator.fuse, &c.series.fuse, &c.scene.fuse}, w.fuse)
	})
	return &Watch{court: c}
}

// Observe takes the next event. The event is only valid during the call.
func (w *Watch) Observe(e *history.Event) {
	if e.By == history.ByRun && e.Op == history.RunDrill {
		w.turn()
	}
	for _, witness := range w.court.witnesses {
		witness.tell(e)
	}
	if completed(e) {
		w.pulse.observe(e)
	}
	w.seal(int64((e.At - sealAfter) / time.Second))
}

// turn forgets what is kept for the objectives of the drill before.
func (w *Watch) turn() {
	clear(w.court.latency.byDrill)
	clear(w.court.generator.calmer)
}

// seal makes the seconds before one small, and forgets the oldest.
func (w *Watch) seal(before int64) {
	bySec := w.court.series.bySec
	for ; w.sealed < before; w.sealed++ {
		if sec := bySec[w.sealed]; sec != nil {
			sec.seal()
		}
		delete(bySec, w.sealed-maxWatched)
	}
}

// A Progress is what is known of a run that goes on.
type Progress struct {
	Drill  int           // 0 before the first
	Began  time.Duration // of the drill's phases, since the run began
	Clock  history.Clock // of the drill's phases
	Phase  string        // under way; empty before the first and after the last
	Loaded bool          // the load of the drill is over
	Ended  bool          // and its final reads are
	Now    Pulse

	// What a judgement has, as far as it goes. Objectives and Recoveries are
	// those of the drill under way: an objective is inconclusive until something
	// was measured, and a recovery is estimated from whole seconds.
	Judgement
}

// SoFar says how the run stands at a moment, which counts from its beginning.
func (w *Watch) SoFar(now time.Duration) *Progress {
	c := w.court
	p := &Progress{Drill: c.course.current, Now: w.pulse.last(now)}
	if d := c.course.drills[p.Drill]; d != nil {
		p.Began, p.Loaded, p.Ended = d.began, d.loaded || c.course.aborted, d.ended
		p.Clock = history.Clock{Began: d.clock.Began, Holds: slices.Clone(d.clock.Holds)}
	}
	for _, phase := range c.spec.Phases {
		into := p.Clock.Into(now) - phase.Start
		if p.Drill > 0 && !p.Loaded && into >= 0 && into < phase.For {
			p.Phase, p.Now.Offered = phase.Name, phase.rate(into)
		}
	}
	c.latency.run(func() { p.Windows = c.latency.rows() })
	c.generator.run(func() { p.Generator = c.generator.result() })
	c.series.run(func() { p.Series, p.Heat = c.series.seconds(), c.series.heatsOf(p.Drill) })
	c.scene.run(func() { p.Topology, p.Journal = c.scene.copied() })
	c.faults.run(func() { p.Faults = c.faults.windows() })
	p.Recoveries = w.recoveries(p, now)
	p.Objectives = w.objectives(p, now)
	return p
}

// rate is the planned rate at a time within the phase, negative of one that
// has none.
func (p Phase) rate(into time.Duration) float64 {
	switch {
	case p.Users > 0 || p.For <= 0:
		return -1
	case p.Planned > 0:
		return p.Planned / p.For.Seconds()
	}
	return p.From + (p.To-p.From)*float64(into)/float64(p.For)
}

// objectives says how the objectives stand in the drill under way.
func (w *Watch) objectives(p *Progress, now time.Duration) []ObjectiveResult {
	results := make([]ObjectiveResult, len(w.court.spec.Objectives))
	for i, o := range w.court.spec.Objectives {
		s := unclear("known after the final reads")
		switch {
		case !ofEvent(o.Metric):
			phase, op, _ := w.court.spec.window(o.Subject)
			if s = unclear("not begun yet"); w.court.latency.byDrill[opDrill{opKey{phase.Name, op}, p.Drill}] != nil {
				s = w.court.phaseSample(o, p.Drill)
			}
		case o.Metric == metricRTO:
			s = w.recovering(o, p, now)
		}
		results[i] = o.result([]sample{s}, 1)
	}
	return results
}

// recovering says how a recovery stands: how long it took, or takes already.
func (w *Watch) recovering(o Objective, p *Progress, now time.Duration) sample {
	i := slices.IndexFunc(p.Recoveries, func(r Recovery) bool { return r.Event == o.Subject })
	if i < 0 {
		return unclear("not broken yet")
	}
	rec := p.Recoveries[i]
	if rec.Steady >= 0 {
		return o.judged(rec.Steady)
	}
	s := o.judged(ms(now) - rec.Injected)
	s.censored = true
	if s.outcome == Pass {
		s.outcome, s.reason = Inconclusive, "clients are not served as promised yet"
	}
	return s
}

// recoveries estimates the recovery from each event with an objective.
func (w *Watch) recoveries(p *Progress, now time.Duration) []Recovery {
	list := []Recovery{}
	for _, o := range w.court.spec.Objectives {
		f := w.court.faults.get(p.Drill, o.Subject)
		known := slices.ContainsFunc(list, func(r Recovery) bool { return r.Event == o.Subject })
		if o.Metric != metricRTO || f == nil || known {
			continue
		}
		rec := Recovery{
			Event: f.name, Drill: f.drill, Injected: ms(f.t0), Propagated: -1, Impact: -1, Noticed: -1, Promoted: -1,
			Rerouted: -1, FirstOK: -1, Steady: -1, Stalled: -1,
		}
		if f.settled != unseen {
			rec.Propagated = ms(f.settled - f.t0)
		}
		if since, ok := w.servedSince(f.t0, now); ok {
			rec.Steady = ms(since - f.t0)
		}
		list = append(list, rec)
	}
	return list
}

// servedSince returns since when clients have been served as promised without
// a break, after a moment, if that is for long enough. It looks at whole
// seconds, in which nothing is scheduled any more that could still be answered
// in time.
func (w *Watch) servedSince(after, now time.Duration) (time.Duration, bool) {
	r := w.court.spec.Recovered
	last := int64((now - r.Within) / time.Second)
	from := last
	for from > int64(after/time.Second) && w.good(from-1) {
		from--
	}
	since := max(after, time.Duration(from)*time.Second)
	return since, time.Duration(last)*time.Second-since >= r.Window
}

// good reports whether clients were served as promised in a second. Where none
// was to be sent, they were not disappointed.
func (w *Watch) good(n int64) bool {
	r, c := w.court.spec.Recovered, w.court
	sec := c.series.bySec[n]
	if sec == nil {
		sec = &second{}
	}
	planned := 0.0
	if d := c.course.drills[c.course.current]; d != nil {
		at := d.clock.Into(time.Duration(n) * time.Second)
		for _, p := range c.spec.Phases {
			if at >= p.Start && at+time.Second <= p.Start+p.For {
				planned = max(0, p.rate(at-p.Start))
			}
		}
	}
	// Arrivals are spread at random: a second may have fewer than planned.
	return float64(sec.ok) >= r.Good*float64(sec.offered) && float64(sec.ok) >= r.Rate*planned/2
}

// copied returns what the scene has seen, which goes on to change.
func (s *scene) copied() (Topology, []JournalEntry) {
	t := Topology{Links: slices.Clone(s.topology.Links)}
	for _, n := range s.topology.Nodes {
		n.States = slices.Clone(n.States)
		t.Nodes = append(t.Nodes, n)
	}
	return t, slices.Clone(s.entries())
}

// A Pulse is what went on in the last whole second.
type Pulse struct {
	Offered   float64 // planned operations per second; negative where users send when they have an answer
	Achieved  int     // sent
	Completed int     // answered, or given up
	OK        int     // of these, answered as their contract says
	Shed      int     // not sent, because too many were in flight
	P50, P99  float64 // of those that were ok, in ms
	Lag       float64 // how late the latest send was, in ms
}

// pulseSeconds is more than lies between two events that come in the other order.
const pulseSeconds = 8

// A pulse counts the last seconds by when things happened, not by when they
// were scheduled.
type pulse [pulseSeconds]beat

type beat struct {
	second
	n                     int64
	sent, completed, shed int
	lag                   time.Duration
}

// of returns the beat of a moment, nil if it is over for long.
func (p *pulse) of(at time.Duration) *beat {
	n := int64(at / time.Second)
	b := &p[n%pulseSeconds]
	if b.n > n {
		return nil
	}
	if b.n < n {
		*b = beat{n: n, second: second{byLatency: map[int]int{}}}
	}
	return b
}

func (p *pulse) observe(e *history.Event) {
	if b := p.of(e.Sent); e.Sent > 0 && e.Class != history.ClassShed && b != nil {
		b.sent++
		b.lag = max(b.lag, lagOf(e))
	}
	b := p.of(e.At)
	switch {
	case b == nil:
	case e.Class == history.ClassShed:
		b.shed++
	default:
		b.completed++
		if e.Kind == history.OK {
			b.ok++
			if b.byLatency == nil {
				b.byLatency = map[int]int{}
			}
			b.byLatency[bucketOf(took(e))]++
		}
	}
}

// last is the last whole second.
func (p *pulse) last(now time.Duration) Pulse {
	n := max(0, int64(now/time.Second)-1)
	b := p[n%pulseSeconds]
	if b.n != n {
		return Pulse{}
	}
	return Pulse{
		Achieved: b.sent, Completed: b.completed, OK: b.ok, Shed: b.shed, Lag: ms(b.lag),
		P50: b.quantile(0.50), P99: b.quantile(0.99),
	}
}

// rows are the windows without their histograms, which take long to encode,
// and with maps of their own.
func (l *latency) rows() []Window {
	list := l.statistics(func(*tally, history.Kind) string { return "" })
	for i := range list {
		list[i].ByErr = maps.Clone(list[i].ByErr)
	}
	return list
}
