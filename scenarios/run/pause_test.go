package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
	"github.com/proofload/proofload/sut"
)

// instant are operations that are done at once.
type instant struct{}

func (instant) Ops() []string { return []string{"op"} }

func (instant) Next(int, uint64) loadgen.Operation {
	return loadgen.Operation{Op: "op", Extras: loadgen.Extras{Run: func(context.Context) loadgen.Outcome {
		return loadgen.Outcome{Answer: loadgen.Done}
	}}}
}

func (instant) Observe(*loadgen.Operation, bool) {}

// TestGateStopsTheClock has people take their time at a gate. The load goes on,
// and all that comes after it is as much later, so that what was planned is what
// was done, and the judge finds it in its phase.
func TestGateStopsTheClock(t *testing.T) {
	for _, waits := range []time.Duration{0, 40 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var file bytes.Buffer
			end := gated(t, &file, func(ctx context.Context, _ Gate) (Answer, error) {
				return Answer{GoOn: loadgen.Wait(ctx, waits), By: "ann"}, nil
			})
			if end.Unfinished() {
				t.Errorf("ended with %+v", end)
			}
			began, moments, spans, count := time.Duration(0), map[string]time.Duration{}, map[string][2]time.Duration{}, 0
			for e, err := range history.Read(bytes.NewReader(file.Bytes())) {
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case e.Op == history.RunDrill:
					began = e.At
				case e.By == history.ByLoad:
					s, known := spans[e.Phase]
					if !known {
						s[0] = e.Sched - began
					}
					spans[e.Phase] = [2]time.Duration{s[0], e.Sched - began}
					count++
				case e.Op == history.FaultInject, e.Op == history.FaultRecover, e.Op == history.RunMark, e.Op == history.RunHold, e.Op == history.RunGoOn:
					moments[e.Op+" "+e.ID] = e.At - began
				}
			}
			want := map[string]time.Duration{
				"mark before": 2 * time.Second, "hold ask": 2 * time.Second, "go-on ask": 2*time.Second + waits, "mark after": 2*time.Second + waits,
				"inject lost": 5*time.Second + waits, "recover lost": 8*time.Second + waits,
			}
			if diff := cmp.Diff(want, moments); diff != "" {
				t.Errorf("after %s at the gate (-want +got):\n%s", waits, diff)
			}
			const half = 50 * time.Millisecond
			wantSpans := map[string][2]time.Duration{"calm": {half, 4*time.Second + waits - half}, "hit": {4*time.Second + waits + half, 10*time.Second + waits - half}}
			if diff := cmp.Diff(wantSpans, spans); diff != "" || count != 100+int(10*waits.Seconds()) {
				t.Errorf("%d operations, by phase (-want +got):\n%s", count, diff)
			}
			checkGated(t, &file, began, waits)
		})
	}
}

// checkGated judges the history of a gated run.
func checkGated(t *testing.T, file *bytes.Buffer, began, waits time.Duration) {
	t.Helper()
	j, err := check.Judge(gatedPlan().Spec, history.Read(bytes.NewReader(file.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	if j.Generator.Fell || j.Objectives[0].Outcome != check.Pass {
		t.Errorf("the generator fell behind: %q, the objective: %+v", j.Generator.Reason, j.Objectives[0])
	}
	if calm := j.Windows[0]; calm.Phase != "calm" || calm.Count != 40+int64(10*waits.Seconds()) {
		t.Errorf("%s has %d operations", calm.Phase, calm.Count)
	}
	for _, e := range j.Journal {
		if want := began + 4*time.Second + waits; e.Text == "phase hit begins" && e.At != float64(want)/float64(time.Millisecond) {
			t.Errorf("the judge has the second phase begin at %v ms, want %v", e.At, want)
		}
	}
}

// TestGateOfAStoppedLoad says nothing of what comes after it: nobody was there.
func TestGateOfAStoppedLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		end := gated(t, &file, func(ctx context.Context, _ Gate) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() })
		if !errors.Is(end.Stopped, errGate) {
			t.Errorf("ended with %+v", end)
		}
		for e, err := range history.Read(bytes.NewReader(file.Bytes())) {
			if err != nil || e.Op == history.RunGoOn || e.By == history.ByFault || e.Phase == "hit" || e.ID == "after" {
				t.Errorf("recorded after the gate: %+v, %v", e, err)
			}
		}
	})
}

