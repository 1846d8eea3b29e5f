package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
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

// fakeEnv is two nodes of which faults break one.
type fakeEnv struct{}

func (fakeEnv) Topology() sut.Topology {
	return sut.Topology{Name: "fake", Nodes: []sut.Node{{Name: "pg-1", Role: sut.RoleDatabase}, {Name: "pg-2", Role: sut.RoleDatabase}}}
}
func (fakeEnv) Endpoint(string) (string, bool) { return "", false }
func (fakeEnv) Close(context.Context) error    { return nil }
func (fakeEnv) Primary(context.Context) (sut.Node, error) {
	return sut.Node{Name: "pg-1", Role: sut.RoleDatabase}, nil
}
func (fakeEnv) Kill(context.Context, string) error               { return nil }
func (fakeEnv) Start(context.Context, string) error              { return nil }
func (fakeEnv) State(context.Context, string) (sut.State, error) { return sut.Running, nil }

// fakeFault counts what is broken and fails as told.
type fakeFault struct {
	broken                        int
	injectErr, settleErr, healErr error
	prepareErr                    error
	recovered                     int           // calls that found something broken
	wholeAfter                    time.Duration // from the injection on
	endsAfter                     time.Duration // something else undoes it; 0: nothing does
	idleFor                       time.Duration // nothing meets it
	began                         time.Time
}

func (f *fakeFault) String() string { return "break pg-1" }

func (f *fakeFault) Prepare(context.Context) (chaos.Undo, error) {
	return chaos.Undo{Kind: "break", Target: "pg-1", Data: json.RawMessage(`{}`)}, f.prepareErr
}

func (f *fakeFault) Inject(context.Context) (chaos.Injection, error) {
	f.began = time.Now()
	f.broken = 1 // also when it fails: halfway
	if f.injectErr != nil {
		return nil, f.injectErr
	}
	return f, nil
}

func (f *fakeFault) Settle(ctx context.Context) (chaos.Evidence, error) {
	if f.endsAfter > 0 && time.Since(f.began) > f.endsAfter {
		<-ctx.Done() // as a real one would: it waits until it is in effect
		return chaos.Evidence{}, errors.New("pg-1 is running")
	}
	return chaos.Evidence{By: "eye", Saw: "it is broken", Idle: time.Since(f.began) < f.idleFor}, f.settleErr
}

func (f *fakeFault) Recover(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err // as a real one would: it cannot reach anything
	}
	if f.healErr != nil {
		return f.healErr
	}
	f.recovered += f.broken
	f.broken = 0
	return nil
}

func (f *fakeFault) Recovered(ctx context.Context) (chaos.Evidence, error) {
	if err := chaos.Watch(ctx, func(context.Context) error {
		if time.Since(f.began) < f.wholeAfter {
			return errWaking
		}
		return nil
	}); err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{By: "eye", Saw: "it is whole"}, nil
}

var errWaking = errors.New("pg-1 does not serve yet")

// catalog has the one fault under the name break.
func (f *fakeFault) catalog() chaos.Catalog {
	return chaos.NewCatalog([]chaos.Kind{{
		Name: "break",
		New:  func(sut.Environment, *chaos.Targets, chaos.Params) (chaos.Fault, error) { return f, nil },
		Heal: func(ctx context.Context, _ sut.Environment, _ chaos.Undo) error { return f.Recover(ctx) },
	}})
}

// steps break pg-1 at one minute for a minute, unless start ends it before.
func steps(startAt time.Duration) []plan.Step {
	all := []plan.Step{{
		Entry: check.Entry{Name: "lost", Verb: "break", Target: "postgres.primary", At: time.Minute, For: time.Minute},
		Verb:  "break", Fault: true, Params: chaos.Params{For: time.Minute},
	}}
	if startAt > 0 {
		target, _ := fakeEnv{}.Topology().Select("pg-1")
		all[0].Entry.For, all[0].Params.For = 0, 0
		all = append(all, plan.Step{
			Entry: check.Entry{Name: "start-1", Verb: "start", Target: "pg-1", At: startAt}, Verb: "start", Params: chaos.Params{Target: target},
		})
	}
	return all
}

