package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// fewAnswers is how many answers of an instance are needed to say that it does
// not serve.
const fewAnswers = 5

// instancesRecover checks that every instance of the service serves again at the
// end of a drill, and not only most of them: behind a balancer the others hide
// one that does not come to itself.
//
// Only answers say which instance gave them, so an instance that does not answer
// at all is missed by its absence.
type instancesRecover struct {
	course    *course
	faults    *faults
	recovered Recovered
	back      time.Duration // how long after the last fault is gone they may go without serving
	budget    time.Duration // for the send lag
	drills    map[int]*instances
}

// instances are the answers of each instance in one drill.
type instances struct {
	before map[string]int            // good answers before anything was broken, by node
	at     map[string]map[int64]*ask // by node and second
	last   time.Duration             // scheduled time of the last operation
	unsent map[int64]int             // operations by second that were overdue: nobody knows whose they would have been
}

// An ask is what an instance answered in one second.
type ask struct {
	good, bad int
	late      int    // of the bad ones, because they were sent late
	class     string // of the first bad one
	corr      string
	op        string
}

func newInstancesRecover(s *Spec, c *course, fs *faults) *instancesRecover {
	return &instancesRecover{course: c, faults: fs, recovered: s.Recovered, back: s.Bounds.Return, budget: s.budget(), drills: map[int]*instances{}}
}

// Name returns "instances-recover".
func (*instancesRecover) Name() string { return nameInstances }

// Observe takes answers.
func (r *instancesRecover) Observe(e *history.Event) {
	if !completed(e) {
		return
	}
	drill := r.course.number(e)
	d := r.drills[drill]
	if d == nil {
		d = &instances{before: map[string]int{}, at: map[string]map[int64]*ask{}, unsent: map[int64]int{}}
		r.drills[drill] = d
	}
	d.last = max(d.last, e.Sched)
	second := int64(e.Sched / time.Second)
	if overdue(e, r.budget) {
		d.unsent[second]++
	}
	if e.Node == "" {
		return
	}
	good := e.Kind == history.OK && took(e) <= r.recovered.Within
	if _, broken := r.faults.firstIn(drill); good && !broken {
		d.before[e.Node]++
	}
	seconds := d.at[e.Node]
	if seconds == nil {
		seconds = map[int64]*ask{}
		d.at[e.Node] = seconds
	}
	a := seconds[second]
	if a == nil {
		a = &ask{}
		seconds[second] = a
	}
	switch {
	case good:
		a.good++
	case e.Kind == history.Fail && e.Status/100 == 4: // the contract may refuse
	default:
		if a.bad == 0 {
			a.class, a.corr, a.op = orSlow(e.Class), e.Correlation(), e.Op
		}
		a.bad++
		a.late += one(sentLate(e, r.recovered.Within, r.budget))
	}
}

func orSlow(class string) string {
	if class == "" {
		return "too slow"
	}
	return class
}

// Verdict fails if an instance that served before does not at the end.
func (r *instancesRecover) Verdict() Verdict {
	var w wrongs
	doubt := ""
	judged := map[string]bool{}
	for _, d := range r.course.list() {
		in := r.drills[d.number]
		if in == nil || len(in.before) == 0 {
			if doubt == "" {
				doubt = fmt.Sprintf("no instance said its name before anything was broken in drill %d", d.number)
			}
			continue
		}
		for _, node := range slices.Sorted(maps.Keys(in.before)) {
			judged[node] = true
			if unclear := r.judge(&w, d.number, node, in); unclear != "" && doubt == "" {
				doubt = unclear
			}
		}
	}
	if _, broken := r.anyFault(); !broken && doubt == "" {
		doubt = "nothing was broken"
	}
	if doubt == "" && len(judged) == 0 {
		doubt = "there was no drill"
	}
	return w.verdict(r.Name(), doubt, many(len(judged), "instance")+" served at the end of each drill")
}

func (r *instancesRecover) anyFault() (at time.Duration, ok bool) {
	for _, d := range r.course.list() {
		if at, ok = r.faults.firstIn(d.number); ok {
			return at, true
		}
	}
	return 0, false
}

// judge looks at the last seconds of a drill. It returns why an instance cannot
// be judged, if it cannot.
func (r *instancesRecover) judge(w *wrongs, drill int, node string, in *instances) (unclear string) {
	if r.course.cut(drill) {
		return fmt.Sprintf("drill %d did not run to its end", drill)
	}
	if r.down(drill, node, in.last) {
		return "" // it was never mended, so nobody expects it
	}
	from := int64(r.from(drill, in.last) / time.Second)
	var sum ask
	first := unseen
	for _, second := range slices.Sorted(maps.Keys(in.at[node])) {
		a := in.at[node][second]
		if a.bad > a.good && first == unseen {
			first = time.Duration(second) * time.Second
			sum.class, sum.corr, sum.op = a.class, a.corr, a.op
		}
		if a.bad <= a.good {
			first = unseen
		}
		if second > from {
			sum.good += a.good
			sum.bad += a.bad
			sum.late += a.late
		}
	}
	unsent := 0
	for second, n := range in.unsent {
		if second > from {
			unsent += n
		}
	}
	total := sum.good + sum.bad
	text := ""
	switch {
	case total == 0 && unsent > 0:
		return fellBehind(unsent)
	case total == 0:
		text = fmt.Sprintf("%s answered nothing in the last seconds of drill %d", node, drill)
	case float64(sum.good) >= r.recovered.Good*float64(total):
	case float64(sum.good+sum.late) >= r.recovered.Good*float64(total):
		return fellBehind(sum.late)
	case total < fewAnswers:
		return fmt.Sprintf("%s gave too few answers at the end of drill %d", node, drill)
	default:
		text = fmt.Sprintf("%s served %d of %s well at the end of drill %d (%s)", node, sum.good, many(total, "operation"), drill, orSlow(sum.class))
	}
	if text != "" {
		w.say(text)
		w.groups.add(caught{
			op: orUnknownOp(sum.op), node: node, corr: sum.corr, at: max(first, 0), weight: float64(sum.bad), text: func() string { return text },
		})
	}
	return ""
}

// from returns when the end of a drill begins: some seconds before its last
// operation, of which those do not count, as far as others are left, in which
// something was broken or had a right to be.
func (r *instancesRecover) from(drill int, last time.Duration) time.Duration {
	from := last - max(r.recovered.Window, 5*time.Second)
	for _, f := range r.faults.all {
		if f.drill == drill && f.breaks() && f.recovered != unseen {
			from = max(from, min(f.recovered+r.back, last-r.recovered.Window))
		}
	}
	return from
}

func orUnknownOp(op string) string {
	if op == "" {
		return "any"
	}
	return op
}

// down reports whether a fault that hit a node was still in place at a moment.
func (r *instancesRecover) down(drill int, node string, at time.Duration) bool {
	return slices.ContainsFunc(r.faults.all, func(f *fault) bool {
		return f.drill == drill && (f.breaks() || f.verb == "scale") && f.t0 != unseen && f.hits(node) && (f.recovered == unseen || f.recovered > at)
	})
}
