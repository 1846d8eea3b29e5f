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
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// Local is an environment whose nodes are processes on this machine: the test
// binary itself, which answers whatever it is sent. It stands in for containers
// where a fault must be tried on something real. It implements [sut.Killer],
// [sut.Pauser], [sut.Waiter] and [sut.Executor], and [Isolated] implements [sut.NetAdmin] too.
//
// The package under test needs a TestMain that calls [RunNode].
type Local struct {
	topology sut.Topology
	prober   *process // in a network namespace of its own; nil if nodes are not isolated

	mu    sync.Mutex
	nodes map[string]*process
}

// An Isolated is a Local whose nodes have network namespaces.
type Isolated struct{ *Local }

// A process is a child of the test.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	addr   string // where a node listens
}

// The roles of a child process, by an environment variable.
const (
	roleVariable = "CHAOSTEST_ROLE"
	roleNode     = "node"
	roleProber   = "prober"
	addrVariable = "CHAOSTEST_ADDR"
)

// NewLocal starts an environment with nodes of the given names.
func NewLocal(t *testing.T, names ...string) *Local {
	t.Helper()
	l := &Local{topology: sut.Topology{Name: "local"}, nodes: map[string]*process{}}
	t.Cleanup(l.stop)
	l.startAll(t, names, "127.0.0.1:0")
	return l
}

