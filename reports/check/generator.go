package check

import (
	"cmp"
	"fmt"
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
	arrived  map[opDrill]int64 // by phase and drill
}

func newGenerator(spec Spec, c *course, fs *faults) *generator {
	return &generator{
		course: c, faults: fs, phases: spec.Phases, budget: cmp.Or(spec.SendLag, DefaultSendLag), arrived: map[opDrill]int64{},
		lag:  hdrhistogram.New(1, history.MaxLatency.Microseconds(), 3),
		calm: hdrhistogram.New(1, history.MaxLatency.Microseconds(), 3),
	}
}

func (g *generator) observe(e *history.Event) {
	if !completed(e) {
		return
	}
	drill := g.course.number(e)
	p, _ := g.course.phase(e.Phase)
	counts := p.Score && !g.faults.disturb(drill, e.Sched)
	g.total.Offered++
	g.arrived[opDrill{opKey{e.Phase, ""}, drill}]++
	if e.Class == history.ClassShed {
		g.total.Shed++
		if counts {
			g.calmShed++
		}
		return
	}
	g.total.Sent++
	g.total.Completed++
	lag := min(max(0, e.Sent-e.Sched), history.MaxLatency)
	g.lagMax = max(g.lagMax, lag)
	_ = g.lag.RecordValue(lag.Microseconds()) // cannot fail within the range
	if counts {
		_ = g.calm.RecordValue(lag.Microseconds())
	}
}

// result says what was offered and whether the generator fell behind.
func (g *generator) result() Generator {
	r := g.total
	r.LagP50 = float64(g.lag.ValueAtQuantile(50)) / 1000
	r.LagP99 = float64(g.calm.ValueAtQuantile(99)) / 1000
	r.LagMax = ms(g.lagMax)
	r.Reason = g.limit()
	if r.Reason == "" && g.calmShed > 0 {
		r.Reason = were(g.calmShed, "operation") + " shed outside fault windows: too many were in flight"
	}
	r.Fell = r.Reason != ""
	return r
}

// limit says why the generator, and not the system, was the limit; empty if it
// was not. Too many operations in flight can be the doing of a system that does
// not answer, arrivals that are missing or late cannot.
func (g *generator) limit() string {
	if missing := g.anyMissing(); missing != "" {
		return missing
	}
	if lag := float64(g.calm.ValueAtQuantile(99)) / 1000; lag > ms(g.budget) {
		return fmt.Sprintf("the send lag outside fault windows was %s at the 99th percentile, %s is allowed", value(unitMS, lag), span(g.budget))
	}
	return ""
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
	planned := (p.From + p.To) / 2 * p.For.Seconds()
	arrived := g.arrived[opDrill{opKey{phase, ""}, drill}]
	if g.course.cut(drill) || float64(arrived)+1 >= minAchieved*planned { // a phase may end between two arrivals
		return ""
	}
	return fmt.Sprintf("%s of the %s planned in %s of drill %d arrived, %g %% is needed",
		value(unitPercent, 100*float64(arrived)/planned), many(int64(planned), "operation"), phase, drill, 100*minAchieved)
}

// were writes a number of things with the verb that fits.
func were[T int | int64](n T, thing string) string {
	if n == 1 {
		return many(n, thing) + " was"
	}
	return many(n, thing) + " were"
}
