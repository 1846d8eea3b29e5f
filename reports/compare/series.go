// Package compare says whether one run was slower than another, so that noise
// does not fail a build and a regression does.
package compare

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// Window is the length of the stretches that runs are compared by.
const Window = 5 * time.Second

// A Series is what a run looked like, window by window.
type Series struct {
	groups map[key]*group
}

// A key is an operation in a phase; an empty op is all of them.
type key struct{ phase, op string }

// A group is the windows of one operation in one phase.
type group struct{ windows map[int64]*window }

// A window is the operations that were scheduled in one stretch of a drill.
type window struct {
	latency *hdrhistogram.Histogram // of those that were answered as their contract says, in µs
	offered int64
	failed  int64
}

// Collect reads a history once. Phases that are not scored are left out, and so
// is what is left of a phase behind its last whole window. Its memory depends on
// the length of the run and not on the number of operations. A history that ends
// with an error is an error.
func Collect(spec check.Spec, events iter.Seq2[*history.Event, error]) (*Series, error) {
	s := &Series{groups: map[key]*group{}}
	began := map[int]time.Duration{}
	for e, err := range events {
		if err != nil {
			return nil, fmt.Errorf("collect series: %w", err)
		}
		if e.By == history.ByRun && e.Op == history.RunDrill {
			began[e.Drill] = e.At
		}
		if e.By != history.ByLoad || e.Kind == history.Invoke {
			continue
		}
		i := slices.IndexFunc(spec.Phases, func(p check.Phase) bool { return p.Name == e.Phase })
		if i < 0 || !spec.Phases[i].Score {
			continue
		}
		p := spec.Phases[i]
		at := e.Sched - began[e.Drill] - p.Start
		if at < 0 || at/Window >= p.For/Window {
			continue
		}
		n := int64(e.Drill)<<32 | int64(at/Window)
		s.add(key{e.Phase, ""}, n, e)
		s.add(key{e.Phase, e.Op}, n, e)
	}
	return s, nil
}

func (s *Series) add(k key, n int64, e *history.Event) {
	g := s.groups[k]
	if g == nil {
		g = &group{windows: map[int64]*window{}}
		s.groups[k] = g
	}
	w := g.windows[n]
	if w == nil {
		w = &window{latency: hdrhistogram.New(1, history.MaxLatency.Microseconds(), 2)}
		g.windows[n] = w
	}
	w.offered++
	if e.Kind != history.OK {
		w.failed++
		return
	}
	took := min(max(e.At-e.Sched, history.MinLatency), history.MaxLatency)
	_ = w.latency.RecordValue(took.Microseconds()) // cannot fail within the range
}

// keys lists what is in both of two series, by phase and operation.
func (s *Series) keys(o *Series) []key {
	var list []key
	for k := range s.groups {
		if o.groups[k] != nil {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b key) int { return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.op, b.op)) })
	return list
}

// values returns a metric of each window that has enough operations to have it,
// in the order of time.
func (g *group) values(m metric) []float64 {
	var list []float64
	for _, n := range slices.Sorted(maps.Keys(g.windows)) {
		w := g.windows[n]
		if w.offered >= m.least {
			list = append(list, m.of(w))
		}
	}
	return list
}

// A metric is something that runs are compared by.
type metric struct {
	name  string
	unit  string // ms or percent
	least int64  // operations of a window that has it
	of    func(*window) float64
}

// metrics lists them. A quantile needs a few operations beyond it.
func metrics() []metric {
	quantile := func(name string, q float64, least int64) metric {
		return metric{name, "ms", least, func(w *window) float64 { return float64(w.latency.ValueAtQuantile(q)) / 1000 }}
	}
	return []metric{
		quantile("p50", 50, 20),
		quantile("p90", 90, 50),
		quantile("p99", 99, 300),
		{"errors", "percent", 20, func(w *window) float64 { return 100 * float64(w.failed) / float64(w.offered) }},
	}
}
