package proc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestMain(m *testing.M) {
	if !chaostest.RunNode(Kinds()...) {
		m.Run()
	}
}

// kind returns the kind of a name.
func kind(t *testing.T, name string) chaos.Kind {
	t.Helper()
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k chaos.Kind) bool { return k.Name == name })
	if i < 0 {
		t.Fatalf("no kind %s", name)
	}
	return kinds[i]
}

func TestKinds(t *testing.T) {
	for _, name := range []string{"kill", "stop", "pause"} {
		t.Run(name, func(t *testing.T) {
			env := chaostest.NewLocal(t, "api-1", "api-2")
			chaostest.TestFault(t, env, kind(t, name), chaos.Params{Target: env.Node("api-1")}, env.Broken("api-1"))
			chaostest.Whole(t, env.Broken("api-2"))
		})
	}
}

// TestCrash kills who broke something, and who guards it.
func TestCrash(t *testing.T) {
	for _, name := range []string{"kill", "pause"} {
		t.Run(name, func(t *testing.T) { chaostest.TestCrash(t, kind(t, name)) })
	}
}

// pause injects a pause of api-1.
func pause(t *testing.T, env *chaostest.Local) chaos.Injection {
	t.Helper()
	f, err := kind(t, "pause").New(env, chaos.NewTargets(env), chaos.Params{Target: env.Node("api-1")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in, err := f.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestKilledWhilePaused recovers a pause of a node that was killed meanwhile:
// it is no longer paused, and stays down.
func TestKilledWhilePaused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	env := chaostest.NewLocal(t, "api-1")
	in := pause(t, env)
	if err := env.Kill(ctx, "api-1"); err != nil {
		t.Fatal(err)
	}
	if err := in.Recover(ctx); err != nil {
		t.Error(err)
	}
	seen, err := in.Recovered(ctx)
	if err != nil || !strings.Contains(seen.Saw, "no longer paused") {
		t.Errorf("seen %+v, %v", seen, err)
	}
	if state, err := env.State(ctx, "api-1"); err != nil || state != sut.Down {
		t.Errorf("the node is %s, %v, want down", state, err)
	}
}

// TestNotInEffect checks that a fault that something else undoes is not taken
// for settled.
func TestNotInEffect(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	in := pause(t, env)
	if err := env.Resume(t.Context(), "api-1"); err != nil {
		t.Fatal(err)
	}
	chaostest.NotInEffect(t, in, "api-1 is running, not paused")
}

// plain is an environment that can do nothing.
type plain struct{}

func (plain) Topology() sut.Topology         { return sut.Topology{} }
func (plain) Endpoint(string) (string, bool) { return "", false }
func (plain) Close(context.Context) error    { return nil }

func TestUnsupported(t *testing.T) {
	for _, k := range Kinds() {
		_, err := k.New(plain{}, chaos.NewTargets(plain{}), chaos.Params{Target: sut.Selection{Ref: "redis"}})
		if !errors.Is(err, sut.ErrUnsupported) {
			t.Errorf("%s: %v, want %v", k.Name, err, sut.ErrUnsupported)
		}
		err = k.Check(chaos.Params{Target: sut.Selection{Ref: "link:x", Links: make([]sut.Link, 1)}})
		if err == nil || !strings.Contains(err.Error(), k.Name+": zone:b") {
			t.Errorf("%s of a link: %v, want what to write instead", k.Name, err)
		}
	}
}

// TestGone heals a node that is not part of the environment any more.
func TestGone(t *testing.T) {
	for _, k := range Kinds() {
		u := chaos.Undo{Kind: k.Name, Target: "old", Data: []byte(`{"nodes":["old"]}`)}
		if err := k.Heal(t.Context(), chaostest.NewLocal(t, "api-1"), u); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		u.Data = []byte("{")
		if err := k.Heal(t.Context(), plain{}, u); err == nil {
			t.Errorf("%s: unreadable undo data heals", k.Name)
		}
	}
}

// TestResumedEarly resumes a node that is to be paused for a moment longer.
func TestResumedEarly(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	active := arm(t, env, kind(t, "pause"), chaos.Params{Target: env.Node("api-1"), For: time.Second})
	if err := env.Resume(t.Context(), "api-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := active.Last(t.Context()); !errors.Is(err, chaos.ErrEnded) || !strings.Contains(err.Error(), "api-1 is running, not paused") {
		t.Errorf("the last look at a pause that was ended: %v", err)
	}
	mended(t, env, active)
}

// TestMarks finds a node that is paused where no journal says so.
func TestMarks(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1", "api-2")
	c := chaos.NewCatalog(Kinds())
	if left := c.Marks(t.Context(), env); len(left) > 0 {
		t.Errorf("left in a whole system: %+v", left)
	}
	if err := env.Pause(t.Context(), "api-2"); err != nil {
		t.Fatal(err)
	}
	if left := c.Marks(t.Context(), env); len(left) != 1 || left[0].Target != "api-2" || len(left[0].Manual) != 1 {
		t.Errorf("left: %+v, want the pause of api-2", left)
	}
	if err := env.Resume(t.Context(), "api-2"); err != nil {
		t.Fatal(err)
	}
}
