package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// goodput checks that a system comes back by itself once the last fault is gone:
// from so long afterwards to the end of the load, clients must be served, and
// about as fast as before. One that stays down although what brought it down is
// gone is metastable.
type goodput struct {
	spec   *Spec
	course *course
	faults *faults
	writes *durability
	drills map[int]map[int64]*goodSecond // by drill and second
}

// A system is slower than before if it takes so many times as long, and so large
// a part of the time within which operations are good.
const (
	slowerTimes = 5
	slowerPart  = 10 // a tenth
)

// A goodSecond is what was offered in a second.
type goodSecond struct {
	offered, good int
	late          int           // not good because they were sent late
	took          time.Duration // by the good ones together, from when they were sent
	scored        bool
	missed        []string // writes that operations did not find
	op, class     string   // of the first that was not good
	corr, node    string
}

func newGoodput(s *Spec, c *course, fs *faults, d *durability) *goodput {
	return &goodput{spec: s, course: c, faults: fs, writes: d, drills: map[int]map[int64]*goodSecond{}}
}

// Name returns "goodput-returns".
func (*goodput) Name() string { return nameGoodput }

// Observe takes operations.
func (g *goodput) Observe(e *history.Event) {
	if !completed(e) {
		return
	}
	drill, second := g.course.number(e), int64(e.Sched/time.Second)
	seconds := g.drills[drill]
	if seconds == nil {
		seconds = map[int64]*goodSecond{}
		g.drills[drill] = seconds
	}
	s := seconds[second]
	if s == nil {
		p, _ := g.course.phase(e.Phase)
		s = &goodSecond{scored: p.Score}
		seconds[second] = s
	}
	s.offered++
	if id := missed(e); id != "" {
		s.missed = append(s.missed, id)
	}
	if e.Kind == history.OK && took(e) <= g.spec.Recovered.Within {
		s.good++
		s.took += took(e) - lagOf(e)
		return
	}
	s.late += one(sentLate(e, g.spec.Recovered.Within, g.spec.budget()))
	if s.op == "" {
		s.op, s.class, s.corr, s.node = e.Op, orSlow(e.Class), e.Correlation(), e.Node
	}
}

// gone returns when the last fault of a drill was gone, or why that is not known.
func (g *goodput) gone(drill int) (at time.Duration, doubt string) {
	at = unseen
	for _, f := range g.faults.all {
		switch {
		case f.drill != drill || f.t0 == unseen || !f.breaks():
		case f.recovered == unseen:
			return unseen, fmt.Sprintf("%s was not seen to be gone in drill %d", f.name, drill)
		default:
			at = max(at, f.recovered)
		}
	}
	if at == unseen {
		return unseen, fmt.Sprintf("nothing was broken in drill %d", drill)
	}
	return at, ""
}

// Verdict fails if clients were not served again.
func (g *goodput) Verdict() Verdict {
	var w wrongs
	doubt := ""
	least := 100.0
	for _, d := range g.course.list() {
		gone, open := g.gone(d.number)
		if open == "" {
			open = g.judge(&w, d.number, gone, &least)
		}
		if doubt == "" {
			doubt = open
		}
	}
	if len(g.course.list()) == 0 {
		doubt = "there was no drill"
	}
	return w.verdict(g.Name(), doubt, fmt.Sprintf("%s of the operations were good from %s after the last fault was gone", value(unitPercent, least), span(g.spec.Bounds.Return)))
}

func (g *goodput) judge(w *wrongs, drill int, gone time.Duration, least *float64) (doubt string) {
	from := gone + g.spec.Bounds.Return
	sum, usual := g.sum(drill, from, unseen)
	n := len(usual)
	if time.Duration(n)*time.Second < g.spec.Recovered.Window || sum.offered < g.spec.Recovered.MinOps {
		return fmt.Sprintf("the load of drill %d went on for %d s from %s after the last fault was gone, which is too short", drill, n, span(g.spec.Bounds.Return))
	}
	share := float64(sum.good) / float64(sum.offered)
	*least = min(*least, 100*share)
	if share >= g.spec.Recovered.Good {
		g.compare(w, drill, from, &sum, usual)
		return ""
	}
	if float64(sum.good+sum.late) >= g.spec.Recovered.Good*float64(sum.offered) {
		return fellBehind(sum.late)
	}
	text := fmt.Sprintf("%s of %s were good in the last %d s of drill %d, although the last fault had been gone for %s",
		value(unitPercent, 100*share), many(sum.offered, "operation"), n, drill, span(g.spec.Bounds.Return))
	w.say("the system did not come back by itself: " + text)
	w.groups.add(caught{
		op: sum.op, node: sum.node, corr: sum.corr, at: sum.began, weight: float64(sum.offered - sum.good),
		text: func() string { return text + " (" + sum.class + ")" },
	})
	return ""
}

// A goodSum is what was offered over a stretch of time.
type goodSum struct {
	goodSecond

	began time.Duration // the first second in which not all was good, or unseen
}

// sum adds up the seconds of a drill from one moment to another, which is unseen
// for its end. Usual are the mean latencies of the good operations, one a second,
// in ascending order.
func (g *goodput) sum(drill int, from, to time.Duration) (sum goodSum, usual []time.Duration) {
	sum.began = unseen
	for second, s := range g.drills[drill] {
		at := time.Duration(second) * time.Second
		if at < from || to != unseen && at+time.Second > to || !s.scored {
			continue
		}
		sum.offered += s.offered
		sum.good += s.good
		sum.late += s.late
		for _, id := range s.missed {
			if g.writes.isLost(id) {
				sum.offered-- // that data is gone is no outage
			}
		}
		if s.op != "" && (sum.began == unseen || at < sum.began) {
			sum.began, sum.op, sum.class, sum.corr, sum.node = at, s.op, s.class, s.corr, s.node
		}
		usual = append(usual, s.took/time.Duration(max(1, s.good)))
	}
	slices.Sort(usual)
	return sum, usual
}

// compare looks whether the system came back slower than it was before anything
// was broken. The median second counts, so that no hiccup does. More load than
// before may take longer.
func (g *goodput) compare(w *wrongs, drill int, from time.Duration, after *goodSum, usual []time.Duration) {
	first, _ := g.faults.firstIn(drill)
	before, usually := g.sum(drill, 0, first)
	if time.Duration(len(usually))*time.Second < g.spec.Recovered.Window || before.offered < g.spec.Recovered.MinOps ||
		after.offered*len(usually) > before.offered*len(usual)*5/4 {
		return
	}
	was, is := usually[len(usually)/2], usual[len(usual)/2]
	if is < slowerTimes*was || is-was < g.spec.Recovered.Within/slowerPart {
		return
	}
	text := fmt.Sprintf("operations took %s in the last %d s of drill %d, although the last fault had been gone for %s, and %s before anything was broken",
		span(is), len(usual), drill, span(g.spec.Bounds.Return), span(was))
	w.say("the system came back slower than it was: " + text)
	w.groups.add(caught{op: orUnknownOp(after.op), node: after.node, corr: after.corr, at: from, weight: float64(after.good), text: func() string { return text }})
}
