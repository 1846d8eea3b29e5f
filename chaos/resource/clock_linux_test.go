package resource

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// teller makes the test binary a program that serves HTTP, linked statically. Each
// letter of its value beyond the first is a thread that is busy asking the time.
const teller = "RESOURCE_TELLER"

// serveTime says where it listens and answers until its input ends.
func serveTime() {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Fprintln(os.Stdout, l.Addr())
	for range len(os.Getenv(teller)) - 1 {
		go func() {
			for time.Now().Year() > 0 {
			}
		}()
	}
	go func() { _ = http.Serve(l, http.NotFoundHandler()) }() //nolint:gosec // of a test
	_ = bufio.NewScanner(os.Stdin).Scan()
}

// forking is a server in Perl, with the C library, that forks for each request
// and asks for the time in two ways.
const forking = `
use IO::Socket::INET;
$SIG{CHLD} = "IGNORE";
my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5) or die;
$| = 1; print "127.0.0.1:", $l->sockport, "\n";
alarm 300; # should nobody end it
while (1) {
	my $c = $l->accept or next;
	unless (fork) {
		while (<$c>) { last if /^\r$/ }
		my @d = gmtime time;
		printf $c "HTTP/1.1 200 OK\r\nConnection: close\r\nDate: %s, %02d %s %d %02d:%02d:%02d GMT\r\n\r\n",
			(qw(Sun Mon Tue Wed Thu Fri Sat))[$d[6]], $d[3], (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[$d[4]], $d[5]+1900, @d[2,1,0];
		exit;
	}
	close $c;
}`

// timed is an environment of one node that answers by HTTP.
type timed struct {
	sut.Environment

	pid  int
	addr string
}

func newTimed(t *testing.T, cmd *exec.Cmd) *timed {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("needs x86-64")
	}
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skipf("needs perl: %v", err)
	}
	cmd.Stderr = t.Output()
	if _, err := cmd.StdinPipe(); err != nil { // which ends with the test
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if ended := cmd.Wait(); ended == nil || ended.Error() != "signal: killed" {
			t.Errorf("the program had ended by itself: %v", ended)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &timed{pid: cmd.Process.Pid, addr: strings.TrimSpace(line)}
}

func (e *timed) Topology() sut.Topology {
	return sut.Topology{Nodes: []sut.Node{{Name: "api-1", Role: sut.RoleService}}}
}

func (e *timed) Endpoint(name string) (string, bool) { return "http://" + e.addr, name == "http/api-1" }

func (e *timed) NodeExec(ctx context.Context, _ string, variables []string, argv ...string) (string, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(slices.Clone(os.Environ()), append(variables, "NODE_PID="+strconv.Itoa(e.pid))...)
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}

func (e *timed) target() sut.Selection {
	return sut.Selection{Ref: "api-1", Nodes: e.Topology().Nodes}
}

// wrong is a probe that finds a clock broken that is off by a minute or more.
func (e *timed) wrong(ctx context.Context) (bool, error) {
	is, err := ahead(ctx, e, "api-1")
	return is.Abs() > time.Minute, err
}

func TestClock(t *testing.T) {
	static := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // the test binary
		cmd.Env = append(slices.Clone(os.Environ()), teller+"=1")
		return cmd
	}
	forks := func() *exec.Cmd { return exec.CommandContext(t.Context(), "perl", "-e", forking) }
	for name, cmd := range map[string]func() *exec.Cmd{"static": static, "forking": forks} {
		for _, by := range []string{"90s", "-2h0.5s"} {
			t.Run(name+" "+by, func(t *testing.T) {
				env := newTimed(t, cmd())
				p := chaos.Params{Target: env.target(), Values: map[string]string{"by": by}}
				chaostest.TestFault(t, env, clockOffset(), p, env.wrong)
			})
		}
	}
}

// TestClockUnderLoad changes the clock of a program that asks for it all the
// time, in several threads, and gets a signal after the other meanwhile: no
// thread is lost on the way, nor on its way back from a signal.
func TestClockUnderLoad(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // the test binary
	cmd.Env = append(slices.Clone(os.Environ()), teller+"=111")
	env := newTimed(t, cmd)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it never answers again if it has crashed
	defer cancel()
	signals := make(chan struct{})
	go func() {
		defer close(signals)
		for ctx.Err() == nil && syscall.Kill(env.pid, syscall.SIGURG) == nil {
		}
	}()
	defer func() {
		cancel()
		<-signals
	}()
	k := clockOffset()
	for range 5 {
		f, err := k.New(env, chaos.NewTargets(env), chaos.Params{Target: env.target()})
		if err != nil {
			t.Fatal(err)
		}
		undo, err := f.Prepare(ctx)
		if err != nil {
			t.Fatal(err)
		}
		in, err := f.Inject(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		if err := k.Heal(ctx, env, undo); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Recovered(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClockRefused(t *testing.T) {
	k := clockOffset()
	node := func(role sut.Role) sut.Selection {
		return sut.Selection{Ref: "x", Nodes: []sut.Node{{Name: "x", Role: role}}}
	}
	for _, tt := range []struct {
		target sut.Selection
		by     string
		want   string
	}{
		{node(sut.RoleService), "soon", "by=soon: want 5s or more"},
		{node(sut.RoleService), "1s", "want 5s or more"},
		{node(sut.RoleService), "-200000h", "want 5s or more"},
		{node(sut.RoleBroker), "90s", "x is rabbitmq: want one of"},
		{sut.Selection{Ref: "link:x"}, "90s", "acts on nodes"},
	} {
		err := k.CheckAll(chaos.Params{Target: tt.target, Values: map[string]string{"by": tt.by}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("by %s of %s: %v, want %q", tt.by, tt.target.Ref, err, tt.want)
		}
	}
	if _, err := clockPatch([]byte("no program"), time.Minute); err == nil {
		t.Error("what is no vDSO can be patched")
	}

	gone := &timed{pid: 1 << 30, addr: "127.0.0.1:1"}
	f, err := k.New(gone, chaos.NewTargets(gone), chaos.Params{Target: gone.target()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "ask api-1 for the time") {
		t.Errorf("a node that does not answer: %v", err)
	}
	if _, err = runClockScript(t.Context(), gone, "api-1", "check", ""); err == nil {
		t.Error("a process that is gone has a clock to change")
	}
	t.Setenv("PATH", "/nowhere")
	_, err = runClockScript(t.Context(), shell{gone}, "api-1", "check", "")
	if err == nil || !strings.Contains(err.Error(), "the node has no Perl") {
		t.Errorf("a node without Perl: %v", err)
	}
	if _, err = ahead(t.Context(), noEndpoint{gone}, "api-1"); !errors.Is(err, sut.ErrUnsupported) {
		t.Errorf("a node without an endpoint: %v, want %v", err, sut.ErrUnsupported)
	}
}

// shell finds its shell whatever the path is.
type shell struct{ *timed }

func (s shell) NodeExec(ctx context.Context, node string, variables []string, argv ...string) (string, error) {
	return s.timed.NodeExec(ctx, node, variables, append([]string{"/bin/" + argv[0]}, argv[1:]...)...)
}

type noEndpoint struct{ *timed }

func (noEndpoint) Endpoint(string) (string, bool) { return "", false }
