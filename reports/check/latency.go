package check

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// completed reports whether an event is the end of an operation. There is one
// for every arrival of the schedule, and one for each later request of its
// journey.
func completed(e *history.Event) bool {
	return e.By == history.ByLoad && e.Kind != history.Invoke
}

// took returns the latency of an operation, which counts from the moment it
// was scheduled: waiting to be sent is waiting.
func took(e *history.Event) time.Duration { return max(0, e.At-e.Sched) }

// A tally counts operations. Its latencies are those of operations whose
// contract held: an error is often quicker than an answer, and would make a
// broken system look fast. What failed counts in the errors, and in a
// percentile it counts as slower than every answer.
type tally struct {
	*history.Cell

	good  int64 // ok, and answered in time
	max   time.Duration
	parts parts
}

func newTally() *tally { return &tally{Cell: history.NewCell()} }

func (t *tally) add(e *history.Event, within time.Duration) {
	t.Observe(e)
	if e.Class != history.ClassShed {
		t.parts.add(e)
	}
	if e.Kind != history.OK {
		return
	}
	if latency := took(e); latency <= within {
		t.good++
	}
	t.max = max(t.max, took(e))
}

// quantile returns a latency in ms; 100 is the exact maximum.
func (t *tally) quantile(percent float64) float64 {
	if percent >= 100 {
		return ms(t.max)
	}
	return ms(t.Latency(history.OK, percent/100))
}

// latencyOfAll returns a quantile in ms of everything that was due, if that
// operation was answered: the failed ones come behind all others.
func (t *tally) latencyOfAll(percent float64) (latency float64, answered bool) {
	rank := math.Ceil(percent/100*float64(t.Offered) - 1e-6) // 0.999 is not to be had exactly
	if rank > float64(t.OK) {
		return 0, false
	}
	return t.quantile(100 * rank / float64(t.OK)), true
}

func (t *tally) errorPercent() float64 { return percent(t.Errors(), t.Offered) }

func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

type opKey struct{ phase, op string } // an empty op stands for all

type opDrill struct {
	opKey
	drill int
}

// latency keeps a tally for every operation in every phase, and one for every
// drill of those that have an objective.
type latency struct {
	fuse
	course  *course
	phases  []Phase
	within  time.Duration
	wanted  map[opKey]bool
	all     map[opKey]*tally
	byDrill map[opDrill]*tally
}

func newLatency(spec *Spec, c *course) *latency {
	l := &latency{
		course: c, phases: spec.Phases, within: spec.Recovered.Within,
		wanted: map[opKey]bool{}, all: map[opKey]*tally{}, byDrill: map[opDrill]*tally{},
	}
	for _, o := range spec.Objectives {
		if p, op, ok := spec.window(o.Subject); ok && !ofEvent(o.Metric) {
			l.wanted[opKey{p.Name, op}] = true
		}
	}
	return l
}

func (l *latency) observe(e *history.Event) {
	if !completed(e) {
		return
	}
	drill := l.course.number(e)
	for _, key := range []opKey{{e.Phase, ""}, {e.Phase, e.Op}} {
		tallyOf(l.all, key).add(e, l.within)
		if l.wanted[key] {
			tallyOf(l.byDrill, opDrill{key, drill}).add(e, l.within)
		}
	}
}

func tallyOf[K comparable](tallies map[K]*tally, key K) *tally {
	t := tallies[key]
	if t == nil {
		t = newTally()
		tallies[key] = t
	}
	return t
}

// offered counts all operations of the run.
func (l *latency) offered() int64 {
	var n int64
	for key, t := range l.all {
		if key.op == "" {
			n += t.Offered
		}
	}
	return n
}

// windows lists the statistics in the order of the phases, all operations of a
// phase before each of them.
func (l *latency) windows() []Window { return l.statistics((*tally).encoded) }

// statistics lists the statistics, with the histograms as encoded makes them.
func (l *latency) statistics(encoded func(*tally, history.Kind) string) []Window {
	order := func(phase string) int {
		if i := slices.IndexFunc(l.phases, func(p Phase) bool { return p.Name == phase }); i >= 0 {
			return i
		}
		return len(l.phases)
	}
	keys := slices.SortedFunc(maps.Keys(l.all), func(a, b opKey) int {
		return cmp.Or(cmp.Compare(order(a.phase), order(b.phase)), cmp.Compare(a.phase, b.phase), cmp.Compare(a.op, b.op))
	})
	list := make([]Window, len(keys))
	for i, key := range keys {
		t := l.all[key]
		p, _ := l.course.phase(key.phase)
		list[i] = Window{
			Phase: key.phase, Op: key.op, Score: p.Score,
			Count: t.Offered, OK: t.OK, Errors: t.Errors(), Shed: t.Shed,
			P50: t.quantile(50), P90: t.quantile(90), P95: t.quantile(95), P99: t.quantile(99),
			P999: t.quantile(99.9), Max: t.quantile(100), ByErr: t.Classes(), Parts: t.parts.list(),
			HDR: encoded(t, history.OK), HDRFail: encoded(t, history.Fail), HDRInfo: encoded(t, history.Info),
		}
	}
	return list
}

// encoded returns the histogram of an outcome, empty if there was none.
func (t *tally) encoded(outcome history.Kind) string {
	hdr, err := t.HDR(outcome)
	if err != nil {
		return "" // only an unknown version is an error
	}
	return hdr
}
