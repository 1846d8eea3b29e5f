package check

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports/history"
)

// What the load generator must keep outside fault windows, in phases that are
// scored, or the run does not settle anything.
const minAchieved = 0.99 // share of the planned operations

// generator watches whether the load that was asked for was really offered.
// What happens in a fault window (see faults.disturb) is no fault of the
// generator.
type generator struct {
	fuse
	course   *course
	faults   *faults
	phases   []Phase
	budget   time.Duration // for the send lag, at the 99th percentile
	total    Generator
	lag      *hdrhistogram.Histogram // of all that was sent, in µs
	calm     *hdrhistogram.Histogram // outside fault windows, in scored phases
	lagMax   time.Duration
	calmShed int64
	overdue  int64             // of calmShed, because the generator was late
	tokens   int64             // operations without one, outside fault windows, in scored phases
	arrived  map[opDrill]int64 // by phase and drill
	calmer   map[opDrill]*calm // by phase and drill
}

// A calm is what was offered of one phase of one drill outside fault windows.
type calm struct {
	lag           *hdrhistogram.Histogram // in µs
	offered, shed int64
	overdue       int64 // of shed, because the generator was late
}

func newGenerator(spec Spec, c *course, fs *faults) *generator {
	return &generator{
		course: c, faults: fs, phases: spec.Phases, budget: spec.budget(), arrived: map[opDrill]int64{},
		calmer: map[opDrill]*calm{},
		lag:    hdrhistogram.New(1, history.MaxLatency.Microseconds(), 3),
		calm:   hdrhistogram.New(1, history.MaxLatency.Microseconds(), 3),
	}
}

func (g *generator) observe(e *history.Event) {
	if e.By == history.ByRun && e.Op == history.RunGenerator {
		g.observeSelf(e.Text)
		return
	}
	if completed(e) && e.Class == history.ClassNoToken {
		g.observeLogin(e)
	}
	if !completed(e) {
		return
	}
	drill := g.course.number(e)
	p, _ := g.course.phase(e.Phase)
	counts := p.Score && !g.faults.disturb(drill, e.Sched)
	key := opDrill{opKey{e.Phase, ""}, drill}
	if e.Step > 0 { // the schedule has the first request of a journey; who sends that has to send the others
		if counts && e.Class == history.ClassShed {
			g.observeShed(key, e)
		}
		return
	}
	g.total.Offered++
	if !g.course.held(drill, e.Sched) { // what comes then is not in the schedule
		g.arrived[key]++
	}
	if counts {
		g.observeCalm(key, e)
	}
	if e.Class == history.ClassShed {
		g.total.Shed++
		return
	}
	g.total.Sent++
	if wasAnswered(e) {
		g.total.Completed++
	}
	g.lagMax = max(g.lagMax, lagOf(e))
	_ = g.lag.RecordValue(lagOf(e).Microseconds()) // cannot fail within the range
}

// observeSelf takes what the generator says of itself after a drill.
func (g *generator) observeSelf(text string) {
	var said struct {
		Self struct {
			Processor float64 `json:"processor_share"`
			GCPause   float64 `json:"gc_pause_ms"`
		} `json:"self"`
	}
	if json.Unmarshal([]byte(text), &said) != nil {
		return // it says nothing that is needed for a verdict
	}
	g.total.Processor = max(g.total.Processor, said.Self.Processor)
	g.total.GCPause = max(g.total.GCPause, said.Self.GCPause)
}

// observeLogin takes an operation whose client could not log in. Within a fault
// window that is what the fault does to clients. Outside of one nobody knows what
// the system would have answered.
func (g *generator) observeLogin(e *history.Event) {
	drill := g.course.number(e)
	p, _ := g.course.phase(e.Phase)
	if p.Score && !g.faults.disturb(drill, e.Sched) && !g.faults.disturb(drill, e.At) { // it may have waited long
		g.tokens++
	}
}

// myself says what the generator took of its machine, if it is known: it tells
// one that was too slow from one that was held up.
func (g *generator) myself() string {
	if g.total.Processor == 0 {
		return ""
	}
	return fmt.Sprintf("; the generator took %.0f %% of its processors, and paused %.1f ms at most for garbage collection", 100*g.total.Processor, g.total.GCPause)
}

// wasAnswered reports whether an operation was answered to its end, whatever the
// answer was: by a status, or by what a database or a broker says of an error.
func wasAnswered(e *history.Event) bool {
	return e.Kind == history.OK || e.Status != 0 ||
		strings.HasPrefix(e.Class, "sql_") || strings.HasPrefix(e.Class, "amqp_") || e.Class == "nacked" || e.Class == "returned"
}

// lagOf is how late an operation was sent.
func lagOf(e *history.Event) time.Duration {
	return min(max(0, e.Sent-e.Sched), history.MaxLatency)
}