// TestNoMeans finds out while a drill is prepared that the system has no means for
// a fault: there is no load for nothing.
func TestNoMeans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		p := gatedPlan()
		p.Steps = p.Steps[3:]
		f := &fakeFault{prepareErr: fmt.Errorf("%w: netem on pg-1", sut.ErrUnsupported)}
		end := brokenBy(t, &file, p, nil, f)
		step, ok := errors.AsType[*StepError](end.NotReady)
		if !ok || step.Step != "make" || !errors.Is(step, sut.ErrUnsupported) || len(end.Left) > 0 || f.broken > 0 {
			t.Errorf("ended with %+v", end)
		}
		for e, err := range history.Read(bytes.NewReader(file.Bytes())) {
			if err != nil || e.By == history.ByLoad || e.Op == history.RunDrill {
				t.Errorf("recorded %+v, %v", e, err)
			}
		}
	})
}

func gatedPlan() *plan.Plan {
	entry := func(name, verb string, at, lasts time.Duration) plan.Step {
		return plan.Step{Entry: check.Entry{Name: name, Verb: verb, Target: "pg-1", Phase: "calm", At: at, For: lasts}, Verb: verb, Fault: verb == "break", Params: chaos.Params{For: lasts}}
	}
	return &plan.Plan{
		Scenario: &scenarios.Scenario{},
		Arrivals: loadgen.Even,
		Phases:   []loadgen.Phase{{Name: "calm", For: 4 * time.Second, From: 10, To: 10}, {Name: "hit", For: 6 * time.Second, From: 10, To: 10}},
		Spec: check.Spec{
			Phases: []check.Phase{
				{Name: "calm", For: 4 * time.Second, From: 10, To: 10, Score: true},
				{Name: "hit", Start: 4 * time.Second, For: 6 * time.Second, From: 10, To: 10, Score: true},
			},
			Objectives: []check.Objective{{Subject: "hit", Metric: "errors", Op: "<=", Limit: 1}},
			Drills:     1,
		},
		Steps: []plan.Step{
			entry("before", "mark", 2*time.Second, 0), entry("ask", "gate", 2*time.Second, time.Minute), entry("after", "mark", 2*time.Second, 0),
			entry("lost", "break", 5*time.Second, 3*time.Second),
		},
		Drills: []plan.Drill{{N: 1, Seed: 1}},
	}
}

// gated carries out a plan with a gate and writes its history to file.
func gated(t *testing.T, file *bytes.Buffer, ask func(context.Context, Gate) (Answer, error)) Ending {
	t.Helper()
	return carriedOut(t, file, gatedPlan(), ask)
}

// carriedOut carries out a plan and writes its history to file.
func carriedOut(t *testing.T, file *bytes.Buffer, p *plan.Plan, ask func(context.Context, Gate) (Answer, error)) Ending {
	t.Helper()
	return brokenBy(t, file, p, ask, &fakeFault{})
}

// brokenBy is carriedOut with a fault of the test's own.
func brokenBy(t *testing.T, file *bytes.Buffer, p *plan.Plan, ask func(context.Context, Gate) (Answer, error), f *fakeFault) Ending {
	t.Helper()
	rec, err := history.NewRecorder(file)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	rig := &Rig{
		Env: fakeEnv{}, Catalog: f.catalog(), Journal: journal, Recorder: rec, Workload: instant{}, Ask: ask,
		Gate:  func(context.Context) error { return nil },
		Watch: func(ctx context.Context) { <-ctx.Done() },
		Audit: func(context.Context, FinalReads) error {
			rec.Record(history.Event{Kind: history.Info, By: history.ByAudit, Op: history.AuditDone, Drill: 1})
			return nil
		},
	}
	end := rig.Run(t.Context(), p)
	if err := errors.Join(rec.Close(), journal.Close()); err != nil {
		t.Fatal(err)
	}
	return end
}
