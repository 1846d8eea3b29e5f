package reportstest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// A drill is how one failover went, in ms since T0.
type drill struct {
	noticed, promoted, rerouted, firstOK, steady float64

	jitter  float64 // of the timeline
	stalled float64 // how long replication had been stalled at T0; negative: not at all
	lost    int     // acknowledged writes
	point   float64 // recovery point
}

type phase struct {
	name     string
	start    int // s since the drill's beginning
	end      int
	from, to float64 // operations per second
	score    bool
}

const (
	drillSeconds = 230
	drillEvery   = 242.0 // s from one drill's beginning to the next: the final reads are between them
	lossAt       = 90_000.0
)

func phases() []phase {
	return []phase{
		{"warmup", 0, 20, 20, 200, false},
		{"steady", 20, 80, 200, 200, true},
		{"failover", 80, 170, 200, 200, true},
		{"after", 170, 230, 200, 200, true},
	}
}

// failover makes the result of a run of the primary-failover scenario. The
// caller gives it its verdict.
func failover(drills ...drill) *reports.Result {
	r := base("primary-failover", "scenarios/primary-failover.yaml", "7f3c")
	r.Scenario.About = "The host of the Postgres primary disappears under load. Clients recover within 20 s; no acknowledged payment is lost."
	r.Drills, r.ReadyMS, r.ImagesMS = len(drills), 21_700, 90
	r.TookMS = r.ReadyMS + 1000*drillEvery*float64(len(drills)) + 6400
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	for i, d := range drills {
		began := 1000 * drillEvery * float64(i)
		r.Series = append(r.Series, seconds(rng, i+1, began, d)...)
		r.Faults = append(r.Faults, faults(i+1, began, d)...)
		r.Recoveries = append(r.Recoveries, recovery(i+1, began, d))
	}
	scene(r, drills)
	writes(r, drills)
	failoverWindows(r, len(drills))
	failoverObjectives(r, drills)
	for _, name := range []string{"acknowledged-writes", "no-duplicates", "balances", "one-primary", "replicas-agree", "jobs-done"} {
		r.Checks = append(r.Checks, check.Verdict{Check: name, Outcome: check.Pass, Reason: passReason(name, r)})
	}
	offered := int64(44_000 * len(drills))
	r.Generator = check.Generator{Offered: offered, Sent: offered, Completed: offered, LagP50: 0.06, LagP99: 0.81, LagMax: 7.4}
	return r
}

func passReason(name string, r *reports.Result) string {
	switch name {
	case "acknowledged-writes":
		return "all " + thousands(r.Writes.Acknowledged) + " acknowledged writes were found"
	case "one-primary":
		return "1 primary, 2 replicas stream from it"
	}
	return "nothing out of place"
}

