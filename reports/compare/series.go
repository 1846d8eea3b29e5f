package compare

import (
	"cmp"
	"errors"
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

// A Series is what one operation of one phase looked like, window by window.
type Series struct {
	Phase string `json:"phase"`
	Op    string `json:"op"` // "" is all of them

	// Values are those of each metric, in ms or percent and in the order of time,
	// of the windows with enough operations to have it.
	Values map[string][]float64 `json:"values"`

	// HDR is a compressed V2 HdrHistogram of microseconds as base64, over the
	// whole phase, where Op is empty.
	HDR string `json:"hdr,omitempty"`

	Offered int64 `json:"offered,omitempty"`
	Shed    int64 `json:"shed,omitempty"` // of these, never sent though nothing was broken yet: the generator fell behind
}

// A key is an operation in a phase; an empty op is all of them.
type key struct{ phase, op string }

func (k key) String() string {
	if k.op == "" {
		return k.phase
	}
	return k.phase + "/" + k.op
}

// A place is a window: which of which operation and drill.
type place struct {
	key

	drill int
	n     int64
}

// A window is the operations that were scheduled in one stretch of a drill.
type window struct {
	at      place
	closes  time.Duration           // on the clock of its drill: nothing comes any more
	latency *hdrhistogram.Histogram // of those that were answered as their contract says, in µs
	offered int64
	failed  int64
	shed    int64 // of those that failed, before anything was broken
}

// A sent counts operations that were offered, and those of them that were shed.
type sent struct{ offered, shed int64 }

// A collector sees the events of one run. Its memory depends on the length of
// the run and not on the number of operations.
type collector struct {
	phases  map[string]check.Phase
	clocks  map[int]*history.Clock // of drills
	broken  map[int]bool           // drills in which a fault has begun: what is shed then may be the system's doing
	windows map[place]*window      // that are not closed yet
	order   []*window              // these, as they were begun
	values  map[place]map[string]float64
	sent    map[key]sent
	whole   map[string]*hdrhistogram.Histogram // by phase
}

// newCollector leaves phases out that are not scored.
func newCollector(spec check.Spec) *collector {
	c := &collector{
		phases: map[string]check.Phase{}, clocks: map[int]*history.Clock{}, broken: map[int]bool{},
		windows: map[place]*window{}, values: map[place]map[string]float64{}, sent: map[key]sent{}, whole: map[string]*hdrhistogram.Histogram{},
	}
	for _, p := range spec.Phases {
		if p.Score {
			c.phases[p.Name] = p
		}
	}
	return c
}

// observe takes the next event. What is left of a phase behind its last whole
// window is left out, and so is what came while the clock of the drill stood
// still: for how long depends on people.
func (c *collector) observe(e *history.Event) {
	clock := c.clocks[e.Drill]
	if clock == nil {
		clock = &history.Clock{}
		c.clocks[e.Drill] = clock
	}
	clock.Observe(e)
	if e.By == history.ByFault && e.Op == history.FaultInject {
		c.broken[e.Drill] = true
	}
	if e.By != history.ByLoad || e.Kind == history.Invoke {
		return
	}
	c.close(e.At)
	p, scored := c.phases[e.Phase]
	into := clock.Into(e.Sched) - p.Start
	n := int64(into / Window)
	if !scored || into < 0 || n >= int64(p.For/Window) || clock.Held(e.Sched) {
		return
	}
	closes := p.Start + time.Duration(n+1)*Window + history.MaxLatency
	for _, k := range []key{{e.Phase, ""}, {e.Phase, e.Op}} {
		w := c.window(place{k, e.Drill, n}, closes)
		w.add(e)
		if e.Class == history.ClassShed && !c.broken[e.Drill] {
			w.shed++
		}
	}
	if e.Kind == history.OK {
		h := c.whole[e.Phase]
		if h == nil {
			h = hdrhistogram.New(1, history.MaxLatency.Microseconds(), 3)
			c.whole[e.Phase] = h
		}
		record(h, e)
	}
}

func (c *collector) window(at place, closes time.Duration) *window {
	w := c.windows[at]
	if w == nil {
		w = &window{at: at, closes: closes, latency: hdrhistogram.New(1, history.MaxLatency.Microseconds(), 2)}
		c.windows[at] = w
		c.order = append(c.order, w)
	}
	return w
}

func (w *window) add(e *history.Event) {
	w.offered++
	if e.Kind != history.OK {
		w.failed++
		return
	}
	record(w.latency, e)
}

func record(h *hdrhistogram.Histogram, e *history.Event) {
	took := min(max(e.At-e.Sched, history.MinLatency), history.MaxLatency)
	_ = h.RecordValue(took.Microseconds()) // cannot fail within the range
}

// close takes the metrics of the windows that nothing comes into any more.
func (c *collector) close(now time.Duration) {
	for len(c.order) > 0 && c.order[0].closes < c.clocks[c.order[0].at.drill].Into(now) {
		c.take(c.order[0])
		c.order = c.order[1:]
	}
}

func (c *collector) take(w *window) {
	values := map[string]float64{}
	for _, m := range metrics() {
		if m.count(w) >= m.least {
			values[m.name] = m.of(w)
		}
	}
	c.values[w.at] = values
	c.sent[w.at.key] = sent{c.sent[w.at.key].offered + w.offered, c.sent[w.at.key].shed + w.shed}
	delete(c.windows, w.at)
}

// series returns what was seen, by phase and operation.
func (c *collector) series() ([]Series, error) {
	for _, w := range c.order {
		c.take(w)
	}
	c.order = nil
	byKey := map[key]*Series{}
	for _, at := range slices.SortedFunc(maps.Keys(c.values), comparePlaces) {
		s := byKey[at.key]
		if s == nil {
			s = &Series{Phase: at.phase, Op: at.op, Values: map[string][]float64{}, Offered: c.sent[at.key].offered, Shed: c.sent[at.key].shed}
			byKey[at.key] = s
		}
		for name, v := range c.values[at] {
			s.Values[name] = append(s.Values[name], v)
		}
	}
	var list []Series
	for _, k := range slices.SortedFunc(maps.Keys(byKey), compareKeys) {
		s := byKey[k]
		if h := c.whole[k.phase]; h != nil && k.op == "" {
			hdr, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
			if err != nil {
				return nil, fmt.Errorf("encode latencies of %s: %w", k, err)
			}
			s.HDR = string(hdr)
		}
		list = append(list, *s)
	}
	return list, nil
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.op, b.op))
}

func comparePlaces(a, b place) int {
	return cmp.Or(compareKeys(a.key, b.key), cmp.Compare(a.drill, b.drill), cmp.Compare(a.n, b.n))
}

// Collect reads a history once. A history that ends with an error is an error.
func Collect(spec check.Spec, events iter.Seq2[*history.Event, error]) ([]Series, error) {
	if events == nil {
		return nil, errors.New("collect series: there is no history")
	}
	c := newCollector(spec)
	for e, err := range events {
		if err != nil {
			return nil, fmt.Errorf("collect series: %w", err)
		}
		c.observe(e)
	}
	return c.series()
}

// A metric is something that runs are compared by.
type metric struct {
	name  string
	unit  string // ms or percent
	least int64  // operations of a window that has it
	of    func(*window) float64
}

// count returns how many operations of a window a metric is of: latencies are of
// those that were ok.
func (m metric) count(w *window) int64 {
	if m.unit == "ms" {
		return w.offered - w.failed
	}
	return w.offered
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
