package proc

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// arm injects a fault of api-1 and sees it in effect.
func arm(t *testing.T, env sut.Environment, k chaos.Kind, p chaos.Params) *chaos.Active {
	t.Helper()
	catalog := chaos.NewCatalog([]chaos.Kind{k})
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = journal.Close() })
	f, err := catalog.New(k.Name, env, chaos.NewTargets(env), p)
	if err != nil {
		t.Fatal(err)
	}
	active, err := chaos.Arm(t.Context(), journal, catalog, env, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	settled(t, active)
	return active
}

// settled sees a fault in effect.
func settled(t *testing.T, active *chaos.Active) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := active.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// mended undoes a fault and wants the node to answer.
func mended(t *testing.T, env *chaostest.Local, active *chaos.Active) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 2 {
		if err := active.Recover(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := active.Recovered(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if broken, err := env.Broken("api-1")(ctx); broken || err != nil {
		t.Errorf("broken: %t, %v", broken, err)
	}
}

// TestRestart wants another process than before.
func TestRestart(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	pid := nodePID(t, env)
	active := arm(t, env, kind(t, "restart"), chaos.Params{Target: env.Node("api-1")})
	if now := nodePID(t, env); now == pid {
		t.Errorf("the node is process %s as before", now)
	}
	mended(t, env, active)
}

// TestCrashLoop sees a node crash several times, by the numbers of its
// processes, and then no more.
func TestCrashLoop(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	p := chaos.Params{Target: env.Node("api-1"), For: time.Minute, Values: map[string]string{"every": "100ms"}}
	active := arm(t, env, kind(t, "crash-loop"), p)
	lives := map[string]bool{}
	for len(lives) < 2 {
		settled(t, active) // it is down now
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		err := chaos.Watch(ctx, func(context.Context) error {
			pid, err := env.NodeExec(ctx, "api-1", nil, "sh", "-c", "echo $NODE_PID")
			if err == nil {
				lives[pid] = true
			}
			return err
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	mended(t, env, active)
	pid := nodePID(t, env)
	hold, cancel := context.WithTimeout(t.Context(), 2*crashPause)
	defer cancel()
	<-hold.Done()
	if now := nodePID(t, env); now != pid {
		t.Errorf("it crashed once more after the recovery")
	}
	p.Values["every"] = "1m"
	if err := kind(t, "crash-loop").CheckAll(p); err == nil || !strings.Contains(err.Error(), "want 8s or less") {
		t.Errorf("a life too long to be seen: %v", err)
	}
}

// nodePID returns the number of the process of api-1.
func nodePID(t *testing.T, env *chaostest.Local) string {
	t.Helper()
	pid, err := env.NodeExec(t.Context(), "api-1", nil, "sh", "-c", "echo $NODE_PID")
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// logging is an environment whose nodes log what a test says.
type logging struct {
	*chaostest.Local

	lines chan string
}

func (l logging) FollowLog(ctx context.Context, _ string, seen func(string) bool) error {
	for {
		select {
		case line := <-l.lines:
			if seen(line) {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// TestKillAtPoint kills a node when its log says that it has come to a point,
// and not before.
func TestKillAtPoint(t *testing.T) {
	env := logging{Local: chaostest.NewLocal(t, "api-1"), lines: make(chan string)}
	k := kind(t, "kill")
	p := chaos.Params{Target: env.Node("api-1"), Values: map[string]string{"when": "effect-done"}}
	go func() {
		for _, line := range []string{"listening", "effect begun"} {
			env.lines <- line
			chaostest.Whole(t, env.Broken("api-1"))
		}
		env.lines <- `level=DEBUG msg="effect-done" id=7`
	}()
	active := arm(t, env, k, p)
	mended(t, env.Local, active)

	if _, err := k.New(env.Local, chaos.NewTargets(env), p); !errors.Is(err, sut.ErrUnsupported) {
		t.Errorf("where logs cannot be followed: %v, want %v", err, sut.ErrUnsupported)
	}
	f, err := k.New(env, chaos.NewTargets(env), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	never, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = f.Inject(never); err == nil || !strings.Contains(err.Error(), "wait for a point in the log of api-1") {
		t.Errorf("a point that is not reached: %v", err)
	}
	if state, err := env.State(t.Context(), "api-1"); state != sut.Running || err != nil {
		t.Errorf("the node is %s, %v", state, err)
	}
}

// TestPointNotReached waits for a line that does not come, for as long as is said.
func TestPointNotReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := logging{lines: make(chan string)}
		p, err := newPoint(env, chaos.Params{Values: map[string]string{"when": "effect-done"}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = p.at(func(context.Context, string) error {
			t.Error("it was broken")
			return nil
		})(t.Context(), "worker-1")
		missed, ok := errors.AsType[*chaos.MissedError](err)
		if !ok || missed.Moment != `no new line of the log of worker-1 had "effect-done" within 20s` || time.Since(began) != pointPatience {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// late is an environment in which an order to kill takes effect late.
type late struct {
	*chaostest.Local

	kill func()
}

func (l *late) State(ctx context.Context, node string) (sut.State, error) {
	state, err := l.Local.State(ctx, node)
	if l.kill != nil {
		l.kill()
		l.kill = nil
	}
	return state, err
}

// TestLateKill heals a kill whose author died while the engine was at it: the
// node was whole when the healing began, and ends a moment later.
func TestLateKill(t *testing.T) {
	env := &late{Local: chaostest.NewLocal(t, "api-1")}
	env.kill = func() { _ = env.Kill(t.Context(), "api-1") }
	u := chaos.Undo{Kind: "kill", Target: "api-1", Data: []byte(`{"nodes":["api-1"]}`)}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := kind(t, "kill").Heal(ctx, env, u); err != nil {
		t.Fatal(err)
	}
	if broken, err := env.Broken("api-1")(ctx); broken || err != nil {
		t.Errorf("broken: %t, %v", broken, err)
	}
}
