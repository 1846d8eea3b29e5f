package main

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// ending reads until the connection ends and returns how.
func ending(t *testing.T, c net.Conn) (data string, err error) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	got, err := io.ReadAll(c)
	return string(got), err
}

// TestReset resets an established connection that stands idle, and one that
// comes later, in either direction.
func TestReset(t *testing.T) {
	for _, stream := range []string{"upstream", "downstream"} {
		t.Run(stream, func(t *testing.T) {
			seen := make(chan error, 2)
			d := start(t, map[string]string{"a->b": upstream(t, func(c net.Conn) {
				_, err := io.Copy(c, c)
				seen <- err
			})})
			old := d.dial(t, "a->b")
			roundTrip(t, old, "before")
			d.add(t, "a->b", typeReset, stream, "{}")
			for _, c := range []net.Conn{old, d.dial(t, "a->b")} {
				_, atClient := ending(t, c)
				client, server := errors.Is(atClient, syscall.ECONNRESET), errors.Is(<-seen, syscall.ECONNRESET)
				if client != (stream == "downstream") || server != (stream == "upstream") {
					t.Errorf("reset seen by the client %t (%v), by the server %t", client, atClient, server)
				}
			}
			wait(t, "two resets", func() bool { return d.counters(t, "a->b").Resets == 2 })
			d.remove(t, "a->b", typeReset, stream)
			roundTrip(t, d.dial(t, "a->b"), "after")
		})
	}
}

// TestResetIsCalledOff removes a reset before it is due.
func TestResetIsCalledOff(t *testing.T) {
	d := start(t, map[string]string{"a->b": echo(t)})
	c := d.dial(t, "a->b")
	roundTrip(t, c, "before")
	d.add(t, "a->b", typeReset, "downstream", `{"timeout":100}`)
	d.remove(t, "a->b", typeReset, "downstream")
	silent(t, c) // for longer than that
	roundTrip(t, c, "after")
}

func TestLimit(t *testing.T) {
	d := start(t, map[string]string{"a->b": echo(t)})
	old := d.dial(t, "a->b")
	roundTrip(t, old, "what passed before the toxic does not count")
	d.add(t, "a->b", typeLimit, "downstream", `{"bytes":5}`)
	for _, c := range []net.Conn{old, d.dial(t, "a->b")} {
		roundTrip(t, c, "123")
		io.WriteString(c, "456789")
		if data, _ := ending(t, c); data != "45" {
			t.Errorf("got %q before the end, want the rest of the 5 bytes", data)
		}
	}
	wait(t, "connections closed", func() bool { return d.counters(t, "a->b").Connections == 0 })
	d.remove(t, "a->b", typeLimit, "downstream")
	roundTrip(t, d.dial(t, "a->b"), "after")
}

// TestHalfOpen has the upstream vanish: connections are accepted and stay open,
// the end of one is not passed on, and what was sent is lost. When it is back,
// a connection that lost something is reset, and one that did not goes on.
func TestHalfOpen(t *testing.T) {
	d := start(t, map[string]string{"a->b": echo(t)})
	idle, busy := d.dial(t, "a->b"), d.dial(t, "a->b")
	roundTrip(t, idle, "before")
	roundTrip(t, busy, "before")
	for _, stream := range []string{"upstream", "downstream"} {
		d.add(t, "a->b", typeHalfOpen, stream, "{}")
	}
	fresh := d.dial(t, "a->b")
	for _, c := range []net.Conn{busy, fresh} {
		io.WriteString(c, "lost")
		silent(t, c)
	}
	if got := d.counters(t, "a->b"); got.UpstreamDropped != 8 || got.Connections != 3 {
		t.Errorf("counters %+v, want 8 bytes dropped and 3 connections", got)
	}
	for _, stream := range []string{"upstream", "downstream"} {
		d.remove(t, "a->b", typeHalfOpen, stream)
	}
	for _, c := range []net.Conn{busy, fresh} {
		if data, err := ending(t, c); !errors.Is(err, syscall.ECONNRESET) || data != "" {
			t.Errorf("read %q, %v, want a reset", data, err)
		}
	}
	roundTrip(t, idle, "after")
}

// TestShare lets a toxic act on some connections, in both directions the same.
func TestShare(t *testing.T) {
	d := start(t, map[string]string{"a->b": echo(t)})
	d.must(t, "POST", "a->b", "/proxies/link/toxics", `{"name":"some","type":"stall","stream":"upstream","toxicity":0.3}`)
	const n = 60
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = d.dial(t, "a->b")
		io.WriteString(conns[i], "x")
	}
	wait(t, "what is not held has passed", func() bool {
		c := d.counters(t, "a->b")
		return c.UpstreamIn == n && c.DownstreamOut == c.UpstreamOut
	})
	if met := n - int(d.counters(t, "a->b").DownstreamOut); met < 8 || met > 30 {
		t.Errorf("the toxic acts on %d of %d connections, want about 18", met, n)
	}
	d.must(t, "DELETE", "a->b", "/proxies/link/toxics/some", "")
	for _, c := range conns {
		expect(t, c, "x")
	}
}

// TestToxicsInAnyOrder removes toxics in another order than they were added.
func TestToxicsInAnyOrder(t *testing.T) {
	d := start(t, map[string]string{"a->b": echo(t)})
	c := d.dial(t, "a->b")
	types := []string{typeLatency, typeBandwidth, typeSlicer}
	for _, typ := range types {
		d.add(t, "a->b", typ, "upstream", gentle()[typ])
		roundTrip(t, c, "with "+typ)
	}
	for _, typ := range types { // first in, first out
		d.remove(t, "a->b", typ, "upstream")
		roundTrip(t, c, "without "+typ)
	}
}

// TestBlackhole disables a link whose upstream does not answer, while clients
// wait for it: neither they nor another link wait for each other.
func TestBlackhole(t *testing.T) {
	d := start(t, map[string]string{"a->b": blackhole(t), "a->c": echo(t)})
	for range 5 {
		io.WriteString(d.dial(t, "a->b"), "anybody?")
	}
	begin := time.Now()
	d.must(t, "PATCH", "a->b", "/proxies/link", `{"enabled":false}`)
	if took := time.Since(begin); took > dialTimeout/2 {
		t.Errorf("disabling took %s", took)
	}
	roundTrip(t, d.dial(t, "a->c"), "another link")
}

// blackhole returns an address that does not answer: a listener whose backlog
// is full drops further requests to connect.
func blackhole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	err = errors.Join(
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		syscall.Listen(fd, 0),
	)
	if err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	for range 4 {
		dialer := net.Dialer{Timeout: 100 * time.Millisecond}
		c, err := dialer.DialContext(t.Context(), "tcp", addr.String())
		if err != nil {
			return addr.String()
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the backlog of a listener cannot be filled here")
	return ""
}