// seconds makes the series of one drill.
func seconds(rng *rand.Rand, number int, began float64, d drill) []check.Second {
	var series []check.Second
	for s := range drillSeconds {
		p := phases()[0]
		for _, candidate := range phases() {
			if s >= candidate.start {
				p = candidate
			}
		}
		rate := p.from + (p.to-p.from)*(float64(s-p.start)+0.5)/float64(p.end-p.start)
		offered := int(math.Round(rate + rng.NormFloat64()*math.Sqrt(rate)/2))
		p50, p99 := 8+rng.Float64()*2, 95+rng.Float64()*50
		good := 1.0
		since := float64(s)*1000 - lossAt - d.jitter
		switch {
		case since < -500:
		case since < d.firstOK-500:
			good, p50, p99 = 0.30+0.05*rng.Float64(), 3+rng.Float64(), 900+100*rng.Float64()
		case since < d.steady-200:
			good, p50, p99 = 0.88+0.08*rng.Float64(), 120+100*rng.Float64(), 2500+2000*rng.Float64()
		case since < d.steady+3000:
			p50, p99 = 12+3*rng.Float64(), 180+90*rng.Float64()
		}
		ok := int(math.Round(good * float64(offered)))
		series = append(series, check.Second{
			At: began/1000 + float64(s), Drill: number, Phase: p.name, Offered: offered, OK: ok, Errors: offered - ok,
			P50: round(p50), P99: round(p99),
		})
	}
	return series
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

func faults(number int, began float64, d drill) []check.FaultWindow {
	t0 := began + lossAt + d.jitter
	return []check.FaultWindow{
		{
			Name: "stall-1", Verb: "stall", Target: "link:replication", Drill: number,
			From: t0 - 2010, Settled: t0 - 1960, To: t0 + 28_040,
			Proof: "replication byte counter: +0 bytes delivered in 250 ms while 41,212 arrived",
		},
		{
			Name: "primary-lost", Verb: "lose", Target: "postgres.primary", Drill: number,
			From: t0, Settled: t0 + 120, To: t0 + 53_900,
			Proof: "dial from the probe: pg-1 refused SQL 120 ms after the call; supervisor says down",
		},
	}
}

func recovery(number int, began float64, d drill) check.Recovery {
	return check.Recovery{
		Event: "primary-lost", Drill: number, Injected: began + lossAt + d.jitter, CallTook: 46, Propagated: 120, Impact: 4,
		Noticed: d.noticed, Promoted: d.promoted, Rerouted: d.rerouted, FirstOK: d.firstOK, Steady: d.steady,
		ByClass:    map[string]float64{"read": max(0, d.steady-700), "write": d.steady},
		BadSeconds: int(math.Ceil(d.steady / 1000)), Lost: d.lost, Point: d.point, LossWindow: max(0, d.point-140), Stalled: d.stalled,
	}
}

func writes(r *reports.Result, drills []drill) {
	w := check.Writes{LostIDs: []string{}, DuplicatedIDs: []string{}}
	for i, d := range drills {
		w.Attempted += 30_800
		w.Acknowledged += 29_811 - 17*i
		w.Indeterminate += 412 + 9*i
		w.Recovered += 31 + i
		w.Lost += d.lost
	}
	w.Found = w.Acknowledged - w.Lost
	w.LostAmount = int64(w.Lost) * 250
	w.ObservedThenLost = w.Lost / 20
	for i := range min(w.Lost, 10) {
		w.LostIDs = append(w.LostIDs, fmt.Sprintf("0c9d8a5e-51f0-4b7e-9f43-%012x", 0x1f00+i))
	}
	r.Writes = w
}

func failoverWindows(r *reports.Result, drills int) {
	n := int64(drills)
	for _, p := range phases() {
		count := int64((p.from+p.to)/2*float64(p.end-p.start)) * n
		var errors int64
		if p.name == "failover" {
			errors = 1702 * n
		}
		r.Windows = append(r.Windows, window(p.name, "", count, errors, p.score))
		for _, op := range []struct {
			name  string
			share int64
		}{{"create-transfer", 70}, {"get-account", 20}, {"get-transfer", 10}} {
			r.Windows = append(r.Windows, window(p.name, op.name, count*op.share/100, errors*op.share/100, p.score))
		}
	}
}

func window(phase, op string, count, errors int64, score bool) check.Window {
	w := check.Window{
		Phase: phase, Op: op, Score: score, Count: count, OK: count - errors, Errors: errors,
		P50: 8.7, P90: 21.4, P95: 42.1, P99: 118, P999: 174, Max: 231,
		Parts: []check.Part{
			{Part: check.PartService, Count: count - errors, P50: 8.1, P99: 116, Max: 230},
			{Part: check.PartConnect, Count: 1 + count/500, P50: 0.21, P99: 1.4, Max: 1.4},
			{Part: check.PartFirstByte, Count: 1 + count/16, P50: 7.9, P99: 114, Max: 226},
		},
	}
	if errors > 0 {
		w.ByErr = map[string]int64{"timeout": errors - errors/4, "reset": errors / 4}
		if errors > 1 {
			w.P99, w.P999, w.Max = 3120, 4480, 4912
		}
	}
	return w
}

func failoverObjectives(r *reports.Result, drills []drill) {
	var rto, rpo, lost, duplicated []float64
	for _, d := range drills {
		rto, rpo = append(rto, d.steady), append(rpo, d.point)
		lost, duplicated = append(lost, float64(d.lost)), append(duplicated, 0)
	}
	steady := make([]float64, len(drills))
	after := make([]float64, len(drills))
	none := make([]float64, len(drills))
	for i := range drills {
		steady[i], after[i] = 118-float64(i), 131+float64(i)
	}
	r.Objectives = []check.ObjectiveResult{
		objective("steady", "p99", "ms", 250, 27, steady...),
		objective("steady", "errors", "percent", 0.1, 27, none...),
		objective("primary-lost", "rto", "ms", 20_000, 28, rto...),
		objective("primary-lost", "rpo", "ms", 0, 28, rpo...),
		objective("primary-lost", "lost_writes", "count", 0, 28, lost...),
		objective("primary-lost", "duplicates", "count", 0, 28, duplicated...),
		objective("after", "p99", "ms", 300, 29, after...),
		objective("after", "errors", "percent", 0.1, 29, none...),
	}
	cols := []int{17, 29, 24, 35, 52, 67, 16, 28}
	for i := range r.Objectives {
		r.Objectives[i].At.Col = cols[i]
	}
	r.Objectives[2].Resolution = 5
	r.Objectives[4].Note = thousands(r.Writes.Acknowledged) + " acknowledged, " + thousands(r.Writes.Found) + " found"
}

// thousands writes a number of more than 999 as a reason would.
func thousands(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