// NewIsolated starts an environment whose nodes have network namespaces of
// their own. It skips the test where these cannot be made.
func NewIsolated(t *testing.T, names ...string) Isolated {
	t.Helper()
	l := &Local{topology: sut.Topology{Name: "local"}, nodes: map[string]*process{}}
	t.Cleanup(l.stop)
	prober, err := spawn(roleProber, "", true)
	if err != nil {
		t.Skipf("needs the right to make network namespaces: %v", err)
	}
	l.prober = prober
	for _, tool := range []string{"nsenter", "ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
	l.startAll(t, names, "")
	return Isolated{l}
}

func (l *Local) startAll(t *testing.T, names []string, addr string) {
	t.Helper()
	for i, name := range names {
		l.topology.Nodes = append(l.topology.Nodes, sut.Node{Name: name, Role: sut.RoleService})
		l.nodes[name] = &process{addr: addr}
		if l.prober != nil {
			l.nodes[name].addr = fmt.Sprintf("10.99.%d.2:7000", i)
		}
		if err := l.Start(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

// Node selects one node.
func (l *Local) Node(name string) sut.Selection {
	n, _ := l.topology.Node(name)
	return sut.Selection{Ref: name, Nodes: []sut.Node{n}}
}

// Addr returns where a node listens.
func (l *Local) Addr(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes[name].addr
}

// Broken is a [Probe] of one node.
func (l *Local) Broken(name string) Probe {
	return func(ctx context.Context) (bool, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.prober == nil {
			return !answers(ctx, l.nodes[name].addr), nil
		}
		if _, err := io.WriteString(l.prober.stdin, l.nodes[name].addr+"\n"); err != nil {
			return false, err
		}
		answer, err := l.prober.stdout.ReadString('\n')
		return answer != "ok\n", err
	}
}

// Topology implements [sut.Environment].
func (l *Local) Topology() sut.Topology { return l.topology }

// Endpoint implements [sut.Environment]; there is none.
func (l *Local) Endpoint(string) (string, bool) { return "", false }

// Close implements [sut.Environment].
func (l *Local) Close(context.Context) error {
	l.stop()
	return nil
}

func (l *Local) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.nodes {
		p.kill()
	}
	if l.prober != nil {
		l.prober.kill()
	}
}

// Kill implements [sut.Killer].
func (l *Local) Kill(_ context.Context, node string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[node].kill()
	return nil
}

// Stop implements [sut.Stopper]. A node ends at once when it is told to.
func (l *Local) Stop(_ context.Context, node string, _ time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[node].end(syscall.SIGTERM)
	return nil
}

// Start implements [sut.Killer].
func (l *Local) Start(ctx context.Context, node string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.nodes[node]
	if old.cmd != nil {
		if state, err := stateOf(old.cmd.Process.Pid); err != nil || state != sut.Down {
			return err
		}
		old.kill() // it was by somebody else
	}
	addr := old.addr
	if l.prober != nil {
		addr = ":7000"
	}
	p, err := spawn(roleNode, addr, l.prober != nil)
	if err != nil {
		return err
	}
	l.nodes[node] = p
	if l.prober == nil {
		return nil
	}
	p.addr = old.addr
	return l.connect(ctx, p)
}

// connect joins the namespaces of a node and the prober by a cable.
func (l *Local) connect(ctx context.Context, p *process) error {
	host, _, err := net.SplitHostPort(p.addr)
	if err != nil {
		return err
	}
	third := strings.Split(host, ".")[2]
	// The cable of a process that died goes with its namespace, which the
	// kernel takes down some time later. This does not wait for that, and fails
	// if there is none.
	_, _ = l.prober.netExec(ctx, "ip", "link", "del", "to-"+third)
	for _, c := range []struct {
		in   *process
		argv string
	}{
		{l.prober, fmt.Sprintf("ip link add to-%s type veth peer name eth0 netns %d", third, p.cmd.Process.Pid)},
		{l.prober, fmt.Sprintf("ip addr add 10.99.%s.1/24 dev to-%[1]s", third)},
		{l.prober, fmt.Sprintf("ip link set to-%s up", third)},
		{p, fmt.Sprintf("ip addr add %s/24 dev eth0", host)},
		{p, "ip link set eth0 up"},
		{p, "ip link set lo up"},
	} {
		if out, err := c.in.netExec(ctx, strings.Fields(c.argv)...); err != nil {
			return fmt.Errorf("%s: %w: %s", c.argv, err, out)
		}
	}
	return nil
}

// State implements [sut.Killer].
func (l *Local) State(_ context.Context, node string) (sut.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cmd := l.nodes[node].cmd
	if cmd == nil {
		return sut.Down, nil
	}
	return stateOf(cmd.Process.Pid)
}

// stateOf observes a process.
func stateOf(pid int) (sut.State, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) {
		return sut.Down, nil
	} else if err != nil {
		return "", err
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	switch fields[0] {
	case 'T':
		return sut.Paused, nil
	case 'Z', 'X':
		return sut.Down, nil
	}
	return sut.Running, nil
}

// Pause implements [sut.Pauser]. A signal takes effect a little later than it
// is sent; a pause is there when this returns.
func (l *Local) Pause(ctx context.Context, node string) error {
	if err := l.signal(node, syscall.SIGSTOP); err != nil {
		return err
	}
	return chaos.AwaitState(ctx, l, []string{node}, sut.Paused)
}

// Resume implements [sut.Pauser].
func (l *Local) Resume(_ context.Context, node string) error { return l.signal(node, syscall.SIGCONT) }

func (l *Local) signal(node string, s os.Signal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nodes[node].cmd == nil {
		return fmt.Errorf("%s is down", node)
	}
	return l.nodes[node].cmd.Process.Signal(s)
}

// NodeExec implements [sut.Executor]. The commands see all of this machine.
func (l *Local) NodeExec(ctx context.Context, node string, variables []string, argv ...string) (string, error) {
	l.mu.Lock()
	cmd := l.nodes[node].cmd
	l.mu.Unlock()
	if cmd == nil {
		return "", fmt.Errorf("%s is down", node)
	}
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(slices.Clone(os.Environ()), append(variables, "NODE_PID="+strconv.Itoa(cmd.Process.Pid))...)
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}

// WaitReady implements [sut.Waiter].
func (l *Local) WaitReady(ctx context.Context, node string) error {
	for {
		if broken, err := l.Broken(node)(ctx); err != nil || !broken {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// PrepareNet implements [sut.NetAdmin].
func (i Isolated) PrepareNet(ctx context.Context, node string) error {
	_, err := i.NetExec(ctx, node, "true")
	return err
}

// NetExec implements [sut.NetAdmin].
func (i Isolated) NetExec(ctx context.Context, node string, argv ...string) (string, error) {
	i.mu.Lock()
	p := i.nodes[node]
	i.mu.Unlock()
	if p.cmd == nil {
		return "", fmt.Errorf("%s is down", node)
	}
	return p.netExec(ctx, argv...)
}

// spawn starts the test binary as a child. It ends with the test.
func spawn(role, addr string, isolated bool) (*process, error) {
	p := &process{cmd: exec.Command(os.Args[0])} //nolint:forbidigo,noctx,gosec // the test binary, which outlives the caller's context
	p.cmd.Env = append(slices.Clone(os.Environ()), roleVariable+"="+role, addrVariable+"="+addr)
	if isolated {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewReader(stdout)
	err = p.cmd.Start()
	if err != nil {
		return nil, err
	}
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("start %s at %q: %w", role, addr, err)
	}
	p.addr = strings.TrimSpace(line)
	return p, nil
}

// kill ends a process and waits for that. Its address stays.
func (p *process) kill() { p.end(syscall.SIGKILL) }

func (p *process) end(by syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(by) // it may have ended
	_ = p.cmd.Wait()             // says by what it was ended
	p.cmd = nil
}

func (p *process) netExec(ctx context.Context, argv ...string) (string, error) {
	args := append([]string{"-t", strconv.Itoa(p.cmd.Process.Pid), "-n"}, argv...)
	out, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput()
	return string(out), err
}

// answers reports whether a node answers within a moment.
func answers(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	context.AfterFunc(ctx, func() { _ = c.Close() }) // in the end, or to end a hanging read
	buf := []byte("hello")
	_, err = c.Write(buf)
	if err != nil {
		return false
	}
	_, err = io.ReadFull(c, buf)
	return err == nil
}
