package proc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// ourName is what the kernel calls the test binary, which nodes are processes of.
func ourName() string {
	name := filepath.Base(os.Args[0])
	return name[:min(len(name), 15)]
}

// TestKillProcess kills a process of a node by its name. Others of that name are
// not of the node.
func TestKillProcess(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1", "api-2")
	p := chaos.Params{Target: env.Node("api-1"), Values: map[string]string{"process": ourName()}}
	chaostest.TestFault(t, env, kind(t, kindKill), p, env.Broken("api-1"))
	chaostest.Whole(t, env.Broken("api-2"))
}

// TestKillNoProcess is refused: nothing of the node is called so.
func TestKillNoProcess(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	f, err := kind(t, kindKill).New(env, chaos.NewTargets(env), chaos.Params{Target: env.Node("api-1"), Values: map[string]string{"process": "nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Inject(t.Context()); err == nil || !strings.Contains(err.Error(), "no process of the node is called nobody") {
		t.Errorf("inject: %v", err)
	}
	chaostest.Whole(t, env.Broken("api-1"))
}

// unsupervised is a node of which nothing starts a process again.
type unsupervised struct {
	plain

	did []string
}

func (*unsupervised) Topology() sut.Topology { return sut.Topology{Nodes: []sut.Node{{Name: "pg-1"}}} }

func (u *unsupervised) NodeExec(_ context.Context, _ string, variables []string, _ ...string) (string, error) {
	u.did = append(u.did, variables...)
	return "", errors.New("nothing has started postgres again")
}

func (u *unsupervised) Kill(_ context.Context, node string) error {
	u.did = append(u.did, "kill "+node)
	return nil
}

func (u *unsupervised) Start(_ context.Context, node string) error {
	u.did = append(u.did, "start "+node)
	return nil
}

func (*unsupervised) State(context.Context, string) (sut.State, error) { return sut.Running, nil }

// TestReviveProcess starts a node anew if nothing starts what was killed there.
func TestReviveProcess(t *testing.T) {
	env := &unsupervised{}
	u := chaos.Undo{Kind: kindKill, Target: "pg-1", Data: []byte(`{"nodes":["pg-1"],"process":"postgres"}`)}
	if err := kind(t, kindKill).Heal(t.Context(), env, u); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"NAME=postgres", "kill pg-1", "start pg-1"}, env.did); diff != "" {
		t.Errorf("healing did (-want +got):\n%s", diff)
	}
}

func TestProcessParameter(t *testing.T) {
	p := chaos.Params{For: time.Minute, Target: sut.Selection{Ref: "pg-1", Nodes: []sut.Node{{Name: "pg-1"}}}}
	for name, want := range map[string]string{"postgres": "", "all": "", "a b": "want the name of a process", "$(reboot)": "want the name", strings.Repeat("x", 16): "15 letters at most"} {
		p.Values = map[string]string{"process": name}
		if err := kind(t, kindKill).CheckAll(p); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("process=%s: %v, want %q", name, err, want)
		}
	}
	if !slices.ContainsFunc(kind(t, kindKill).Params, func(p chaos.Param) bool { return p.Name == processParam && p.Default == allProcesses }) {
		t.Error("the parameter is not in the catalogue")
	}
}
