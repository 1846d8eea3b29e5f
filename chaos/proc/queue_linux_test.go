package proc

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// queued is an environment with a broker, which says what a test does.
type queued struct {
	*chaostest.Local

	answers chan string
}

func (q queued) Topology() sut.Topology {
	t := q.Local.Topology()
	t.Nodes = append(t.Nodes, sut.Node{Name: "rabbit-1", Role: sut.RoleBroker})
	return t
}

func (q queued) NodeExec(ctx context.Context, node string, variables []string, argv ...string) (string, error) {
	if node != "rabbit-1" {
		return q.Local.NodeExec(ctx, node, variables, argv...)
	}
	select {
	case answer := <-q.answers:
		return answer, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// TestKillAtLevel kills a node when a queue has come to a level, and not before.
func TestKillAtLevel(t *testing.T) {
	env := queued{Local: chaostest.NewLocal(t, "api-1"), answers: make(chan string)}
	k := kind(t, "kill")
	p := chaos.Params{Target: env.Node("api-1"), Values: map[string]string{"when": "queue:jobs unacked>2"}}
	if err := k.CheckAll(p); err != nil {
		t.Fatal(err)
	}
	go func() {
		chaostest.Whole(t, env.Broken("api-1"))
		env.answers <- "3\n"
	}()
	active := arm(t, env, k, p)
	seen, err := active.Settle(t.Context())
	if err != nil || !strings.Contains(seen.Saw, "api-1 down: killed") || !strings.Contains(seen.Saw, "jobs unacked>2 had 3") {
		t.Errorf("seen %q, %v", seen.Saw, err)
	}
	mended(t, env.Local, active)
}

// TestLevelNotReached leaves a node alone whose queue does not come to its level.
func TestLevelNotReached(t *testing.T) {
	env := queued{Local: chaostest.NewLocal(t, "api-1"), answers: make(chan string, 1)}
	k := kind(t, "kill")
	p := chaos.Params{Target: env.Node("api-1"), Values: map[string]string{"when": "queue:jobs ready>0"}}
	for answer, want := range map[string]string{
		"late":    "its moment never came: the queue jobs had not come to ready>0 within 20s",
		"none":    "there is no queue jobs",
		"nothing": "the broker says nothing",
	} {
		f, err := k.New(env, chaos.NewTargets(env), p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		env.answers <- answer
		if _, err = f.Inject(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", answer, err, want)
		}
		if state, err := env.State(t.Context(), "api-1"); state != sut.Running || err != nil {
			t.Errorf("%s: the node is %s, %v", answer, state, err)
		}
	}
	if _, err := k.New(env.Local, chaos.NewTargets(env), p); !errors.Is(err, sut.ErrUnsupported) {
		t.Errorf("where there is no broker: %v, want %v", err, sut.ErrUnsupported)
	}
	p.Values["when"] = "queue:jobs"
	if err := k.CheckAll(p); err == nil || !strings.Contains(err.Error(), "kill: the parameter when") {
		t.Errorf("a point that cannot be read: %v", err)
	}
}
