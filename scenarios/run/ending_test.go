package run

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

func TestConclude(t *testing.T) {
	stall := chaos.Undo{Kind: "stall", Target: "replication:pg-1", Manual: []string{"curl -X DELETE http://127.0.0.1:1/"}}
	stuck, stays := errors.New("recover stall-1: gave up"), errors.New("remove stack: no engine")
	for _, tt := range []struct {
		name        string
		judged      check.Outcome
		end         Ending
		wantVerdict string
		wantExit    int
		wantProblem string
	}{
		{"pass", check.Pass, Ending{}, "pass", 0, ""},
		{"fail", check.Fail, Ending{}, "fail", 1, ""},
		{"a step failed", check.Pass, Ending{Failed: stuck}, "inconclusive", 4, "recover stall-1: gave up"},
		{"a step failed, and an objective", check.Fail, Ending{Failed: stuck}, "fail", 1, "recover stall-1: gave up"},
		{"not ready", check.Inconclusive, Ending{NotReady: errors.New("no engine")}, "error", 3, "no engine"},
		{"stopped", check.Fail, Ending{Stopped: errors.New("too many errors")}, "stopped", 5, "too many errors"},
		{"interrupted", check.Inconclusive, Ending{Canceled: true}, "interrupted", 130, "interrupted before the end"},
		{
			"interrupted and not mended", check.Inconclusive,
			Ending{Canceled: true, Failed: stuck, Left: []chaos.Undo{stall}},
			"interrupted", 6, "interrupted before the end; recover stall-1: gave up",
		},
		{"not taken down", check.Pass, Ending{NotDown: stays}, "error", 3, "remove stack: no engine"},
		{"not taken down after a miss", check.Fail, Ending{NotDown: stays}, "fail", 1, "remove stack: no engine"},
		{
			"interrupted and not taken down", check.Inconclusive,
			Ending{Canceled: true, NotDown: stays},
			"error", 3, "interrupted before the end; remove stack: no engine",
		},
		{
			"neither mended nor taken down", check.Pass,
			Ending{Failed: stuck, NotDown: stays, Left: []chaos.Undo{stall}},
			"error", 6, "recover stall-1: gave up; remove stack: no engine",
		},
		{"not mended", check.Pass, Ending{Failed: stuck, Left: []chaos.Undo{stall}}, "inconclusive", 6, "recover stall-1: gave up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := judged(tt.judged)
			Conclude(r, tt.end, Times{})
			if r.Verdict != tt.wantVerdict || r.Exit != tt.wantExit || r.Problem != tt.wantProblem {
				t.Errorf("%s, exit %d, problem %q; want %s, %d, %q", r.Verdict, r.Exit, r.Problem, tt.wantVerdict, tt.wantExit, tt.wantProblem)
			}
			if left := len(tt.end.Left); len(r.FaultsLeft) != left || r.Faults[0].Open != (left > 0) {
				t.Errorf("faults left: %q, the fault is open: %t; want %d", r.FaultsLeft, r.Faults[0].Open, left)
			}
		})
	}
}

// TestStepErrorOfAMissedMoment wants no more said than that, while nothing is left.
func TestStepErrorOfAMissedMoment(t *testing.T) {
	missed := fmt.Errorf("inject kill worker: kill worker-1: %w", &chaos.MissedError{Moment: "the queue jobs had not come to ready>0 within 20s"})
	for _, tt := range []struct {
		err  error
		want string
	}{
		{missed, "worker-killed was not injected: its moment never came: the queue jobs had not come to ready>0 within 20s"},
		{
			errors.Join(missed, fmt.Errorf("%w: no engine", chaos.ErrLeft)),
			"inject worker-killed: inject kill worker: kill worker-1: its moment never came: the queue jobs had not come to ready>0 within 20s\n" +
				"a fault may still be in effect: no engine",
		},
		{errors.New("no engine"), "inject worker-killed: no engine"},
	} {
		err := &StepError{Step: "inject", Entry: check.Entry{Name: "worker-killed"}, Err: tt.err}
		if err.Error() != tt.want {
			t.Errorf("%q, want %q", err, tt.want)
		}
	}
}