func TestTimelineLeavesNothingBroken(t *testing.T) {
	down := errors.New("no route to host")
	for _, tt := range []struct {
		name     string
		fault    fakeFault
		start    time.Duration // of the node, by an entry of its own
		deadline time.Duration
		wantErr  error
		wantLeft int
		wantOps  []string
	}{
		{
			name: "whole drill", deadline: time.Hour,
			wantOps: []string{"inject", "injected", "settled", "recover", "recovered"},
		},
		{
			name: "mended by start", start: 90 * time.Second, deadline: time.Hour,
			wantOps: []string{"inject", "injected", "settled", "inject", "recover", "recovered", "injected", "settled"},
		},
		{name: "cancelled before the fault", deadline: 30 * time.Second},
		{
			name: "cancelled during the fault", deadline: 90 * time.Second,
			wantOps: []string{"inject", "injected", "settled", "recover", "recovered"},
		},
		{
			name: "inject fails halfway", fault: fakeFault{injectErr: down}, deadline: time.Hour, wantErr: down,
			wantOps: []string{"inject", "failed"},
		},
		{
			name: "not seen in effect", fault: fakeFault{settleErr: down}, deadline: time.Hour,
			wantOps: []string{"inject", "injected", "failed", "recover", "recovered"},
		},
		{
			name: "undone by something else", fault: fakeFault{endsAfter: 20 * time.Second}, deadline: time.Hour,
			wantOps: []string{"inject", "injected", "settled", "failed", "recover", "recovered"},
		},
		{
			name: "undone by something else at the end", fault: fakeFault{endsAfter: 59 * time.Second}, deadline: time.Hour,
			wantOps: []string{"inject", "injected", "settled", "failed", "recover", "recovered"},
		},
		{
			name: "met by nothing", fault: fakeFault{idleFor: 2 * time.Minute}, deadline: time.Hour,
			wantOps: []string{"inject", "injected", "settled", "failed", "recover", "recovered"},
		},
		{
			name: "met late", fault: fakeFault{idleFor: 59 * time.Second}, deadline: time.Hour,
			wantOps: []string{"inject", "injected", "settled", "recover", "recovered"},
		},
		{
			name: "undone by something else after its end", fault: fakeFault{endsAfter: 70 * time.Second}, deadline: time.Hour,
			wantOps: []string{"inject", "injected", "settled", "recover", "recovered"},
		},
		{
			name: "cannot be mended", fault: fakeFault{healErr: down}, deadline: time.Hour, wantErr: down, wantLeft: 1,
			wantOps: []string{"inject", "injected", "settled", "recover", "failed", "recover", "failed"},
		},
		{
			name: "not seen whole", fault: fakeFault{wholeAfter: time.Hour}, deadline: time.Hour, wantErr: errWaking, wantLeft: 1,
			wantOps: []string{"inject", "injected", "settled", "recover", "failed", "failed"},
		},
		{
			name: "seen whole in the end", fault: fakeFault{wholeAfter: 3 * time.Minute}, deadline: time.Hour, wantErr: errWaking,
			wantOps: []string{"inject", "injected", "settled", "recover", "failed", "recovered"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				rig, ops := newTestRig(t, &tt.fault)

				tl := newTimeline(rig, plan.Drill{N: 1}, steps(tt.start))
				if err := tl.warm(ctx); err != nil {
					t.Error(err)
				}
				tl.begin(ctx, rig.Recorder.Now(), func(error) {})
				tl.wait()
				err := tl.mend(ctx)

				if !errors.Is(err, tt.wantErr) {
					t.Errorf("mend() = %v, want %v", err, tt.wantErr)
				}
				if left := len(undone(rig.Journal)); left != tt.wantLeft || tt.fault.broken > left {
					t.Errorf("%d faults left in the journal and %d in effect, want %d", left, tt.fault.broken, tt.wantLeft)
				}
				if tt.fault.recovered > 1 {
					t.Errorf("mended %d times, want once", tt.fault.recovered)
				}
				if diff := cmp.Diff(tt.wantOps, ops()); diff != "" {
					t.Errorf("the history says otherwise (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestMendUndoesAllBeforeItWaits has a node that cannot come back while a link
// that was broken before it is broken.
func TestMendUndoesAllBeforeItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFault{}
		rig, ops := newTestRig(t, f)
		tl := newTimeline(rig, plan.Drill{N: 1}, nil)
		link, node := &dependentFault{target: "link"}, &dependentFault{target: "pg-1"}
		node.needs = link
		for _, broken := range []*dependentFault{link, node} {
			active, err := chaos.Arm(t.Context(), rig.Journal, rig.Catalog, rig.Env, broken, nil)
			if err != nil {
				t.Fatal(err)
			}
			tl.faults = append(tl.faults, &fault{step: steps(0)[0], active: active, release: func() {}})
		}
		if err := tl.mend(t.Context()); err != nil {
			t.Errorf("mend() = %v, want nil", err)
		}
		if diff := cmp.Diff([]string{"recover", "recover", "recovered", "recovered"}, ops()); diff != "" {
			t.Errorf("the history says otherwise (-want +got):\n%s", diff)
		}
	})
}

// A dependentFault is not gone before another one is undone.
type dependentFault struct {
	fakeFault

	target string
	needs  *dependentFault
}

func (f *dependentFault) Prepare(context.Context) (chaos.Undo, error) {
	return chaos.Undo{Kind: "break", Target: f.target, Data: json.RawMessage(`{}`)}, nil
}

func (f *dependentFault) Inject(ctx context.Context) (chaos.Injection, error) {
	_, err := f.fakeFault.Inject(ctx)
	return f, err
}

func (f *dependentFault) Recovered(ctx context.Context) (chaos.Evidence, error) {
	if f.needs != nil && f.needs.broken > 0 {
		<-ctx.Done()
		return chaos.Evidence{}, ctx.Err()
	}
	return f.fakeFault.Recovered(ctx)
}

// newTestRig returns a rig with a history in memory, and what it has recorded
// of faults so far.
func newTestRig(t *testing.T, f *fakeFault) (rig *Rig, ops func() []string) {
	t.Helper()
	rec, err := history.NewRecorder(new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	rec.Tap(func(e *history.Event) {
		if e.By == history.ByFault {
			seen = append(seen, e.Op)
		}
	})
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(rec.Close(), journal.Close()); err != nil {
			t.Error(err)
		}
	})
	return &Rig{Env: fakeEnv{}, Catalog: f.catalog(), Journal: journal, Recorder: rec}, func() []string { return slices.Clone(seen) }
}
