package chaostest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// The roles of processes that crash, and what they are told.
const (
	roleRunner   = "runner"
	roleGuard    = "guard"
	dirVariable  = "CHAOSTEST_DIR"
	kindVariable = "CHAOSTEST_KIND"
	haltVariable = "CHAOSTEST_HALT"
)

// Where a runner halts, to be killed there.
const (
	haltJournalled = "journalled" // the undo data is on the disk, nothing is broken
	haltActive     = "active"     // it is broken
	haltRecovered  = "recovered"  // it is mended, and the journal does not say so yet
)

// healWithin is how soon the target is whole after the runner was killed.
const healWithin = 10 * time.Second

// TestCrash kills processes with SIGKILL that break a node of a [Detached] by a
// kind of fault, and wants it whole again:
//
//   - the runner is killed, wherever it is: its guard heals
//   - the runner is stopped, and so silent: its guard heals, and it knows when it
//     goes on
//   - runner and guard are killed: the next start heals from the journal
//
// The package under test needs a TestMain that calls [RunNode] with the kind.
func TestCrash(t *testing.T, kind chaos.Kind) {
	t.Helper()
	for _, halt := range []string{haltJournalled, haltActive, haltRecovered} {
		t.Run("runner killed when "+halt, func(t *testing.T) {
			c := newCrash(t, kind, halt)
			c.kill(c.runner)
			c.whole()
			c.healed()
		})
	}
	t.Run("runner silent", func(t *testing.T) {
		c := newCrash(t, kind, haltActive)
		c.signal(syscall.SIGSTOP)
		c.whole()
		c.signal(syscall.SIGCONT)
		c.hears("lost")
		c.kill(c.runner)
		c.healed()
	})
	t.Run("runner and guard killed", func(t *testing.T) {
		c := newCrash(t, kind, haltActive)
		if err := syscall.Kill(c.guard, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.hears("lost")
		c.kill(c.runner)
		journal, err := chaos.OpenJournal(c.journal())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(chaos.HealAll(t.Context(), chaos.NewCatalog([]chaos.Kind{kind}), c.env, journal), journal.Close()); err != nil {
			t.Fatal(err)
		}
		c.whole()
		c.healed()
	})
}

// A crash is a runner that has broken something, with its guard.
type crash struct {
	t      *testing.T
	env    Detached
	runner *exec.Cmd
	guard  int // process
	heard  *bufio.Reader
}

const crashNode = "api-1"

// newCrash starts a node and a runner that breaks it and halts.
func newCrash(t *testing.T, kind chaos.Kind, halt string) *crash {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := &crash{t: t, env: Detached{dir: dir}}
	if err := c.env.Start(t.Context(), crashNode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.env.signal(crashNode, syscall.SIGKILL) }) // it may have ended
	c.runner = exec.Command(os.Args[0])                                //nolint:forbidigo,noctx,gosec // the test binary
	c.runner.Env = append(slices.Clone(os.Environ()), roleVariable+"="+roleRunner, dirVariable+"="+dir, kindVariable+"="+kind.Name, haltVariable+"="+halt)
	out, err := c.runner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.runner.Stderr = t.Output()
	c.heard = bufio.NewReader(out)
	if err := c.runner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill(c.runner)
		c.ended()
	})
	if _, err := fmt.Sscanf(c.hears("guard"), "guard %d", &c.guard); err != nil {
		t.Fatal(err)
	}
	c.hears(halt)
	if broken, err := c.env.broken(t.Context(), crashNode); err != nil || broken != (halt == haltActive) {
		t.Fatalf("halted when %s, the node is broken: %t, %v", halt, broken, err)
	}
	return c
}

func (c *crash) journal() string { return filepath.Join(c.env.dir, "journal") }

// hears waits for a line of the runner.
func (c *crash) hears(want string) string {
	c.t.Helper()
	line, err := c.heard.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, want) {
		c.t.Fatalf("the runner said %q, %v, want %s", line, err, want)
	}
	return line
}

