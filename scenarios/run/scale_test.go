package run

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/proc"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// instances are three nodes of a service, of which some are down.
type instances struct {
	fakeEnv

	down map[string]bool
}

func (i instances) Topology() sut.Topology {
	t := sut.Topology{Name: "instances"}
	for _, name := range []string{"api-1", "api-2", "api-3"} {
		t.Nodes = append(t.Nodes, sut.Node{Name: name, Role: sut.RoleService})
	}
	return t
}

func (i instances) Kill(_ context.Context, node string) error { i.down[node] = true; return nil }

func (i instances) Stop(_ context.Context, node string, _ time.Duration) error {
	i.down[node] = true
	return nil
}

func (i instances) Start(_ context.Context, node string) error { delete(i.down, node); return nil }

func (i instances) State(_ context.Context, node string) (sut.State, error) {
	if i.down[node] {
		return sut.Down, nil
	}
	return sut.Running, nil
}

func (instances) WaitReady(context.Context, string) error { return nil }

// running lists the nodes that run.
func (i instances) running() []string {
	var names []string
	for _, n := range i.Topology().Nodes {
		if !i.down[n.Name] {
			names = append(names, n.Name)
		}
	}
	return names
}

// TestScale takes nodes out and brings them back: by another scale, after a time,
// and at the end.
func TestScale(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []string
		lasts time.Duration // the last step
		want  []string
	}{
		{"in", []string{"1"}, 0, []string{"api-1"}},
		{"in and out a bit", []string{"1", "2"}, 0, []string{"api-1", "api-2"}},
		{"out", []string{"2", "3"}, 0, []string{"api-1", "api-2", "api-3"}},
		{"for a while", []string{"1"}, time.Second, []string{"api-1", "api-2", "api-3"}},
		{"no change", []string{"3"}, 0, []string{"api-1", "api-2", "api-3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig, ops := newTestRig(t, &fakeFault{})
				env := instances{down: map[string]bool{}}
				rig.Env, rig.Catalog = env, chaos.NewCatalog(proc.Kinds())
				target, err := env.Topology().Select("app")
				if err != nil {
					t.Fatal(err)
				}
				var steps []plan.Step
				for i, nodes := range tt.steps {
					s := plan.Step{Entry: check.Entry{Name: "scaled-" + nodes, Verb: "scale", Target: "app"}, Verb: "scale", Params: chaos.Params{Target: target, Values: map[string]string{"nodes": nodes}}}
					if i == len(tt.steps)-1 {
						s.Entry.For = tt.lasts
					}
					steps = append(steps, s)
				}
				tl := newTimeline(rig, plan.Drill{N: 1}, steps)
				for i := range steps {
					if err := tl.carryOut(t.Context(), i, 0); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(tt.want, env.running()); diff != "" {
					t.Errorf("running (-want +got):\n%s", diff)
				}
				if err := tl.mend(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(env.down) > 0 || len(rig.Journal.Pending()) > 0 || slices.Contains(ops(), history.FaultFailed) {
					t.Errorf("down at the end: %v, in the journal: %v, in the history: %q", env.down, rig.Journal.Pending(), ops())
				}
			})
		})
	}
}
