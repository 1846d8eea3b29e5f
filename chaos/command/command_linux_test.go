package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// node is what stands for the process of a node in the commands of these tests.
const node = `$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$PROOFLOAD_ON.node")`

// stopping are commands that freeze a process of this machine and let it go on.
func stopping(dir string) sut.Commands {
	return sut.Commands{
		Inject: "kill -STOP " + node, Heal: "kill -CONT " + node,
		Look: `case $(sed 's/.*) //; s/ .*//' /proc/` + node + `/stat) in T) echo stopped;; *) echo runs; exit 1;; esac`,
		Dir:  dir,
	}
}

// A commander has commands for one fault of one component.
type commander struct {
	fault, component string
	commands         sut.Commands
}

func (c commander) Commands(fault, component string) (sut.Commands, bool) {
	return c.commands, fault == c.fault && component == c.component
}

// pause is a kind of fault that can be made by commands alone, here by those that
// are given.
func pause(component string, c sut.Commands, find Finder) chaos.Kind {
	base := chaos.NewCatalog([]chaos.Kind{{
		Name: "pause", About: "Freezes a node.", Needs: "an environment that freezes nodes",
		Params: []chaos.Param{{Name: "how-long", Measure: chaos.Duration, Default: "5s", About: "for nothing"}},
		Check:  func(chaos.Params) error { return errors.New("it has no target") },
		New: func(sut.Environment, *chaos.Targets, chaos.Params) (chaos.Fault, error) {
			return nil, sut.ErrUnsupported
		},
		Heal: func(context.Context, sut.Environment, chaos.Undo) error { return errors.New("not by commands") },
		Gone: func(context.Context, sut.Environment, chaos.Undo) error { return errors.New("not seen by commands") },
	}})
	return Catalog(base, commander{"pause", component, c}, find)["pause"]
}

func TestMain(m *testing.M) {
	if !chaostest.RunNode(pause("api-1", stopping(os.Getenv("CHAOSTEST_DIR")), nil)) {
		m.Run()
	}
}

