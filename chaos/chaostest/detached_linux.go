package chaostest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A Detached is an environment like [Local] whose nodes belong to nobody: what
// is known of them is in a directory, so that several processes can break and
// mend them. Its nodes end when the directory is removed.
type Detached struct{ dir string }

// A detachedNode is what the directory says of a node.
type detachedNode struct {
	PID  int    `json:"pid"`
	Addr string `json:"addr"`
}

// roleDetached is a node of a [Detached], which waits for its directory to go.
const roleDetached = "detached"

// Topology implements [sut.Environment].
func (d Detached) Topology() sut.Topology {
	t := sut.Topology{Name: "detached"}
	files, err := filepath.Glob(filepath.Join(d.dir, "*.node"))
	if err != nil {
		return t
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".node")
		t.Nodes = append(t.Nodes, sut.Node{Name: name, Role: sut.RoleService})
	}
	return t
}

// Endpoint implements [sut.Environment]; there is none.
func (d Detached) Endpoint(string) (string, bool) { return "", false }

// Close implements [sut.Environment].
func (d Detached) Close(context.Context) error { return nil }

func (d Detached) file(node string) string { return filepath.Join(d.dir, node+".node") }

func (d Detached) read(node string) (n detachedNode, err error) {
	data, err := os.ReadFile(d.file(node))
	if errors.Is(err, fs.ErrNotExist) {
		return n, fmt.Errorf("no node %s", node)
	}
	if err != nil {
		return n, err
	}
	err = json.Unmarshal(data, &n)
	return n, err
}

// Start implements [sut.Killer]. A node keeps its address.
func (d Detached) Start(ctx context.Context, node string) error {
	if state, err := d.State(ctx, node); err == nil && state != sut.Down {
		return nil
	}
	old, err := d.read(node)
	if err != nil {
		old.Addr = "127.0.0.1:0"
	}
	p := exec.Command(os.Args[0]) //nolint:forbidigo,noctx,gosec // the test binary, which outlives the caller's context
	p.Env = append(os.Environ(), roleVariable+"="+roleDetached, addrVariable+"="+old.Addr, dirVariable+"="+d.dir)
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := p.StdoutPipe()
	if err != nil {
		return err
	}
	err = p.Start()
	if err != nil {
		return err
	}
	go func() { _ = p.Wait() }() // so that it leaves no zombie
	addr := make([]byte, 64)
	n, err := out.Read(addr)
	if err != nil {
		return fmt.Errorf("start %s at %s: %w", node, old.Addr, err)
	}
	data, err := json.Marshal(detachedNode{PID: p.Process.Pid, Addr: strings.TrimSpace(string(addr[:n]))})
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file(node)+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(d.file(node)+".new", d.file(node))
}

// Kill implements [sut.Killer].
func (d Detached) Kill(ctx context.Context, node string) error {
	if err := d.signal(node, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return chaos.AwaitState(ctx, d, []string{node}, sut.Down)
}

// State implements [sut.Killer].
func (d Detached) State(_ context.Context, node string) (sut.State, error) {
	n, err := d.read(node)
	if err != nil {
		return "", err
	}
	return stateOf(n.PID)
}

// Pause implements [sut.Pauser].
func (d Detached) Pause(ctx context.Context, node string) error {
	if err := d.signal(node, syscall.SIGSTOP); err != nil {
		return err
	}
	return chaos.AwaitState(ctx, d, []string{node}, sut.Paused)
}

// Resume implements [sut.Pauser].
func (d Detached) Resume(_ context.Context, node string) error {
	return d.signal(node, syscall.SIGCONT)
}

func (d Detached) signal(node string, s syscall.Signal) error {
	n, err := d.read(node)
	if err != nil {
		return err
	}
	return syscall.Kill(n.PID, s)
}

// broken tells whether a node answers.
func (d Detached) broken(ctx context.Context, node string) (bool, error) {
	n, err := d.read(node)
	if err != nil {
		return false, err
	}
	return !answers(ctx, n.Addr), nil
}

// detached plays a node: it answers until its directory is gone.
func detached(ctx context.Context, dir, addr string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	go echo(listener)
	fmt.Println(listener.Addr()) //nolint:forbidigo // is a main function
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := os.Stat(dir); err != nil { //nolint:gosec // the test names it
			return nil // that is its end
		}
	}
	return nil
}
