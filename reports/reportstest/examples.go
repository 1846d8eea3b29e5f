// Package reportstest makes results for the tests of the renderers. They look
// like what real runs of the shipped scenarios leave behind, and are the same
// each time.
package reportstest

import (
	"fmt"
	"strings"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// An Example is a result with a name that may be part of a file's name.
type Example struct {
	Name   string
	Result *reports.Result
}

// Examples returns one result of each kind.
func Examples() []Example {
	return []Example{
		{"pass", Pass()},
		{"fail", LostWrites()},
		{"inconclusive", Inconclusive()},
		{"drills", FiveDrills()},
		{"short", ThreeSeconds()},
		{"interrupted", Interrupted()},
		{"faults-left", FaultsLeft()},
		{"gate", FailedGate()},
	}
}

// Pass is a failover drill that met all its objectives.
func Pass() *reports.Result {
	r := failover(drill{noticed: 9100, promoted: 11000, rerouted: 12100, firstOK: 12200, steady: 12400, stalled: 2003})
	r.Verdict, r.Outcome = "pass", check.Pass
	r.Sentence = "Clients recovered 12.4 s after postgres.primary was lost, within 20 s, and no acknowledged write was lost."
	return r
}

// LostWrites is a failover drill with asynchronous replication in which 395
// acknowledged writes are gone.
func LostWrites() *reports.Result {
	r := failover(drill{noticed: 9300, promoted: 11200, rerouted: 12300, firstOK: 12400, steady: 12900, stalled: 2004, lost: 395, point: 2120})
	r.Options = map[string]string{"replication": "async"}
	r.Verdict, r.Outcome, r.Exit = "fail", check.Fail, reports.ExitFail
	r.Sentence = "395 acknowledged writes are gone; the oldest was acknowledged 2.12 s before postgres.primary was lost."
	r.Reasons = []string{
		"395 of 29,811 acknowledged writes are gone",
		"the oldest lost write was acknowledged 2.12 s before T0",
	}
	missed(r, "rpo", "the oldest lost write was acknowledged 2.12 s before T0")
	missed(r, "lost_writes", "395 of 29,811 acknowledged writes are gone")
	r.Checks[0] = check.Verdict{
		Check: "acknowledged-writes", Outcome: check.Fail,
		Reason:   "395 of 29,811 acknowledged writes are gone, all acknowledged before T0",
		Examples: []string{r.Writes.LostIDs[0] + ": acknowledged at 87.881 s, 2.120 s before T0, amount 250, not found on pg-2"},
	}
	return r
}

// Inconclusive is a failover drill whose questions were not really asked: the
// generator fell behind, and replication was never stalled.
func Inconclusive() *reports.Result {
	r := failover(drill{noticed: 9000, promoted: 10800, rerouted: 11900, firstOK: 12000, steady: 12200, stalled: -1})
	r.Verdict, r.Outcome, r.Exit = "inconclusive", check.Inconclusive, reports.ExitInconclusive
	r.Sentence = "The run does not settle it: the generator sent 96.1 % of what was asked, and the recovery point was not exercised."
	r.Reasons = []string{
		"the generator fell behind: 96.1 % of the offered operations were sent, 99 % is needed",
		"not exercised: replication was not stalled at T0",
	}
	r.Generator = check.Generator{
		Offered: 44000, Sent: 42284, Completed: 42284, Shed: 1716, LagP50: 4.2, LagP99: 181, LagMax: 912,
		Fell: true, Reason: "96.1 % of the offered operations were sent, 99 % is needed",
	}
	r.Faults = r.Faults[1:]
	unclear(r, "rpo", "not exercised: replication was not stalled at T0", true)
	unclear(r, "p99", "the generator fell behind in this phase", false)
	r.Diagnoses = []check.Diagnosis{{
		Sign: "pool-saturated", Node: "api-1",
		Text:     "api-1 has too few connections to its database: all 8 were in use in 31 of 60 looks while nothing was broken",
		Evidence: []string{"4,120 connections had to be waited for, of 9,800 taken", "at most 8 in use at once, of 8"},
		Next:     "see which statements hold connections longest",
	}}
	r.Checks[4] = check.Verdict{Check: "replicas-agree", Outcome: check.Inconclusive, Reason: "pg-1 was not read: it had not rejoined within 60 s"}
	return r
}

// FiveDrills is a failover drill repeated five times, of which the fourth
// missed its recovery time.
func FiveDrills() *reports.Result {
	r := failover(
		drill{noticed: 9100, promoted: 11000, rerouted: 12100, firstOK: 12200, steady: 18900, jitter: 1200, stalled: 2004},
		drill{noticed: 9400, promoted: 11300, rerouted: 12500, firstOK: 12600, steady: 19400, jitter: 7900, stalled: 2001},
		drill{noticed: 8900, promoted: 10700, rerouted: 11900, firstOK: 12000, steady: 17700, jitter: 3300, stalled: 2002},
		drill{noticed: 9100, promoted: 11000, rerouted: 38700, firstOK: 39000, steady: 41200, jitter: 9600, stalled: 2003},
		drill{noticed: 9800, promoted: 11800, rerouted: 12900, firstOK: 13000, steady: 19100, jitter: 400, stalled: 2002},
	)
	r.Verdict, r.Outcome, r.Exit = "fail", check.Fail, reports.ExitFail
	r.Sentence = "In drill 4 of 5 clients recovered 41.2 s after postgres.primary was lost, 21.2 s over 20 s."
	r.Reasons = []string{"drill 4: the route to the new primary was switched 27.7 s after it was promoted"}
	missed(r, "rto", "drill 4: the route to the new primary was switched 27.7 s after it was promoted")
	return r
}

// ThreeSeconds is the shortest run that makes sense.
func ThreeSeconds() *reports.Result {
	r := base("smoke", "scenarios/smoke.yaml", "0b1e")
	r.TookMS, r.ReadyMS, r.ImagesMS = 3420, 310, 60
	r.Verdict, r.Outcome = "pass", check.Pass
	r.Sentence = "All 2 objectives were met."
	r.Series = []check.Second{
		{At: 0, Drill: 1, Phase: "only", Offered: 50, OK: 50, P50: 4.1, P99: 31},
		{At: 1, Drill: 1, Phase: "only", Offered: 50, OK: 49, Errors: 1, P50: 3.9, P99: 18},
		{At: 2, Drill: 1, Phase: "only", Offered: 50, OK: 50, P50: 3.8, P99: 17},
	}
	r.Heat = []check.Heat{heat(r, 1)}
	r.Windows = []check.Window{window("only", "", 150, 1, true), window("only", "get-account", 150, 1, true)}
	for i := range r.Windows {
		w := &r.Windows[i]
		w.P50, w.P90, w.P95, w.P99, w.P999, w.Max = 3.9, 9.8, 14.2, 29.4, 31, 31
		w.Parts = []check.Part{{Part: check.PartService, Count: w.OK, P50: 3.8, P99: 29.2, Max: 30.7}}
	}
	r.Generator = check.Generator{Offered: 150, Sent: 150, Completed: 150, LagP50: 0.05, LagP99: 0.4, LagMax: 0.9}
	r.Objectives = []check.ObjectiveResult{
		objective("only", "p99", "ms", 250, 11, 29.4),
		objective("only", "errors", "percent", 1, 25, 0.6667),
	}
	return r
}

// Interrupted is a run that a person stopped in its first drill.
func Interrupted() *reports.Result {
	r := Pass()
	r.Verdict, r.Outcome, r.Exit = "interrupted", check.Inconclusive, reports.ExitInterrupted
	r.Problem = "interrupted after 1m34s, in phase failover of drill 1; everything that was broken has been mended"
	r.Sentence, r.TookMS = "", 101_400
	r.Series, r.Windows = r.Series[:94], r.Windows[:8]
	r.Objectives = r.Objectives[:2]
	for _, o := range []check.ObjectiveResult{
		objective("primary-lost", "rto", "ms", 20000, 28), objective("primary-lost", "lost_writes", "count", 0, 28),
		objective("after", "p99", "ms", 300, 29),
	} {
		o.Outcome, o.Reason = check.Inconclusive, "the run ended before it could be measured"
		r.Objectives = append(r.Objectives, o)
	}
	r.Checks, r.Recoveries = nil, nil
	r.Writes = check.Writes{Attempted: 4210, Acknowledged: 4017, Indeterminate: 193}
	r.Faults = r.Faults[:2]
	for i := range r.Faults {
		r.Faults[i].To = 97_100
	}
	return r
}

// FaultsLeft is a run after which a fault could not be mended.
func FaultsLeft() *reports.Result {
	r := Pass()
	r.Verdict, r.Exit = "fail", reports.ExitFaultsLeft
	r.Outcome = check.Fail
	r.Sentence = "A fault may still be in place: stall link:replication."
	r.Faults[0].Open, r.Faults[0].To = true, -1
	r.FaultsLeft = []string{
		"stall link:replication: proofload heal",
		"by hand: curl -X DELETE http://127.0.0.1:8474/links/replication:pg-1/proxies/link/toxics/stall",
	}
	return r
}

func base(name, file, run string) *reports.Result {
	return &reports.Result{
		SchemaURL: reports.SchemaResultURL, Schema: reports.SchemaResult, Run: run,
		Scenario: reports.Source{Name: name, File: file, SHA256: fmt.Sprintf("%064x", 0x5ca1ab1e)},
		Target:   "stack/ledger", Drills: 1, Seed: 4201,
		Began:      time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC),
		FaultsLeft: []string{},
		Versions:   map[string]string{"proofload": "v0.9.0", "go": "go1.26.8"},
		Host:       map[string]string{"os": "linux/amd64", "kernel": "6.12.5", "cores": "8", "memory": "32768000 kB"},
		Images: map[string]string{
			"pg-1": "sha256:" + strings.Repeat("5a", 32), "pg-2": "sha256:" + strings.Repeat("5a", 32), "redis": "sha256:" + strings.Repeat("e7", 32),
		},
		Plan: name + "  on stack/ledger\n  seed 4201\n\nload  ledger/mixed, poisson arrivals\n",
	}
}