func (c *crash) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.runner.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// kill kills a process that was started here and waits for its end.
func (c *crash) kill(p *exec.Cmd) {
	if p.ProcessState == nil {
		_ = p.Process.Kill() // it may have ended
		_ = p.Wait()         // says that it was killed
	}
}

// ended waits until the guard has done what it does when its run is gone: that is in
// the directory of the test.
func (c *crash) ended() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), healWithin)
	defer cancel()
	err := chaos.Watch(ctx, func(context.Context) error {
		if state, err := stateOf(c.guard); c.guard > 0 && (err != nil || state != sut.Down) {
			return errors.Join(err, errors.New("the guard goes on"))
		}
		return nil
	})
	if err != nil {
		c.t.Error(err)
	}
}

// whole wants the node to answer in time.
func (c *crash) whole() {
	c.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(c.t.Context(), healWithin)
	defer cancel()
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		broken, err := c.env.broken(ctx, crashNode)
		if err == nil && broken {
			err = errors.New("the node does not answer")
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("whole after %s", time.Since(began).Round(time.Millisecond))
}

// healed wants the journal to say so.
func (c *crash) healed() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), healWithin)
	defer cancel()
	err := chaos.Watch(ctx, func(context.Context) error {
		pending, err := chaos.ReadPending(c.journal())
		if err == nil && len(pending) > 0 {
			err = fmt.Errorf("%d faults are pending", len(pending))
		}
		return err
	})
	if err != nil {
		c.t.Error(err)
	}
}

// runner plays a process that breaks something and never ends.
func runner(ctx context.Context, kind chaos.Kind, dir, halt string, out io.Writer) error {
	env := Detached{dir: dir}
	journal, err := chaos.OpenJournal(filepath.Join(dir, "journal"))
	if err != nil {
		return err
	}
	guard := exec.Command(os.Args[0]) //nolint:forbidigo,noctx,gosec // the test binary, which outlives this process
	guard.Env = append(os.Environ(), roleVariable+"="+roleGuard)
	guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = guard.Start()
	if err != nil {
		return err
	}
	go func() { _ = guard.Wait() }()
	fmt.Fprintln(out, "guard", guard.Process.Pid)
	lease, err := chaos.NewLease(ctx, filepath.Join(dir, "socket"))
	if err != nil {
		return err
	}
	stop := func(here string) {
		if here == halt {
			fmt.Fprintln(out, halt)
			_ = lease.Watch(ctx) // until it is lost
			fmt.Fprintln(out, "lost")
			select {}
		}
	}
	node, _ := env.Topology().Node(crashNode)
	p := chaos.Params{Target: sut.Selection{Ref: crashNode, Nodes: []sut.Node{node}}}
	catalog := chaos.NewCatalog([]chaos.Kind{kind})
	fault, err := catalog.New(kind.Name, env, chaos.NewTargets(env), p)
	if err != nil {
		return err
	}
	active, err := chaos.Arm(ctx, journal, catalog, env, fault, func(chaos.Undo) { stop(haltJournalled) })
	if err != nil {
		return err
	}
	if _, err := active.Settle(ctx); err != nil {
		return err
	}
	stop(haltActive)
	if err := active.Injection.Recover(ctx); err != nil {
		return err
	}
	stop(haltRecovered)
	return nil
}

// guardRunner plays the guard of such a process.
func guardRunner(ctx context.Context, kind chaos.Kind, dir string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", filepath.Join(dir, "socket"))
	if err != nil {
		return err
	}
	g := &chaos.Guard{
		Say: func(string) {},
		Heal: func(ctx context.Context, again bool) error {
			journal, err := chaos.OpenJournal(filepath.Join(dir, "journal"))
			if err != nil {
				return err
			}
			heal := chaos.HealAll
			if again {
				heal = chaos.HealAgain
			}
			return errors.Join(heal(ctx, chaos.NewCatalog([]chaos.Kind{kind}), Detached{dir: dir}, journal), journal.Close())
		},
	}
	return g.Serve(ctx, listener)
}
