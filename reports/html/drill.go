package html

import (
	"fmt"
	"math"
	"slices"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// A drill is what the charts of one drill show. All its times are in seconds
// since its load began.
type drill struct {
	number     int
	began      float64 // s since the run began
	end        float64
	until      float64 // how far it is known; before its end while it goes on
	live       bool    // it goes on
	phases     []phase
	seconds    []check.Second
	faults     []span
	recoveries []recovery
	limits     []phaseLimit
	missed     []worstSecond // of each objective of a phase that was missed
	heat       check.Heat    // without rows if there is none
}

type phase struct {
	name     string
	from, to float64
	scored   bool
}

// A span is the time that a fault was in effect.
type span struct {
	check.FaultWindow
	from, to float64
	cut      bool // goes on after the end of the drill
	planned  bool // did not begin yet
	asked    bool // it is a gate that waits for an answer
}

// A recovery is a recovery with its limit, if there is one.
type recovery struct {
	check.Recovery
	t0      float64
	limit   float64 // s, negative if there is none
	taking  float64 // s, that it takes already; negative if the drill is over
	outcome check.Outcome
}

// A phaseLimit is an objective on the p50, the p99 or the errors of a phase.
type phaseLimit struct {
	phase  string
	metric string
	value  float64 // ms, or percent of errors
}

// drills splits a result into its drills, in order.
func drills(r *reports.Result) []drill {
	var ds []drill
	for _, s := range r.Series {
		i := slices.IndexFunc(ds, func(d drill) bool { return d.number == s.Drill })
		if i < 0 {
			i = len(ds)
			ds = append(ds, drill{number: s.Drill, began: s.At})
		}
		d := &ds[i]
		at := s.At - d.began
		d.end = max(d.end, at+1)
		s.At = at
		d.seconds = append(d.seconds, s)
		d.addPhase(r, s.Phase, at)
	}
	for i := range ds {
		d := &ds[i]
		d.until = d.end
		d.addFaults(r)
		d.addRecoveries(r)
		d.heat = heatOf(r.Heat, d.number)
		d.addLimits(r)
		d.addWorst(r)
	}
	return ds
}

func (d *drill) addLimits(r *reports.Result) {
	for _, o := range r.Objectives {
		if slices.Contains([]string{"p50", "p99", "errors"}, o.Metric) && o.Limit > 0 {
			d.limits = append(d.limits, phaseLimit{o.Subject, o.Metric, o.Limit})
		}
	}
}

// addPhase extends the last phase by a second, or begins the next one.
func (d *drill) addPhase(r *reports.Result, name string, at float64) {
	if n := len(d.phases); n > 0 && d.phases[n-1].name == name {
		d.phases[n-1].to = at + 1
		return
	}
	scored := !slices.ContainsFunc(r.Windows, func(w check.Window) bool { return w.Phase == name && !w.Score })
	d.phases = append(d.phases, phase{name: name, from: at, to: at + 1, scored: scored})
}

func (d *drill) addFaults(r *reports.Result) {
	for _, f := range r.Faults {
		if f.Drill != d.number {
			continue
		}
		s := span{FaultWindow: f, from: f.From/1000 - d.began, to: f.To/1000 - d.began}
		if f.To < 0 || s.to > d.until {
			s.to, s.cut = d.until, true
		}
		if s.from <= d.until {
			d.faults = append(d.faults, s)
		}
	}
}

func (d *drill) addRecoveries(r *reports.Result) {
	for _, rec := range r.Recoveries {
		if rec.Drill != d.number {
			continue
		}
		limit, outcome := recoveryLimit(r, rec)
		d.recoveries = append(d.recoveries, recovery{
			Recovery: rec, t0: rec.Injected/1000 - d.began, limit: limit / 1000, outcome: outcome, taking: d.taking(rec),
		})
	}
}

// taking is how long a recovery that goes on takes already, in s.
func (d *drill) taking(rec check.Recovery) float64 {
	if !d.live || rec.Steady >= 0 {
		return -1
	}
	return d.began + d.until - rec.Injected/1000
}

// recoveryLimit finds the recovery-time objective of a recovery, in ms, and how
// this drill alone came out. Without one the limit is negative.
func recoveryLimit(r *reports.Result, rec check.Recovery) (limit float64, outcome check.Outcome) {
	for _, o := range r.Objectives {
		if o.Subject != rec.Event || o.Metric != "rto" {
			continue
		}
		switch {
		case rec.Censored || rec.Steady > o.Limit:
			return o.Limit, check.Fail
		case rec.Steady < 0 || o.Outcome == check.Inconclusive:
			return o.Limit, check.Inconclusive
		}
		return o.Limit, check.Pass
	}
	return -1, check.Pass
}

// decisive is the index of the drill that decided: the one that lost most if
// writes were lost, else the slowest to recover, else that with the worst second
// of what was missed first, else the first.
func decisive(ds []drill) int {
	index := 0
	for i := range ds {
		if slices.Compare(ds[i].badness(), ds[index].badness()) > 0 {
			index = i
		}
	}
	return index
}

// badness says how bad a drill was, by what counts most first.
func (d *drill) badness() []float64 {
	var lost, unrecovered, slowest, second float64
	for _, rec := range d.recoveries {
		lost, slowest = max(lost, float64(rec.Lost)), max(slowest, rec.Steady)
		if rec.Censored {
			unrecovered = max(unrecovered, rec.Steady)
		}
	}
	if len(d.missed) > 0 {
		second = d.missed[0].value
	}
	return []float64{lost, unrecovered, slowest, second}
}

// rates returns the three rates of the drill, per second.
//
// The load covers the first and the last second of a drill only in part, mostly,
// and those in which a gate opened or was answered: drawn as they were counted
// they look like a drop. So their counts are divided by the share of the second
// that is covered. Where that is less than half, nothing is drawn and the rate
// beside it goes on: arrivals are random, and their luck would be doubled at
// least. Seconds in which nothing was scheduled are not in the series; their rate
// is zero.
func (d *drill) rates(most int) (offered, ok, bad []point) {
	next := math.Inf(1) // where the second after the last one begins
	all := !slices.ContainsFunc(d.seconds, func(s check.Second) bool { return !brief(s) })
	for _, s := range d.seconds {
		if s.At > next+0.5 {
			offered, ok, bad = append(offered, point{next, 0}), append(ok, point{next, 0}), append(bad, point{next, 0})
		}
		if next = s.At + 1; brief(s) && !all {
			continue
		}
		offered = append(offered, point{s.At, rate(s, s.Offered)})
		ok = append(ok, point{s.At, rate(s, s.OK)})
		bad = append(bad, point{s.At, rate(s, s.Errors)})
	}
	return bucket(offered, most), bucket(ok, most), bucket(bad, most)
}

// rate is what was counted in a second as a rate.
func rate(s check.Second, count int) float64 {
	if s.Covered > 0 {
		return float64(count) / s.Covered
	}
	return float64(count)
}

// brief reports whether the load covers less than half of a second.
func brief(s check.Second) bool { return s.Covered > 0 && s.Covered < 0.5 }

// latencies returns two percentiles in ms; a second without one is a gap.
func (d *drill) latencies(most int) (p50, p99 []point) {
	orGap := func(v float64) float64 {
		if v <= 0 {
			return math.NaN()
		}
		return v
	}
	for _, s := range d.seconds {
		p50 = append(p50, point{s.At, orGap(s.P50)})
		p99 = append(p99, point{s.At, orGap(s.P99)})
	}
	return bucket(p50, most), bucket(p99, most)
}

// peak is the highest rate of the drill.
func (d *drill) peak() float64 {
	peak := 0.0
	offered, ok, bad := d.rates(math.MaxInt)
	for _, p := range slices.Concat(offered, ok, bad) {
		peak = max(peak, p.v)
	}
	return peak
}

// title names what the chart of a drill shows.
func (d *drill) title(of int) string {
	if of < 2 {
		return "Rates and latencies over time"
	}
	return fmt.Sprintf("Rates and latencies over time, drill %d of %d", d.number, of)
}
