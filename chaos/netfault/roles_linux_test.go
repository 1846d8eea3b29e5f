package netfault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos/chaostest"
)

// roleVariable makes the test binary somebody in the namespace of a node: it
// serves or asks once, at an address.
const roleVariable = "NETFAULT_TEST_ROLE"

// playRole plays a role and reports whether there was one.
func playRole() bool {
	role, addr, _ := strings.Cut(os.Getenv(roleVariable), " ")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch role {
	case "":
		return false
	case "serve-udp":
		conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
		if err != nil {
			fmt.Fprintln(os.Stdout, err)
			return true
		}
		buf := make([]byte, 100)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return true
			}
			conn.WriteTo(buf[:n], from)
		}
	default: // tcp or udp
		fmt.Fprintln(os.Stdout, ask(ctx, role, addr))
	}
	return true
}

// ask makes a round trip and says how that went.
func ask(ctx context.Context, network, addr string) string {
	dialer := net.Dialer{Timeout: 400 * time.Millisecond}
	c, err := dialer.DialContext(ctx, network, addr)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(400 * time.Millisecond))
		if _, err = c.Write([]byte("hello")); err == nil {
			_, err = c.Read(make([]byte, 5))
		}
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		return "ok"
	case ok && timeout.Timeout():
		return "timeout"
	}
	return "refused"
}

// asks has a node make a round trip.
func asks(t *testing.T, env chaostest.Isolated, node, network, addr string) string {
	t.Helper()
	out, err := env.NetExec(t.Context(), node, "env", roleVariable+"="+network+" "+addr, os.Args[0])
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(out)
}

// asking is a probe of a node that makes a round trip.
func asking(t *testing.T, env chaostest.Isolated, node, network, addr string) chaostest.Probe {
	t.Helper()
	return func(context.Context) (bool, error) { return asks(t, env, node, network, addr) != "ok", nil } //nolint:contextcheck // the test's is as good
}

// serveNames answers in the place of Docker's resolver in a node's namespace.
func serveNames(t *testing.T, env chaostest.Isolated, node string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go env.NetExec(ctx, node, "env", roleVariable+"=serve-udp "+resolver+":53", os.Args[0])
	for deadline := time.Now().Add(time.Minute); asks(t, env, node, "udp", resolver+":53") != "ok"; {
		if time.Now().After(deadline) {
			t.Fatal("nobody serves names")
		}
	}
}

// joinNodes joins two nodes by a cable of their own and returns the address of
// the second.
func joinNodes(t *testing.T, env chaostest.Isolated, a, b string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go env.NetExec(ctx, b, "sh", "-c", "echo $$ > "+file+".new; mv "+file+".new "+file+"; exec sleep 60")
	var pid []byte
	for deadline := time.Now().Add(time.Minute); len(pid) == 0; <-time.After(time.Millisecond) {
		pid, _ = os.ReadFile(file)
		if time.Now().After(deadline) {
			t.Fatal("nobody is in the namespace of " + b)
		}
	}
	for _, c := range []struct{ node, argv string }{
		{a, "ip link add to-b type veth peer name to-a netns " + strings.TrimSpace(string(pid))},
		{a, "ip addr add 10.98.0.1/24 dev to-b"},
		{a, "ip link set to-b up"},
		{b, "ip addr add 10.98.0.2/24 dev to-a"},
		{b, "ip link set to-a up"},
	} {
		if out, err := env.NetExec(t.Context(), c.node, strings.Fields(c.argv)...); err != nil {
			t.Fatalf("%s: %v: %s", c.argv, err, out)
		}
	}
	return "10.98.0.2"
}