// judged is a result of a run in which a stall was not seen to go.
func judged(o check.Outcome) *reports.Result {
	r := &reports.Result{Verdict: string(o)}
	r.Outcome = o
	r.Faults = []check.FaultWindow{{Verb: "stall", Target: "replication:pg-1", To: -1, Open: true}}
	return r
}

// TestReview judges a run again whose fault was left, and once it was mended.
func TestReview(t *testing.T) {
	f := &fakeFault{healErr: errors.New("no route to host")}
	dir := reports.Directory{Path: t.TempDir()}
	var end Ending
	synctest.Test(t, func(t *testing.T) { end = carryOut(t, dir, f) })

	m := &reports.Manifest{Run: "r"}
	first, err := Judge(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	Conclude(first, end, Times{Took: time.Minute, Ready: 12 * time.Second, Images: time.Second})
	if first.Exit != reports.ExitFaultsLeft || !strings.Contains(first.Problem, "recover lost") || len(first.FaultsLeft) != 1 {
		t.Errorf("exit %d, problem %q, left %q; want 6 and what could not be recovered", first.Exit, first.Problem, first.FaultsLeft)
	}
	for _, old := range []*reports.Result{first, nil} { // nil: the run was killed
		again, reviewErr := Review(dir, m, old)
		if reviewErr != nil {
			t.Fatal(reviewErr)
		}
		if old != nil && (again.TookMS != 60_000 || again.ReadyMS != 12_000 || again.ImagesMS != 1000) {
			t.Errorf("judged again, it took %v, %v and %v ms, want 60000, 12000 and 1000", again.TookMS, again.ReadyMS, again.ImagesMS)
		}
		if again.Exit != reports.ExitFaultsLeft {
			t.Errorf("judged again: exit %d, want %d", again.Exit, reports.ExitFaultsLeft)
		}
		if diff := cmp.Diff(first.FaultsLeft, again.FaultsLeft); diff != "" {
			t.Errorf("faults left (-run +judged again):\n%s", diff)
		}
	}

	f.healErr = nil
	journal, err := chaos.OpenJournal(dir.File(reports.FileJournal))
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(chaos.HealAll(t.Context(), f.catalog(), fakeEnv{}, journal), journal.Close()); err != nil {
		t.Fatal(err)
	}
	healed, err := Review(dir, m, first)
	if err != nil {
		t.Fatal(err)
	}
	open := slices.ContainsFunc(healed.Faults, func(w check.FaultWindow) bool { return w.Open })
	if healed.Exit != reports.ExitInconclusive || len(healed.FaultsLeft) > 0 || open {
		t.Errorf("healed: exit %d, left %q, open %t; want %d and nothing", healed.Exit, healed.FaultsLeft, open, reports.ExitInconclusive)
	}
}

// carryOut breaks something in a run whose files are in dir, and fails to mend
// it.
func carryOut(t *testing.T, dir reports.Directory, f *fakeFault) Ending {
	t.Helper()
	rec, err := history.Create(dir.File(history.FileName))
	if err != nil {
		t.Fatal(err)
	}
	journal, err := chaos.OpenJournal(filepath.Join(dir.Path, reports.FileJournal))
	if err != nil {
		t.Fatal(err)
	}
	rig := &Rig{Env: fakeEnv{}, Catalog: f.catalog(), Journal: journal, Recorder: rec}
	tl := newTimeline(rig, plan.Drill{N: 1}, steps(0))
	if err := tl.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	tl.begin(t.Context(), rec.Now(), func(error) {})
	tl.wait()
	end := Ending{Failed: tl.mend(t.Context()), Left: undone(journal)}
	if err := errors.Join(rec.Close(), journal.Close()); err != nil {
		t.Fatal(err)
	}
	return end
}
