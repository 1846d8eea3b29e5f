package resource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(teller) != "":
		serveTime()
	case !chaostest.RunNode(Kinds()...):
		m.Run()
	}
}

func kind(t *testing.T, name string) chaos.Kind {
	t.Helper()
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k chaos.Kind) bool { return k.Name == name })
	if i < 0 {
		t.Fatalf("no kind %s", name)
	}
	return kinds[i]
}

// leaves is a probe that finds processes that a fault left, by their marks.
func leaves(context.Context) (bool, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return false, err
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(data), "PROOFLOAD_MARK=proofload-") {
			return true, nil
		}
	}
	return false, nil
}

func TestHogs(t *testing.T) {
	for name, values := range map[string]map[string]string{
		"cpu-hog":    {"workers": "2"},
		"memory-hog": {"size": "8MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			env := chaostest.NewLocal(t, "api-1")
			chaostest.TestFault(t, env, kind(t, name), chaos.Params{Target: env.Node("api-1"), Values: values}, leaves)
		})
	}
}

// TestInjectionIsEnded heals a fault while it is being injected, as after the death
// of who began that: a command in a node goes on. What it would have done does not
// happen any more.
func TestInjectionIsEnded(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	file := filepath.Join(t.TempDir(), "broken")
	k := chaos.Script{
		Kind: chaos.Kind{Name: "late"},
		Look: "true", Gone: "true", Undo: "rm -f '" + file + "'",
		Inject: "touch '" + file + ".begun'; sleep 10; touch '" + file + "'",
	}.Fault()
	f, err := k.New(env, chaos.NewTargets(env), chaos.Params{Target: env.Node("api-1"), For: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	undo, err := f.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, injectErr := f.Inject(ctx)
		ended <- injectErr
	}()
	err = chaos.Watch(ctx, func(context.Context) error {
		_, statErr := os.Stat(file + ".begun")
		return statErr
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Heal(ctx, env, undo); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the injection went on to its end")
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("broken after it was healed: %v", err)
	}
}

// TestLeak sees a leak in effect long before it has filled what it will fill.
func TestLeak(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	p := chaos.Params{Target: env.Node("api-1"), For: time.Minute, Values: map[string]string{"size": "2GiB", "rate": "4MiB"}}
	f, err := kind(t, "memory-hog").New(env, chaos.NewTargets(env), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	in, err := f.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen, err := in.Settle(ctx)
	if err != nil || !strings.Contains(seen.Saw, "KiB resident") {
		t.Errorf("seen %+v, %v", seen, err)
	}
	if err := in.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Recovered(ctx); err != nil {
		t.Error(err)
	}
}

// TestDescriptors takes a node its descriptors: it accepts no connection.
func TestDescriptors(t *testing.T) {
	env := chaostest.NewLocal(t, "api-1")
	chaostest.TestFault(t, env, kind(t, "fd-exhaust"), chaos.Params{Target: env.Node("api-1")}, env.Broken("api-1"))
}

// TestDisk fills a small file system.
func TestDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	full := func(context.Context) (bool, error) {
		err := os.WriteFile(filepath.Join(dir, "user"), make([]byte, 8192), 0o600)
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			return false, err
		}
		return err != nil, os.Remove(filepath.Join(dir, "user"))
	}
	env := chaostest.NewLocal(t, "api-1")
	chaostest.TestFault(t, env, kind(t, "disk-full"), chaos.Params{Target: env.Node("api-1"), Values: map[string]string{"path": dir}}, full)

	shared := chaos.Params{Target: env.Node("api-1"), Values: map[string]string{"path": "/proc"}}
	f, err := kind(t, "disk-full").New(env, chaos.NewTargets(env), shared)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "only tmpfs can be filled") {
		t.Errorf("fill what is shared with others: %v", err)
	}
}

// fakeLimits is an environment with control groups as two strings.
type fakeLimits struct {
	sut.Environment

	limits sut.Limits
	hits   int // that the node ran into, and what looks at it
}

func (f *fakeLimits) Topology() sut.Topology {
	return sut.Topology{Nodes: []sut.Node{{Name: "api-1", Role: sut.RoleService}}}
}
func (f *fakeLimits) Limits(context.Context, string) (sut.Limits, error) { return f.limits, nil }

func (f *fakeLimits) LimitCPU(_ context.Context, _ string, cores float64) error {
	f.limits.CPU = cores
	return nil
}

