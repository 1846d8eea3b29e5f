package netfault

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// linkdBinary is built once for all tests.
var linkdBinary binary

type binary struct {
	once sync.Once
	dir  string
	err  error
}

func (b *binary) build(tb testing.TB) string {
	tb.Helper()
	b.once.Do(func() {
		b.dir, b.err = os.MkdirTemp("", "linkd") //nolint:usetesting // outlives the first test
		if b.err != nil {
			return
		}
		out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", filepath.Join(b.dir, "linkd"), "../../cmd/linkd").CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if b.err != nil {
		tb.Fatal(b.err)
	}
	return filepath.Join(b.dir, "linkd")
}

func (b *binary) remove() { os.RemoveAll(b.dir) }

// linkEnv is an environment of links through a real linkd to an echo server.
type linkEnv struct {
	plain

	topology sut.Topology
	control  string
	ports    map[string]string // where each link listens
	process  *exec.Cmd
}

func (e *linkEnv) Topology() sut.Topology { return e.topology }

// LinkControl implements [sut.LinkController].
func (e *linkEnv) LinkControl(link string) (string, bool) {
	_, ok := e.ports[link]
	return e.control + "/links/" + url.PathEscape(link), ok
}

func newLinkEnv(tb testing.TB, links ...string) *linkEnv {
	tb.Helper()
	return newLinkEnvTo(tb, startEcho(tb), links...)
}

// newLinkEnvTo is newLinkEnv to another server.
func newLinkEnvTo(tb testing.TB, upstream string, links ...string) *linkEnv {
	tb.Helper()
	binary := linkdBinary.build(tb)
	var entries []map[string]string
	env := &linkEnv{ports: map[string]string{}}
	for _, name := range links {
		entries = append(entries, map[string]string{"name": name, "listen": "127.0.0.1:0", "upstream": upstream})
		env.topology.Links = append(env.topology.Links, sut.Link{Name: name, Carries: sut.TrafficReplication})
	}
	config, err := json.Marshal(map[string]any{"links": entries})
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "links.json")
	err = os.WriteFile(file, config, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	env.process = exec.CommandContext(tb.Context(), binary, "-config", file, "-control", "127.0.0.1:0")
	stderr, err := env.process.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := env.process.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		env.process.Process.Kill()
		env.process.Wait()
	})
	env.readLog(tb, stderr)
	return env
}

// readLog learns from linkd's log where it listens.
func (e *linkEnv) readLog(tb testing.TB, log io.Reader) {
	tb.Helper()
	lines := bufio.NewScanner(log)
	for e.control == "" && lines.Scan() {
		var record struct{ Msg, Link, Address string }
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			tb.Fatalf("linkd says %s", lines.Text())
		}
		switch record.Msg {
		case "link listens":
			e.ports[record.Link] = record.Address
		case "control listens":
			e.control = "http://" + record.Address
		}
	}
	if e.control == "" {
		tb.Fatal("linkd has ended")
	}
	go io.Copy(io.Discard, log)
}

// startEcho starts a server that sends back what it gets.
func startEcho(tb testing.TB) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// selection selects links by name.
func (e *linkEnv) selection(names ...string) sut.Selection {
	sel := sut.Selection{Ref: "link:replication"}
	for _, name := range names {
		sel.Links = append(sel.Links, sut.Link{Name: name, Carries: sut.TrafficReplication})
	}
	return sel
}

// broken is a probe that makes a round trip on a new connection.
func (e *linkEnv) broken(link string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", e.ports[link])
		if err != nil {
			return false, err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(300 * time.Millisecond))
		buf := []byte("ping")
		_, err = c.Write(buf)
		if err != nil {
			return false, err
		}
		_, err = io.ReadFull(c, buf)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return true, nil
		}
		return false, err
	}
}

// chatter sends something through a link all the time.
func (e *linkEnv) chatter(t *testing.T, link string) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", e.ports[link])
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		c.Close()
		running.Wait()
	})
	running.Go(func() { io.Copy(io.Discard, c) })
	running.Go(func() {
		for {
			if _, err := c.Write([]byte("0123456789")); err != nil {
				return
			}
			<-time.After(5 * time.Millisecond)
		}
	})
}
