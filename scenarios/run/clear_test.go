package run

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestClearBeforeEachDrill engages a kill switch between two drills.
func TestClearBeforeEachDrill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, err := history.NewRecorder(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
		if err != nil {
			t.Fatal(err)
		}
		began, asked := 0, 0
		rec.Tap(func(e *history.Event) {
			if e.Op == history.RunDrill {
				began++
			}
		})
		rig := &Rig{
			Env: fakeEnv{}, Catalog: (&fakeFault{}).catalog(), Journal: journal, Recorder: rec, Workload: instant{},
			Gate:  func(context.Context) error { return nil },
			Watch: func(ctx context.Context) { <-ctx.Done() },
			Audit: func(context.Context, FinalReads) error { return nil },
			Clear: func(context.Context) error {
				asked++
				if asked == 2 {
					return chaos.ErrEngaged
				}
				return nil
			},
		}
		p := gatedPlan()
		p.Steps, p.Drills = nil, []plan.Drill{{N: 1, Seed: 1}, {N: 2, Seed: 2}}
		end := rig.Run(t.Context(), p)
		if !errors.Is(end.Stopped, chaos.ErrEngaged) || asked != 2 || began != 1 {
			t.Errorf("ended with %+v after %d drills, asked %d times", end, began, asked)
		}
		if err := errors.Join(rec.Close(), journal.Close()); err != nil {
			t.Fatal(err)
		}
	})
}
