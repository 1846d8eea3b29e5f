package netfault

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestPartition(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1", "pg-2")
	p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute}
	chaostest.TestFault(t, env, kind(t, kindPartition), p, env.Broken("pg-1"))
	chaostest.Whole(t, env.Broken("pg-2"))
}

func TestLose(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1", "pg-2")
	chaostest.TestFault(t, env, kind(t, kindLose), chaos.Params{Target: env.Node("pg-1")}, env.Broken("pg-1"))
	chaostest.Whole(t, env.Broken("pg-2"))
}

// inject prepares and injects a fault.
func inject(tb testing.TB, env sut.Environment, k chaos.Kind, p chaos.Params) (chaos.Injection, chaos.Undo) {
	tb.Helper()
	f, err := k.New(env, chaos.NewTargets(env), p)
	if err != nil {
		tb.Fatal(err)
	}
	undo, err := f.Prepare(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	in, err := f.Inject(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return in, undo
}

// TestPartitionEvidence has somebody try to reach the node.
func TestPartitionEvidence(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	in, _ := inject(t, env, kind(t, kindPartition), chaos.Params{Target: env.Node("pg-1"), For: time.Minute})
	if broken, err := env.Broken("pg-1")(t.Context()); !broken || err != nil {
		t.Fatalf("broken %t, %v", broken, err)
	}
	seen, err := in.Settle(deadline(t, 30*time.Second))
	if err != nil || !strings.Contains(seen.Saw, " packets dropped") || strings.Contains(seen.Saw, " 0 packets") {
		t.Errorf("seen %+v, %v, want the packets that were dropped", seen, err)
	}
}

// TestKernelEndsPartition leaves a partition to the kernel, as if no process
// were left to heal it.
func TestKernelEndsPartition(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	c := cut{ID: newID(), Nodes: []string{"pg-1"}}
	if err := c.add(t.Context(), env, "pg-1", time.Second); err != nil {
		t.Fatal(err)
	}
	if broken, err := env.Broken("pg-1")(t.Context()); !broken || err != nil {
		t.Errorf("broken %t, %v right after the injection", broken, err)
	}
	chaostest.Whole(t, env.Broken("pg-1"))
	if err := c.gone(t.Context(), env, env, "pg-1"); err == nil {
		t.Error("the expired rules are not listed, want them to be there until removed")
	}
	if err := c.remove(t.Context(), env, "pg-1"); err != nil {
		t.Error(err)
	}
	if err := c.gone(t.Context(), env, env, "pg-1"); err != nil {
		t.Error(err)
	}
}

// TestPartitionsOverlap ends the first of two partitions of a node first.
func TestPartitionsOverlap(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	k := kind(t, kindPartition)
	p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute}
	first, _ := inject(t, env, k, p)
	_, undoSecond := inject(t, env, k, p)
	if err := first.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if broken, err := env.Broken("pg-1")(t.Context()); !broken || err != nil {
		t.Errorf("broken %t, %v while the second partition is in effect", broken, err)
	}
	if err := k.Heal(t.Context(), env, undoSecond); err != nil {
		t.Fatal(err)
	}
	chaostest.Whole(t, env.Broken("pg-1"))
}

// TestRestartEndsPartition restarts a node while it is cut off: its rules die
// with its namespace. That is not taken for a partition in effect, and
// recovery finds nothing to do.
func TestRestartEndsPartition(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	in, _ := inject(t, env, kind(t, kindPartition), chaos.Params{Target: env.Node("pg-1"), For: time.Minute})
	if err := env.Kill(t.Context(), "pg-1"); err != nil {
		t.Fatal(err)
	}
	if err := in.Recover(t.Context()); err != nil {
		t.Errorf("recover while the node is down: %v", err)
	}
	if seen, err := in.Recovered(t.Context()); err != nil || !strings.Contains(seen.Saw, "1 down") {
		t.Errorf("seen %+v, %v", seen, err)
	}
	if err := env.Start(t.Context(), "pg-1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if seen, err := in.Settle(ctx); err == nil {
		t.Errorf("settled: %+v", seen)
	}
	if err := in.Recover(t.Context()); err != nil {
		t.Errorf("recover after the restart: %v", err)
	}
}

// noKill is an environment whose kill fails, once the node is cut off.
type noKill struct{ chaostest.Isolated }

func (noKill) Kill(context.Context, string) error { return errors.New("no kill today") }

// TestLoseHalfway heals a loss that cut its node off and could not kill it.
func TestLoseHalfway(t *testing.T) {
	env := noKill{chaostest.NewIsolated(t, "pg-1")}
	k := kind(t, kindLose)
	f, err := k.New(env, chaos.NewTargets(env), chaos.Params{Target: env.Node("pg-1")})
	if err != nil {
		t.Fatal(err)
	}
	undo, err := f.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Inject(t.Context()); err == nil || !strings.Contains(err.Error(), "no kill today") {
		t.Errorf("inject: %v", err)
	}
	if broken, err := env.Broken("pg-1")(t.Context()); !broken || err != nil {
		t.Errorf("broken %t, %v, want the node to be cut off still", broken, err)
	}
	if err := k.Heal(t.Context(), env, undo); err != nil {
		t.Fatal(err)
	}
	chaostest.Whole(t, env.Broken("pg-1"))
}