// calmOf returns what is known of a phase of a drill without disturbances.
func (g *generator) calmOf(key opDrill) *calm {
	c := g.calmer[key]
	if c == nil {
		c = &calm{lag: hdrhistogram.New(1, history.MaxLatency.Microseconds(), 3)}
		g.calmer[key] = c
	}
	return c
}

// observeShed takes an operation that was never sent though nothing was broken.
func (g *generator) observeShed(key opDrill, e *history.Event) {
	c := g.calmOf(key)
	c.shed++
	g.calmShed++
	if overdue(e, g.budget) {
		c.overdue++
		g.overdue++
	}
}

func (g *generator) observeCalm(key opDrill, e *history.Event) {
	c := g.calmOf(key)
	c.offered++
	if e.Class == history.ClassShed {
		g.observeShed(key, e)
		return
	}
	_ = g.calm.RecordValue(lagOf(e).Microseconds()) // cannot fail within the range
	_ = c.lag.RecordValue(lagOf(e).Microseconds())
}

// result says what was offered and whether the generator fell behind.
func (g *generator) result() Generator {
	r := g.total
	r.LagP50 = float64(g.lag.ValueAtQuantile(50)) / 1000
	r.LagP99 = float64(g.calm.ValueAtQuantile(99)) / 1000
	r.LagMax = ms(g.lagMax)
	switch missing := g.anyMissing(); {
	case missing != "":
		r.Reason = missing
	case g.overdue > 0 && !g.late(g.calm):
		r.Reason = wereOverdue(g.overdue) + " outside fault windows"
	case g.calmShed > 0 && !g.late(g.calm):
		r.Reason = were(g.calmShed, "operation") + " shed outside fault windows: too many were in flight"
	case g.late(g.calm):
		r.Reason = g.lateness(g.calm)
	}
	r.Fell = r.Reason != ""
	if r.Fell {
		r.Reason += g.myself()
	}
	return r
}

// late reports whether sends were later than the budget allows.
func (g *generator) late(lag *hdrhistogram.Histogram) bool { return p99(lag) > ms(g.budget) }

func (g *generator) lateness(lag *hdrhistogram.Histogram) string {
	return fmt.Sprintf("the send lag outside fault windows was %s at the 99th percentile, %s is allowed", value(unitMS, p99(lag)), span(g.budget))
}

// p99 is in ms.
func p99(lag *hdrhistogram.Histogram) float64 { return float64(lag.ValueAtQuantile(99)) / 1000 }

// limited says why the generator, and not the system, may be to blame for what
// clients saw in a phase of a drill; both are empty if it is not.
//
// Sends that are late make answers late, but they make no errors. Operations
// that were not sent at all are errors too: of a generator that was late, for
// what is shed in time is shed because the system does not answer.
func (g *generator) limited(drill int, phase string) (latency, errors string) {
	if missing := g.missing(drill, phase); missing != "" {
		return missing, missing
	}
	c := g.calmer[opDrill{opKey{phase, ""}, drill}]
	switch {
	case c == nil:
		return "", ""
	case c.overdue > 0:
		return wereOverdue(c.overdue), wereOverdue(c.overdue)
	case !g.late(c.lag):
		return "", ""
	}
	latency = g.lateness(c.lag)
	if float64(c.shed) > (1-minAchieved)*float64(c.offered) {
		errors = latency
	}
	return latency, errors
}

// anyMissing names the first scored phase in which operations are missing.
func (g *generator) anyMissing() string {
	for _, d := range g.course.list() {
		for _, p := range g.phases {
			if missing := g.missing(d.number, p.Name); missing != "" && p.Score {
				return missing
			}
		}
	}
	return ""
}

// missing says whether too few of the planned operations of a phase arrived at
// all, empty if not or if its drill did not run to its end. Unlike shedding
// this is never the doing of a fault: arrivals follow a schedule, and each of
// them is recorded.
func (g *generator) missing(drill int, phase string) string {
	p, _ := g.course.phase(phase)
	planned := p.operations() - g.course.skipped(drill, phase)
	arrived := g.arrived[opDrill{opKey{phase, ""}, drill}]
	if g.course.cut(drill) || float64(arrived)+1 >= minAchieved*planned { // a phase may end between two arrivals
		return ""
	}
	return fmt.Sprintf("%s of the %s planned in %s of drill %d arrived, %g %% is needed",
		value(unitPercent, 100*float64(arrived)/planned), many(int64(planned), "operation"), phase, drill, 100*minAchieved)
}

// wereOverdue says that operations were shed by a generator that was late.
func wereOverdue(n int64) string {
	return were(n, "operation") + " shed because the generator was late"
}

// were writes a number of things with the verb that fits.
func were[T int | int64](n T, thing string) string {
	if n == 1 {
		return many(n, thing) + " was"
	}
	return many(n, thing) + " were"
}
