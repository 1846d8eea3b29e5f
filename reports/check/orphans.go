package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// orphans checks that no instance goes on working for clients that are long
// gone: when nobody has asked anything for a while, nothing is in flight. An
// instance that has said before what it works on, and does not say it then, may be
// the one that hangs.
type orphans struct {
	course *course
	bound  time.Duration
	ended  time.Duration // of the load of the present drill, or unseen
	known  map[string]bool
	loaded []int // drills whose load has ended
	idle   map[drillNode]int64
}

type drillNode struct {
	drill int
	node  string
}

func newOrphans(c *course, bound time.Duration) *orphans {
	return &orphans{course: c, bound: bound, ended: unseen, known: map[string]bool{}, idle: map[drillNode]int64{}}
}

// Name returns "orphaned-work".
func (*orphans) Name() string { return nameOrphans }

// Observe takes what instances say they are working on after the load has ended.
// To be asked may be work itself, so that the least of all answers counts.
func (o *orphans) Observe(e *history.Event) {
	switch {
	case e.By == history.ByRun && e.Op == history.RunDrill:
		o.ended = unseen
	case e.By == history.ByRun && e.Op == history.RunLoadEnd:
		o.ended = e.At
		o.loaded = append(o.loaded, o.course.number(e))
	case e.By != history.ByProbe || e.Op != history.ProbeCounter || e.Target != history.CounterInFlight || e.Kind == history.Fail:
	default:
		o.observeInstance(e)
	}
}

func (o *orphans) observeInstance(e *history.Event) {
	if !o.known[e.Node] {
		o.known[strings.Clone(e.Node)] = true
	}
	if o.ended == unseen || e.At < o.ended+o.bound {
		return
	}
	key := drillNode{o.course.number(e), e.Node}
	if least, ok := o.idle[key]; !ok || e.Value < least {
		o.idle[key] = e.Value
	}
}

// silent says which instance did not say after a load what it works on.
func (o *orphans) silent() string {
	for _, drill := range o.loaded {
		for _, node := range slices.Sorted(maps.Keys(o.known)) {
			if _, said := o.idle[drillNode{drill, node}]; !said {
				return fmt.Sprintf("%s did not say what it was working on after the load of drill %d", node, drill)
			}
		}
	}
	return ""
}

// Verdict fails if an instance was never idle again.
func (o *orphans) Verdict() Verdict {
	var w wrongs
	nodes := slices.SortedFunc(maps.Keys(o.idle), func(a, b drillNode) int {
		if a.drill != b.drill {
			return a.drill - b.drill
		}
		if a.node < b.node {
			return -1
		}
		return one(a.node > b.node)
	})
	for _, n := range nodes {
		left := o.idle[n]
		if left <= 1 {
			continue
		}
		text := fmt.Sprintf("%s was working on %s for nobody after drill %d", n.node, many(left, "request"), n.drill)
		w.say(text)
		w.groups.add(caught{op: history.CounterInFlight, node: n.node, at: o.course.last, weight: float64(left), text: func() string { return text }})
	}
	doubt := o.silent()
	if len(nodes) == 0 {
		doubt = fmt.Sprintf("no instance was asked what it works on %s after the load", span(o.bound))
	}
	return w.verdict(o.Name(), doubt, fmt.Sprintf("%s idle %s after the load", were(len(nodes), "instance"), span(o.bound)))
}
