package run

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

func TestGate(t *testing.T) {
	answer := func(a Answer, err error) func(context.Context, Gate) (Answer, error) {
		return func(context.Context, Gate) (Answer, error) { return a, err }
	}
	for _, tt := range []struct {
		name string
		ask  func(context.Context, Gate) (Answer, error)
		want string // the last of what is recorded
		pass bool
	}{
		{"passed", answer(Answer{GoOn: true, By: "ann"}, nil), "go passed by ann", true},
		{"refused", answer(Answer{By: "ann"}, nil), "go refused by ann", false},
		{"not answered", func(ctx context.Context, _ Gate) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() }, "go nobody answered within 1m0s", false},
		{"cannot be asked", answer(Answer{}, errors.New("disk full")), "go disk full", false},
		{"nobody there", nil, "go there is nobody to answer", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var file bytes.Buffer
				rec, err := history.NewRecorder(&file)
				if err != nil {
					t.Fatal(err)
				}
				defer rec.Close()
				var said []string
				rec.Tap(func(e *history.Event) { said = append(said, e.Text) })
				step := plan.Step{Entry: check.Entry{Name: "go", For: time.Minute}, Verb: "gate", Text: "Begin?"}
				tl := newTimeline(&Rig{Env: fakeEnv{}, Recorder: rec, Ask: tt.ask}, plan.Drill{N: 1}, []plan.Step{step})
				err = tl.gate(t.Context(), step)
				if !slices.Equal(said, []string{"go open: Begin?", tt.want}) {
					t.Errorf("recorded %q, want open and %q", said, tt.want)
				}
				if pass := err == nil; pass != tt.pass || !pass && (!errors.Is(err, errGate) || !strings.Contains(err.Error(), "go (Begin?)")) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// TestGateOfADrillThatIsOver says nothing: what ended the drill said it.
func TestGateOfADrillThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, err := history.NewRecorder(&bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ask := func(ctx context.Context, _ Gate) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() }
		step := plan.Step{Entry: check.Entry{Name: "go", For: time.Minute}, Verb: "gate", Text: "Begin?"}
		err = newTimeline(&Rig{Env: fakeEnv{}, Recorder: rec, Ask: ask}, plan.Drill{N: 1}, []plan.Step{step}).carryOut(ctx, 0, 0)
		if errors.Is(err, errGate) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}
