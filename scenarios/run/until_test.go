package run

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// untilPlan has a phase that lasts until an entry of it is over, which is asked for
// at 2 s of it, and a mark one second into the next.
func untilPlan(atMost time.Duration, entry plan.Step) *plan.Plan {
	entry.Entry.Name, entry.Entry.Verb, entry.Entry.Target, entry.Entry.Phase, entry.Entry.At = "work", entry.Verb, "pg-1", "busy", 3*time.Second
	end := time.Second + atMost
	rates := func(name string, lasts time.Duration) loadgen.Phase {
		return loadgen.Phase{Name: name, For: lasts, From: 10, To: 10}
	}
	return &plan.Plan{
		Scenario: &scenarios.Scenario{},
		Arrivals: loadgen.Even,
		Phases:   []loadgen.Phase{rates("calm", time.Second), rates("busy", atMost), rates("after", 4*time.Second)},
		Spec: check.Spec{
			Phases: []check.Phase{
				{Name: "calm", For: time.Second, From: 10, To: 10, Score: true},
				{Name: "busy", Start: time.Second, For: atMost, From: 10, To: 10, Score: true, Until: "work"},
				{Name: "after", Start: end, For: 4 * time.Second, From: 10, To: 10, Score: true},
			},
			Objectives: []check.Objective{{Subject: "busy", Metric: "errors", Op: "<=", Limit: 1}, {Subject: "after", Metric: "errors", Op: "<=", Limit: 1}},
			Drills:     1,
		},
		Steps: []plan.Step{
			entry,
			{Entry: check.Entry{Name: "later", Verb: "mark", Phase: "after", At: end + time.Second}, Verb: "mark"},
		},
		Drills: []plan.Drill{{N: 1, Seed: 1}},
	}
}

// TestPhaseEndsEarly has a phase end when an entry of it is over, a gate that was
// passed or a fault that is gone, or after its time. All that comes after is as
// much earlier, and the judge finds it in its phase.
func TestPhaseEndsEarly(t *testing.T) {
	const over = leadIn // after the entry is, for it is announced ahead
	fault := plan.Step{Verb: "break", Fault: true, Params: chaos.Params{For: 5 * time.Second}}
	for _, tt := range []struct {
		name    string
		entry   plan.Step
		atMost  time.Duration
		waits   time.Duration // at the gate
		lasts   time.Duration // the phase
		outcome check.Outcome
	}{
		{"fault", fault, time.Hour, 0, 7*time.Second + over, check.Pass},
		{"gate at once", plan.Step{Verb: scenarios.VerbGate}, time.Hour, 0, 2*time.Second + over, check.Pass},
		{"gate", plan.Step{Verb: scenarios.VerbGate}, time.Hour, 20 * time.Second, 22*time.Second + over, check.Pass},
		{"at the last moment", fault, 7100 * time.Millisecond, 0, 7100 * time.Millisecond, check.Pass},
		{"not in time", fault, 4 * time.Second, 0, 4 * time.Second, check.Inconclusive},
		{"gate at the end", plan.Step{Verb: scenarios.VerbGate}, 2100 * time.Millisecond, 20 * time.Second, 22100 * time.Millisecond, check.Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var file bytes.Buffer
				tt.entry.Entry.For = max(tt.entry.Params.For, time.Minute)
				p := untilPlan(tt.atMost, tt.entry)
				end := carriedOut(t, &file, p, func(ctx context.Context, _ Gate) (Answer, error) {
					return Answer{GoOn: loadgen.Wait(ctx, tt.waits), By: "ann"}, nil
				})
				if end.Unfinished() {
					t.Errorf("ended with %+v", end)
				}
				checkEarly(t, &file, time.Second+tt.lasts)
				j, err := check.Judge(p.Spec, history.Read(bytes.NewReader(file.Bytes())))
				if err != nil {
					t.Fatal(err)
				}
				if j.Outcome != tt.outcome || j.Generator.Fell {
					t.Errorf("judged %s: %s; the generator: %s", j.Outcome, j.Sentence, j.Generator.Reason)
				}
				if tt.outcome != check.Pass && !strings.Contains(j.Sentence, "was to last until work is over") {
					t.Errorf("the verdict says %q", j.Sentence)
				}
			})
		})
	}
}

// checkEarly checks when a phase that began at 1 s gave way to the next.
func checkEarly(t *testing.T, file *bytes.Buffer, end time.Duration) {
	t.Helper()
	began, spans, mark := time.Duration(0), map[string][2]time.Duration{}, time.Duration(0)
	for e, err := range history.Read(bytes.NewReader(file.Bytes())) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Op == history.RunDrill:
			began = e.At
		case e.Op == history.RunMark:
			mark = e.At - began
		case e.By == history.ByLoad:
			s, known := spans[e.Phase]
			if !known {
				s[0] = e.Sched - began
			}
			spans[e.Phase] = [2]time.Duration{s[0], e.Sched - began}
		}
	}
	const half = 50 * time.Millisecond
	if s := spans["busy"]; s[0] != time.Second+half || s[1] >= end || s[1] < end-3*half {
		t.Errorf("the phase had operations from %v to %v, want to %v", s[0], s[1], end)
	}
	if diff := cmp.Diff([2]time.Duration{end + half, end + 4*time.Second - half}, spans["after"]); diff != "" {
		t.Errorf("the next phase (-want +got):\n%s", diff)
	}
	if mark != end+time.Second {
		t.Errorf("an entry of the next phase was at %v, want %v", mark, end+time.Second)
	}
}