func (f *fakeLimits) LimitMemory(_ context.Context, _ string, bytes int64) error {
	f.limits.Memory = bytes
	return nil
}

func (f *fakeLimits) NodeExec(_ context.Context, _ string, _ []string, argv ...string) (string, error) {
	if strings.Contains(argv[2], "nr_throttled") || strings.Contains(argv[2], "memory.events") {
		return fmt.Sprintln(f.hits), nil
	}
	if strings.Contains(argv[2], "cpu") {
		return map[bool]string{true: "max 100000\n", false: "limited 100000\n"}[f.limits.CPU == 0], nil
	}
	return map[bool]string{true: "1073741824\n", false: "limited\n"}[f.limits.Memory == 1<<30], nil
}

func TestLimits(t *testing.T) {
	for name, values := range map[string]map[string]string{
		"cpu-throttle": {"share": "20%"},
		"memory-limit": {"size": "64MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			was := sut.Limits{Memory: 1 << 30}
			env := &fakeLimits{limits: was}
			p := chaos.Params{Target: sut.Selection{Ref: "api-1", Nodes: env.Topology().Nodes}, Values: values}
			chaostest.TestFault(t, env, kind(t, name), p, func(context.Context) (bool, error) { return env.limits != was, nil })
		})
	}
}

// TestLimitsThatNobodyMeets wants a limit that a node does not run into to be idle,
// whatever looking at it costs.
func TestLimitsThatNobodyMeets(t *testing.T) {
	for name, tt := range map[string]struct {
		values    map[string]string
		few, many int
		says      string
	}{
		"cpu-throttle": {map[string]string{"share": "20%"}, 5, 40, "api-1 throttled in 45 periods"},
		"memory-limit": {map[string]string{"size": "64MiB"}, 0, 1, "api-1 ran into it 1 times"},
	} {
		t.Run(name, func(t *testing.T) {
			env := &fakeLimits{limits: sut.Limits{Memory: 1 << 30}, hits: 7}
			p := chaos.Params{Target: sut.Selection{Ref: "api-1", Nodes: env.Topology().Nodes}, Values: tt.values}
			f, err := kind(t, name).New(env, chaos.NewTargets(env), p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = f.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			in, err := f.Inject(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			env.hits += tt.few
			if seen, err := in.Settle(t.Context()); err != nil || !seen.Idle {
				t.Errorf("only looked at: %+v, %v, want it to be idle", seen, err)
			}
			env.hits += tt.many
			if seen, err := in.Settle(t.Context()); err != nil || seen.Idle || !strings.Contains(seen.Saw, tt.says) {
				t.Errorf("run into: %+v, %v, want %q", seen, err, tt.says)
			}
		})
	}
}

// TestLimitsOverlap ends the first of two limits of a node first: neither takes the
// other away, nor does the second bring the first back.
func TestLimitsOverlap(t *testing.T) {
	was := sut.Limits{Memory: 1 << 30}
	env := &fakeLimits{limits: was}
	target := sut.Selection{Ref: "api-1", Nodes: env.Topology().Nodes}
	inject := func(name string, values map[string]string) chaos.Injection {
		t.Helper()
		f, err := kind(t, name).New(env, chaos.NewTargets(env), chaos.Params{Target: target, Values: values})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		in, err := f.Inject(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	first := inject("cpu-throttle", map[string]string{"share": "20%"})
	second := inject("memory-limit", map[string]string{"size": "64MiB"})
	if err := first.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := (sut.Limits{Memory: 64 << 20}); env.limits != want {
		t.Errorf("with the first undone the limits are %+v, want %+v", env.limits, want)
	}
	if err := second.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if env.limits != was {
		t.Errorf("with both undone the limits are %+v, want %+v", env.limits, was)
	}
}

func TestUnsupported(t *testing.T) {
	for _, k := range Kinds() {
		_, err := k.New(struct{ sut.Environment }{}, nil, chaos.Params{})
		if !errors.Is(err, sut.ErrUnsupported) {
			t.Errorf("%s: %v, want %v", k.Name, err, sut.ErrUnsupported)
		}
		err = k.Check(chaos.Params{Target: sut.Selection{Ref: "link:x"}})
		if err == nil || !strings.Contains(err.Error(), "acts on nodes") {
			t.Errorf("%s of a link: %v", k.Name, err)
		}
		if err := k.Heal(t.Context(), &fakeLimits{}, chaos.Undo{Data: []byte("{")}); err == nil {
			t.Errorf("%s: unreadable undo data heals", k.Name)
		}
	}
}
