package reportstest

import (
	"math/rand/v2"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

const (
	gateSeconds = 70
	gateSlow    = 38 // s, when it begins to be slow
	gateWorst   = 41 // s, when it is slowest
	gateFast    = 45 // s, when it is as before
)

// FailedGate is a release gate without faults that missed two of its objectives:
// for seven seconds the system was slow, and refused some of the operations.
func FailedGate() *reports.Result {
	r := base("release-gate", "scenarios/steady-gate.yaml", "3d1a")
	r.Scenario.About = "A release gate. A minute at the usual load stays within the objectives."
	r.TookMS, r.ReadyMS, r.ImagesMS = 72_100, 310, 60
	r.Verdict, r.Outcome, r.Exit = "fail", check.Fail, reports.ExitFail
	r.Sentence = "p99 of peak was 412 ms, 162 ms over 250 ms."
	r.Reasons = []string{"p99 of peak was 412 ms, over 250 ms", "errors in peak were 0.821 %, over 0.1 %"}
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	for s := range gateSeconds {
		r.Series = append(r.Series, gateSecond(rng, s))
	}
	r.Heat = []check.Heat{heat(r, 1)}
	r.Windows = []check.Window{window("warmup", "", 163, 0, false), window("peak", "", 3900, 32, true), window("peak", "create-transfer", 3900, 32, true)}
	for i := range r.Windows[1:] {
		w := &r.Windows[1+i]
		w.P50, w.P99, w.P999, w.Max = 9.1, 412, 921, 934
	}
	r.Objectives = []check.ObjectiveResult{
		objective("peak", "p50", "ms", 50, 14, 9.1), objective("peak", "p99", "ms", 250, 14, 412), objective("peak", "errors", "percent", 0.1, 14, 0.8205),
	}
	missed(r, "p99", r.Reasons[0])
	missed(r, "errors", r.Reasons[1])
	r.Writes = check.Writes{Attempted: 3900, Acknowledged: 3868, Found: 3868, LostIDs: []string{}, DuplicatedIDs: []string{}}
	r.Checks = []check.Verdict{{Check: "acknowledged-writes", Outcome: check.Pass, Reason: passReason("acknowledged-writes", r)}}
	r.Journal = []check.JournalEntry{
		{At: 0, Drill: 1, What: "drill", Text: "drill 1 begins"},
		{At: 0, Drill: 1, What: "phase", Text: "phase warmup begins"},
		{At: 5000, Drill: 1, What: "phase", Text: "phase peak begins"},
		{At: 1000 * gateSeconds, Drill: 1, What: "audit", Text: "the final reads are complete"},
	}
	r.Generator = check.Generator{Offered: 4063, Sent: 4063, Completed: 4063, LagP50: 0.05, LagP99: 0.6, LagMax: 2.1}
	return r
}

// gateSecond makes one second of a gate.
func gateSecond(rng *rand.Rand, s int) check.Second {
	second := check.Second{At: float64(s), Drill: 1, Phase: "peak", Offered: 60, P50: round(8 + 2*rng.Float64()), P99: round(60 + 40*rng.Float64())}
	switch {
	case s < 5:
		second.Phase, second.Offered = "warmup", 11*s+10
	case s == gateWorst:
		second.P50, second.P99, second.Errors = 46, 934, 9
	case s >= gateSlow && s < gateFast:
		second.P50, second.P99, second.Errors = round(30+5*rng.Float64()), round(500+300*rng.Float64()), 3+rng.IntN(3)
	}
	second.OK = second.Offered - second.Errors
	return second
}