// objective makes a met or missed upper limit from what the drills measured.
func objective(subject, metric, unit string, limit float64, line int, samples ...float64) check.ObjectiveResult {
	o := check.ObjectiveResult{
		Subject: subject, Metric: metric, Unit: unit, Op: "<=", Limit: limit, Samples: samples,
		Outcome: check.Pass, OK: true, At: check.Place{Line: line, Col: 18},
	}
	for _, s := range samples {
		o.Value = max(o.Value, s)
	}
	o.Margin = limit - o.Value
	if len(samples) == 0 {
		o.Margin = 0
	}
	if o.Margin < 0 {
		o.Outcome, o.OK = check.Fail, false
	}
	return o
}

func missed(r *reports.Result, metric, reason string) {
	for i := range r.Objectives {
		if o := &r.Objectives[i]; o.Metric == metric && o.Margin < 0 {
			o.Outcome, o.Reason = check.Fail, reason
		}
	}
}

// unclear makes the first objective with the metric inconclusive.
func unclear(r *reports.Result, metric, reason string, unmeasured bool) {
	for i := range r.Objectives {
		o := &r.Objectives[i]
		if o.Metric != metric {
			continue
		}
		o.Outcome, o.Reason = check.Inconclusive, reason
		if unmeasured {
			o.Samples, o.Value, o.Margin = []float64{}, 0, 0
		}
		return
	}
}