// TestFault takes a process of this machine through all that is wanted of a fault.
func TestFault(t *testing.T) {
	env, dir := chaostest.NewLocal(t, "api-1"), t.TempDir()
	pid, err := env.NodeExec(t.Context(), "api-1", nil, "sh", "-c", "echo $NODE_PID")
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(filepath.Join(dir, "api-1.node"), []byte(`{"pid":`+strings.TrimSpace(pid)+`}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	chaostest.TestFault(t, env, pause("api-1", stopping(dir), nil), chaos.Params{Target: env.Node("api-1")}, env.Broken("api-1"))
}

// TestCrash kills who broke something by a command, and who guards it.
func TestCrash(t *testing.T) { chaostest.TestCrash(t, pause("api-1", stopping("."), nil)) }

// A trial is a fault by commands on no system at all.
type trial struct {
	t    *testing.T
	dir  string
	kind chaos.Kind
}

func newTrial(t *testing.T, c sut.Commands, find Finder) *trial {
	t.Helper()
	c.Dir = t.TempDir()
	return &trial{t, c.Dir, pause("zone:b", c, find)}
}

func zone(names ...string) chaos.Params {
	p := chaos.Params{For: time.Minute, Target: sut.Selection{Ref: "zone:b"}}
	for _, n := range names {
		p.Target.Nodes = append(p.Target.Nodes, sut.Node{Name: n})
	}
	return p
}

// prepare makes the fault and says how to undo it.
func (tr *trial) prepare() (chaos.Fault, chaos.Undo) {
	tr.t.Helper()
	f, err := chaos.NewCatalog([]chaos.Kind{tr.kind}).New("pause", nil, nil, zone("zone:b"))
	if err != nil {
		tr.t.Fatal(err)
	}
	undo, err := f.Prepare(tr.t.Context())
	if err != nil {
		tr.t.Fatal(err)
	}
	return f, undo
}

func (tr *trial) inject(f chaos.Fault) chaos.Injection {
	tr.t.Helper()
	in, err := f.Inject(tr.t.Context())
	if err != nil {
		tr.t.Fatal(err)
	}
	return in
}

// holds returns what a file of the directory has in it.
func (tr *trial) holds(name string) string {
	text, err := os.ReadFile(filepath.Join(tr.dir, name))
	if err != nil {
		return ""
	}
	return string(text)
}

// watch waits until something is so.
func (tr *trial) watch(what string, is func() bool) {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(tr.t.Context(), time.Minute)
	defer cancel()
	err := chaos.Watch(ctx, func(context.Context) error {
		if !is() {
			return errors.New("it is not seen that " + what)
		}
		return nil
	})
	if err != nil {
		tr.t.Fatal(err)
	}
}

// TestOthers leaves everything as it was for which there are no commands.
func TestOthers(t *testing.T) {
	k := pause("zone:b", sut.Commands{Inject: "a", Heal: "b", Lease: time.Minute}, nil)
	if err := k.Check(zone("zone:b")); err != nil {
		t.Error(err)
	}
	for _, p := range []chaos.Params{zone(), zone("zone:c"), zone("zone:b", "zone:c")} {
		if _, err := k.New(nil, nil, p); !errors.Is(err, sut.ErrUnsupported) {
			t.Errorf("New of %v: %v", p.Target.Nodes, err)
		}
		if k.Check(p) == nil {
			t.Errorf("%v passes the check", p.Target.Nodes)
		}
		if about, needs := k.Tell(p); about != k.About || needs != k.Needs {
			t.Errorf("%v: %q, %q", p.Target.Nodes, about, needs)
		}
	}
	if err := k.Heal(t.Context(), nil, chaos.Undo{Data: []byte(`{"links":[]}`)}); err == nil || err.Error() != "not by commands" {
		t.Errorf("Heal of other data: %v", err)
	}
	if err := k.Gone(t.Context(), nil, chaos.Undo{Data: []byte(`{"links":[]}`)}); err == nil || err.Error() != "not seen by commands" {
		t.Errorf("Gone of other data: %v", err)
	}
	const want = "Runs on this machine: a. Undone by: b. Not looked at: what the commands exit with is believed. The system heals itself 1m after it was last told."
	if about, needs := k.Tell(zone("zone:b")); about != want || needs != "" {
		t.Errorf("tells %q, %q", about, needs)
	}
}

// TestVariables gives commands what they need to know, and secrets by the
// environment alone.
func TestVariables(t *testing.T) {
	value := "s3cret-value"
	find := func(s sut.Secret) (string, bool) { return value, s.Env == "STAGING_TOKEN" && value != "" }
	tr := newTrial(t, sut.Commands{
		Inject:  `echo "$PROOFLOAD_FAULT $PROOFLOAD_ON $PROOFLOAD_FOR $PROOFLOAD_LEASE $PROOFLOAD_WITH_HOW_LONG $TOKEN" >made; echo "$PROOFLOAD_ID" >id`,
		Heal:    `echo "$PROOFLOAD_FAULT $PROOFLOAD_ON $TOKEN" >mended; [ "$PROOFLOAD_ID" = "$(cat id)" ]`,
		Secrets: map[string]sut.Secret{"TOKEN": {Env: "STAGING_TOKEN"}},
	}, find)
	f, undo := tr.prepare()
	in := tr.inject(f)
	if seen, err := in.Settle(t.Context()); err != nil || seen.Saw != "zone:b: inject exited with 0" {
		t.Errorf("Settle = %+v, %v", seen, err)
	}
	if got := tr.holds("made"); got != "pause zone:b 60  5s s3cret-value\n" {
		t.Errorf("inject was told %q", got)
	}
	if strings.Contains(fmt.Sprintf("%s %q", undo.Data, undo.Manual), value) {
		t.Errorf("the secret is in the undo data: %s %q", undo.Data, undo.Manual)
	}
	if err := errors.Join(tr.kind.Heal(t.Context(), nil, undo), tr.kind.Gone(t.Context(), nil, undo)); err != nil {
		t.Error(err)
	}
	if got := tr.holds("mended"); got != "pause zone:b s3cret-value\n" {
		t.Errorf("heal was told %q", got)
	}
	t.Setenv("STAGING_TOKEN", "by hand")
	if out, err := shell(t.Context(), "/", nil, undo.Manual[0]); err != nil || tr.holds("mended") != "pause zone:b by hand\n" {
		t.Errorf("by hand: %s, %v, told %q", out, err, tr.holds("mended"))
	}
	value = ""
	const want = "find the secret TOKEN in STAGING_TOKEN: there is no such secret"
	if err := tr.kind.Heal(t.Context(), nil, undo); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Heal without the secret: %v, want %s", err, want)
	}
	if _, err := f.Prepare(t.Context()); err == nil || err.Error() != want {
		t.Errorf("Prepare without the secret: %v, want %s", err, want)
	}
}

// TestLease makes the fault again before the system heals itself, and not once it
// was undone.
func TestLease(t *testing.T) {
	tr := newTrial(t, sut.Commands{Inject: `echo "inject $PROOFLOAD_LEASE" >>log`, Heal: "echo heal >>log", Lease: 900 * time.Millisecond}, nil)
	f, _ := tr.prepare()
	in := tr.inject(f)
	tr.watch("the lease is renewed", func() bool { return strings.Count(tr.holds("log"), "inject") >= 3 })
	if err := in.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := tr.holds("log")
	if !strings.HasSuffix(log, "inject 0\nheal\n") || strings.Count(log, "heal") != 1 {
		t.Errorf("log = %q", log)
	}
}

// TestLeaseLost sees that a fault is over whose lease cannot be renewed.
func TestLeaseLost(t *testing.T) {
	tr := newTrial(t, sut.Commands{Inject: "[ ! -e made ] && touch made", Heal: "true", Lease: 300 * time.Millisecond}, nil)
	f, _ := tr.prepare()
	in := tr.inject(f)
	tr.watch("the lease is over", func() bool {
		_, err := in.Settle(t.Context())
		return err != nil && strings.HasPrefix(err.Error(), "the lease of 300ms was not renewed: zone:b: exit status 1")
	})
	if err := in.Recover(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLook believes a look that says so, and none that cannot tell.
func TestLook(t *testing.T) {
	tr := newTrial(t, sut.Commands{Inject: "echo 0 >status", Heal: "echo 1 >status", Look: `echo seen; exit "$(cat status)"`}, nil)
	f, undo := tr.prepare()
	in := tr.inject(f)
	if seen, err := in.Settle(t.Context()); err != nil || seen.Saw != "zone:b: look exited with 0 seen" {
		t.Errorf("Settle = %+v, %v", seen, err)
	}
	made, ok := in.(*injection)
	if !ok {
		t.Fatalf("the injection is %T", in)
	}
	if said, err := made.data.Parts[0].look(t.Context(), nil, false); err == nil || err.Error() != "zone:b is seen to be broken: seen" {
		t.Errorf("a look for the end of the fault: %q, %v", said, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.kind.Gone(over, nil, undo); err == nil {
		t.Error("it is seen to be gone before it was undone")
	}
	if err := os.WriteFile(filepath.Join(tr.dir, "status"), []byte("255"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if said, err := made.data.Parts[0].look(t.Context(), nil, want); err == nil || err.Error() != "look: zone:b: exit status 255: seen" {
			t.Errorf("a look that cannot tell whether it is in effect: %q, %v", said, err)
		}
	}
	if err := in.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tr.kind.Gone(t.Context(), nil, undo); err != nil {
		t.Errorf("Gone: %v", err)
	}
	if seen, err := in.Recovered(t.Context()); err != nil || seen.Saw != "zone:b: look exited with 1 seen" {
		t.Errorf("Recovered = %+v, %v", seen, err)
	}
}

// TestEndsWhatIsLeft ends what a command left running before the fault is undone.
func TestEndsWhatIsLeft(t *testing.T) {
	tr := newTrial(t, sut.Commands{Inject: "sleep 1000 & echo $! >pid", Heal: "! kill -0 $(cat pid) 2>/dev/null || grep -q Z /proc/$(cat pid)/stat"}, nil)
	f, undo := tr.prepare()
	tr.inject(f)
	pid, err := strconv.Atoi(strings.TrimSpace(tr.holds("pid")))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("what inject left does not run: %v", err)
	}
	if err := chaos.Insist(t.Context(), time.Minute, func(ctx context.Context) error { return tr.kind.Heal(ctx, nil, undo) }); err != nil {
		t.Error(err)
	}
}

// TestTooLong kills a command that is not over in time, with what it started.
func TestTooLong(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	tr := newTrial(t, sut.Commands{Inject: "sleep 1000 & echo $! >pid; wait", Heal: "true"}, nil)
	f, _ := tr.prepare()
	if _, err := f.Inject(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Inject = %v", err)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(tr.holds("pid"))); err == nil { // it came so far
		tr.watch("what it started is killed", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || strings.Contains(string(stat), ") Z ")
		})
	}
}
