package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// restorableEnv restores what it is told to.
type restorableEnv struct {
	fakeEnv

	rows     []string
	archived bool
	err      error
	node     *string
	back     *time.Duration // how long ago it was asked to go back to
}

func (e restorableEnv) Backup(ctx context.Context, kind sut.BackupKind) (sut.Backup, error) {
	select {
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
	}
	b := sut.Backup{Label: "F", Kind: kind, Bytes: 20, Copied: 20, Stored: 5}
	if kind == sut.BackupIncremental {
		b.Label, b.Base, b.Copied, b.Stored = "F_I", "F", 3, 2
	}
	return b, e.err
}

func (e restorableEnv) Restore(ctx context.Context, node string, to time.Time, query string) (sut.Restored, error) {
	if query != "everything of drill 1" {
		return sut.Restored{}, errors.New("a wrong query: " + query)
	}
	*e.node = node
	if !to.IsZero() {
		*e.back = time.Since(to)
	}
	select {
	case <-time.After(10 * time.Second):
		return sut.Restored{Rows: e.rows, Bytes: 20e6, Archived: e.archived}, e.err
	case <-ctx.Done():
		return sut.Restored{}, ctx.Err()
	}
}

func restoring() []plan.Step {
	target, _ := fakeEnv{}.Topology().Select("postgres")
	step := func(at time.Duration, verb, name, to string) plan.Step {
		return plan.Step{Entry: check.Entry{Name: name, Verb: verb, Target: "postgres", At: at}, Verb: verb, To: to, Params: chaos.Params{Target: target}}
	}
	return []plan.Step{
		step(time.Minute, "backup", "full", ""),
		step(2*time.Minute, "mark", "good", ""),
		step(3*time.Minute, "restore", "back", "good"),
	}
}

func TestRestoreRecordsWhatItHolds(t *testing.T) {
	down := errors.New("no route to host")
	for _, tt := range []struct {
		name     string
		env      restorableEnv
		deadline time.Duration
		wantErr  error
		want     []string
	}{
		{
			"restored",
			restorableEnv{rows: []string{"a", "b"}, archived: true},
			time.Hour, nil,
			[]string{"full inject ", "full injected ", "full settled ", "back inject ", "back injected ", "back restored a", "back restored b", "back restored  180 120", "back settled "},
		},
		{
			"not archived to the end",
			restorableEnv{rows: []string{"a"}},
			time.Hour, nil,
			[]string{"full inject ", "full injected ", "full settled ", "back inject ", "back injected ", "back restored a", "back restored  0 120", "back settled "},
		},
		{
			"a row that nobody can read",
			restorableEnv{rows: []string{"a", "what is that"}},
			time.Hour, nil,
			[]string{"full inject ", "full injected ", "full settled ", "back inject ", "back injected ", "back restored a", "back failed "},
		},
		{"cut short", restorableEnv{}, 185 * time.Second, nil, []string{"full inject ", "full injected ", "full settled ", "back inject "}},
		{"nothing can be backed up", restorableEnv{err: down}, 100 * time.Second, down, []string{"full inject ", "full failed "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				rig, _ := newTestRig(t, &fakeFault{})
				var node string
				var back time.Duration
				tt.env.node, tt.env.back = &node, &back
				rig.Env = tt.env
				rig.Holdings = func(drill int) Holdings {
					return Holdings{Query: fmt.Sprintf("everything of drill %d", drill), Read: func(row string) (history.Event, error) {
						if strings.Contains(row, " ") {
							return history.Event{}, errors.New("no row: " + row)
						}
						return history.Event{ID: row, Amount: 5, Count: 1}, nil
					}}
				}
				var got []string
				began := rig.Recorder.Now()
				rig.Recorder.Tap(func(e *history.Event) {
					switch {
					case e.By == history.ByFault:
						got = append(got, e.ID+" "+e.Op+" ")
					case e.By == history.ByAudit && e.ID != "":
						got = append(got, e.Target+" "+e.Op+" "+e.ID)
					case e.By == history.ByAudit:
						seconds := func(ns int64) int { return int(max(0, time.Duration(ns)-began).Seconds()) }
						got = append(got, fmt.Sprintf("%s %s  %d %d", e.Target, e.Op, seconds(e.Value), seconds(e.Amount)))
					}
				})
				tl := newTimeline(rig, plan.Drill{N: 1}, restoring())
				tl.begin(ctx, began, func(error) {})
				tl.wait()
				if err := tl.mend(ctx); !errors.Is(err, tt.wantErr) {
					t.Errorf("mend() = %v, want %v", err, tt.wantErr)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if tt.wantErr == nil && (node != "pg-2" || back != time.Minute) {
					t.Errorf("restored on %q, to %s before; want pg-2, which is not the primary, and 1m", node, back)
				}
			})
		})
	}
}

func TestRestoreToAMarkThatWasNotReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig, ops := newTestRig(t, &fakeFault{})
		rig.Env, rig.Holdings = restorableEnv{}, func(int) Holdings { return Holdings{} }
		tl := newTimeline(rig, plan.Drill{N: 1}, restoring()[2:3])
		if err := tl.carryOut(t.Context(), 0, 0); err == nil || !strings.Contains(err.Error(), "mark good was not reached") {
			t.Errorf("restore = %v", err)
		}
		if diff := cmp.Diff([]string{"failed"}, ops()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestBackups checks that each is of its kind, and that one waits for the other.
func TestBackups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig, _ := newTestRig(t, &fakeFault{})
		rig.Env = restorableEnv{}
		began := rig.Recorder.Now()
		var got []string
		rig.Recorder.Tap(func(e *history.Event) {
			if e.Op != history.FaultInjected {
				got = append(got, fmt.Sprintf("%s %s %s %s", (e.At-began).Round(time.Second), e.ID, e.Op, e.Text))
			}
		})
		target, _ := fakeEnv{}.Topology().Select("postgres")
		backup := func(at time.Duration, name string, kind sut.BackupKind) plan.Step {
			return plan.Step{Entry: check.Entry{Name: name, Verb: "backup", At: at}, Verb: "backup", Backup: kind, Params: chaos.Params{Target: target}}
		}
		tl := newTimeline(rig, plan.Drill{N: 1}, []plan.Step{
			backup(time.Minute, "first", sut.BackupFull), backup(time.Minute+2*time.Second, "second", sut.BackupIncremental),
		})
		tl.begin(t.Context(), began, func(error) {})
		tl.wait()
		if diff := cmp.Diff([]string{
			"1m0s first inject ",
			"1m5s first settled full backup F: 20 bytes, 5 stored",
			"1m5s second inject ",
			"1m10s second settled incremental backup F_I: 3 bytes of 20 have changed since F, 2 stored",
		}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestNothingToRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig, _ := newTestRig(t, &fakeFault{})
		for _, s := range restoring()[:1] {
			tl := newTimeline(rig, plan.Drill{N: 1}, []plan.Step{s})
			if err := tl.carryOut(t.Context(), 0, 0); !errors.Is(err, sut.ErrUnsupported) {
				t.Errorf("%s = %v, want %v", s.Verb, err, sut.ErrUnsupported)
			}
		}
	})
}
