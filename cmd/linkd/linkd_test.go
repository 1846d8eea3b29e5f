package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sizeVariable is how many MiB [TestNoByteIsLost] sends for each toxic. The
// full form is 1024.
const sizeVariable = "LINKD_TEST_MIB"

// TestNoByteIsLost sends data both ways while a toxic comes and goes, each
// alone and all together, and compares checksums. Between two toxics the link
// takes its fast path, so that the change to it and back is tested too. Those that
// end or empty connections come and go for half of them, and the data passes over
// one that they do not act on.
func TestNoByteIsLost(t *testing.T) {
	size := int64(64 << 20)
	if mib, err := strconv.ParseInt(os.Getenv(sizeVariable), 10, 32); err == nil {
		size = mib << 20
	} else if testing.Short() {
		size = 8 << 20
	}
	all := slices.Sorted(maps.Keys(gentle()))
	for _, typ := range all {
		t.Run(typ, func(t *testing.T) { transfer(t, size, typ) })
	}
	t.Run("all", func(t *testing.T) { transfer(t, size, all...) })
	for _, typ := range slices.Sorted(maps.Keys(harsh())) {
		t.Run(typ, func(t *testing.T) { transfer(t, size, typ) })
	}
}

func transfer(t *testing.T, size int64, types ...string) {
	t.Helper()
	d := start(t, map[string]string{"a->b": echo(t)})
	var c net.Conn
	_, spares := harsh()[types[0]]
	if spares {
		c = d.spared(t, "a->b")
	} else {
		c = d.dial(t, "a->b")
	}
	before := d.counters(t, "a->b")
	var changes atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		d.harass(t, "a->b", &changes, stop, types...)
	}()
	type sum struct {
		bytes int64
		hash  [32]byte
	}
	sent := make(chan sum, 1)
	go func() { // as much as was asked for, and until toxics have come and gone
		hash, data, n := sha256.New(), rand.NewChaCha8([32]byte{1}), int64(0)
		for n < size || changes.Load() < 20 {
			some, err := io.CopyN(io.MultiWriter(c, hash), data, 1<<20)
			n += some
			if err != nil {
				t.Errorf("sent %d bytes: %v", n, err)
				break
			}
		}
		c.(*net.TCPConn).CloseWrite()
		sent <- sum{n, [32]byte(hash.Sum(nil))}
	}()

	hash := sha256.New()
	n, err := io.Copy(hash, c)
	close(stop)
	<-stopped
	if err != nil {
		t.Fatalf("received %d bytes: %v", n, err)
	}
	all := <-sent
	if diff := cmp.Diff(all, sum{n, [32]byte(hash.Sum(nil))}, cmp.AllowUnexported(sum{})); diff != "" {
		t.Errorf("bytes and checksum (-sent +received):\n%s", diff)
	}
	wait(t, "connection closed", func() bool { return d.counters(t, "a->b").Connections == 0 })
	got := d.counters(t, "a->b")
	if !spares && got.UpstreamPieces+got.DownstreamPieces == 0 {
		t.Error("no toxic met the data")
	}
	want := counters{
		UpstreamIn: before.UpstreamIn + all.bytes, UpstreamOut: before.UpstreamOut + all.bytes,
		DownstreamIn: before.DownstreamIn + all.bytes, DownstreamOut: before.DownstreamOut + all.bytes,
	}
	got.UpstreamPieces, got.UpstreamWaited, got.DownstreamPieces, got.DownstreamWaited = 0, 0, 0, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// gentle are the toxics that lose nothing, with attributes under which a
// transfer goes on.
func gentle() map[string]string {
	return map[string]string{
		typeLatency:   `{"latency":3,"jitter":2,"distribution":"pareto"}`,
		typeBandwidth: `{"rate":20000}`,
		typeSlicer:    `{"average_size":3000,"size_variation":2000,"delay":10}`,
		typeStall:     `{}`,
	}
}

// harsh are the toxics that end or empty the connections that they act on.
func harsh() map[string]string {
	return map[string]string{
		typeLimit:    `{"bytes":1000}`,
		typeHalfOpen: `{}`,
		typeReset:    `{"timeout":0}`,
	}
}

// spared returns a connection on which toxics of half of them do not act, the only
// one that is left of several of which some were acted on.
func (d linkd) spared(t *testing.T, link string) (spared net.Conn) {
	t.Helper()
	d.share(t, link, typeStall, "upstream", `{}`, 0.5)
	const n = 20
	var conns []net.Conn
	for range n {
		c := d.dial(t, link)
		io.WriteString(c, "x")
		conns = append(conns, c)
	}
	passed := 0
	wait(t, "what is not held has passed", func() bool {
		c := d.counters(t, link)
		passed = int(c.DownstreamOut)
		return c.UpstreamIn == n && c.DownstreamOut == c.UpstreamOut
	})
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := io.ReadFull(c, make([]byte, 1)); err == nil && spared == nil {
			spared = c
			continue
		}
		c.Close()
	}
	if spared == nil || passed == n {
		t.Fatalf("of %d connections %d are spared", n, passed)
	}
	spared.SetReadDeadline(time.Time{})
	d.remove(t, link, typeStall, "upstream")
	wait(t, "the others are closed", func() bool { return d.counters(t, link).Connections == 1 })
	return spared
}

// share adds a toxic that acts on a share of the connections.
func (d linkd) share(t *testing.T, link, typ, stream, attributes string, toxicity float64) {
	t.Helper()
	d.must(t, "POST", link, "/proxies/link/toxics",
		fmt.Sprintf(`{"name":"%s_%s","type":"%[1]s","stream":"%[2]s","attributes":%s,"toxicity":%g}`, typ, stream, attributes, toxicity))
}

// harass adds and removes toxics at random until stop, and counts that.
func (d linkd) harass(t *testing.T, link string, changes *atomic.Int64, stop <-chan struct{}, types ...string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	present := map[[2]string]bool{}
	toggle := func(key [2]string) {
		attributes, gently := gentle()[key[0]]
		switch {
		case present[key]:
			d.remove(t, link, key[0], key[1])
		case gently:
			d.add(t, link, key[0], key[1], attributes)
		default:
			d.share(t, link, key[0], key[1], harsh()[key[0]], 0.5)
		}
		present[key] = !present[key]
		changes.Add(1)
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rng.IntN(10)) * time.Millisecond):
		}
		for key, on := range present { // stalls are short, so that the transfer ends
			if on && key[0] == typeStall {
				toggle(key)
			}
		}
		toggle([2]string{types[rng.IntN(len(types))], []string{"upstream", "downstream"}[rng.IntN(2)]})
	}
}

func TestStall(t *testing.T) {
	for _, stream := range []string{"upstream", "downstream"} {
		t.Run(stream, func(t *testing.T) {
			d := start(t, map[string]string{"a->b": echo(t)})
			old := d.dial(t, "a->b")
			roundTrip(t, old, "before")
			wait(t, "counters complete", func() bool { return d.counters(t, "a->b").DownstreamOut == 6 })

			d.add(t, "a->b", "stall", stream, "{}")
			before := d.counters(t, "a->b")
			fresh := d.dial(t, "a->b")
			for _, c := range []net.Conn{old, fresh} {
				io.WriteString(c, "held")
				silent(t, c)
			}
			held := d.counters(t, "a->b")
			in, out := held.UpstreamIn-before.UpstreamIn, held.UpstreamOut-before.UpstreamOut
			if stream == "downstream" {
				in, out = held.DownstreamIn-before.DownstreamIn, held.DownstreamOut-before.DownstreamOut
			}
			if in != 8 || out != 0 {
				t.Errorf("during the stall %d bytes came in and %d went out, want 8 and 0", in, out)
			}

			d.remove(t, "a->b", "stall", stream)
			for _, c := range []net.Conn{old, fresh} {
				expect(t, c, "held")
				roundTrip(t, c, "after")
			}
		})
	}
}

// TestStallHoldsTheEnd checks that the end of a connection does not overtake
// the data, nor pass a stall.
func TestStallHoldsTheEnd(t *testing.T) {
	for _, words := range []string{"", "last words"} {
		got := make(chan string, 1)
		d := start(t, map[string]string{"a->b": upstream(t, func(c net.Conn) {
			data, _ := io.ReadAll(c)
			got <- string(data)
		})})
		d.add(t, "a->b", "stall", "upstream", "{}")
		c := d.dial(t, "a->b")
		io.WriteString(c, words)
		c.Close()
		select {
		case data := <-got:
			t.Fatalf("upstream saw the end after %q during the stall", data)
		case <-time.After(150 * time.Millisecond):
		}
		d.remove(t, "a->b", "stall", "upstream")
		if data := <-got; data != words {
			t.Errorf("upstream got %q, want %q", data, words)
		}
	}
}

// TestReceiverDoesNotRead checks that toxics come and go at once, in any
// order, while both the data held and the kernel's buffers are full, and that
// everything arrives when the receiver reads again.
func TestReceiverDoesNotRead(t *testing.T) {
	read, got := make(chan struct{}), make(chan int64, 1)
	d := start(t, map[string]string{"a->b": upstream(t, func(c net.Conn) {
		<-read
		n, _ := io.Copy(io.Discard, c)
		got <- n
	})})
	c := d.dial(t, "a->b")
	sent := int64(0)
	chunk := make([]byte, 64<<10)
	for { // until nobody takes more
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := c.Write(chunk)
		sent += int64(n)
		if err != nil {
			break
		}
	}
	for _, last := range []string{"latency", "stall"} {
		d.add(t, "a->b", "latency", "upstream", `{"latency":10}`)
		d.add(t, "a->b", "stall", "upstream", `{}`)
		first := map[string]string{"latency": "stall", "stall": "latency"}[last]
		d.remove(t, "a->b", first, "upstream")
		d.remove(t, "a->b", last, "upstream")
	}
	close(read)
	c.(*net.TCPConn).CloseWrite()
	if n := <-got; n != sent {
		t.Errorf("receiver got %d bytes, sender sent %d", n, sent)
	}
}

func TestLinksAreIndependent(t *testing.T) {
	d := start(t, map[string]string{"a->b": echo(t), "a->c": echo(t)})
	stalled, other := d.dial(t, "a->b"), d.dial(t, "a->c")
	d.add(t, "a->b", "stall", "upstream", "{}")
	io.WriteString(stalled, "held")
	roundTrip(t, other, "through")
	silent(t, stalled)
	if c := d.counters(t, "a->c"); c.UpstreamOut != 7 || c.Connections != 1 {
		t.Errorf("counters of the other link: %+v", c)
	}
	d.must(t, "PATCH", "a->b", "/proxies/link", `{"enabled":false}`)
	roundTrip(t, other, "still through")
}

func TestDisable(t *testing.T) {
	d := start(t, map[string]string{"a->b": echo(t)})
	addr := d.links["a->b"].proxy.Listen
	c := d.dial(t, "a->b")
	roundTrip(t, c, "before")
	d.add(t, "a->b", "stall", "downstream", "{}")

	answer := d.must(t, "PATCH", "a->b", "/proxies/link", `{"enabled":false}`)
	if !strings.Contains(answer, `"enabled":false`) {
		t.Errorf("answer %s", answer)
	}
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read from a connection of a disabled link: %v", err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("a disabled link accepts connections")
	}
	d.remove(t, "a->b", "stall", "downstream")
	for range 2 {
		d.must(t, "PATCH", "a->b", "/proxies/link", `{"enabled":true}`)
	}
	if now := d.links["a->b"].proxy.Listen; now != addr {
		t.Errorf("listens on %s after enabling, before on %s", now, addr)
	}
	roundTrip(t, d.dial(t, "a->b"), "after")
}

func TestHalfClose(t *testing.T) {
	d := start(t, map[string]string{"a->b": upstream(t, func(c net.Conn) {
		data, _ := io.ReadAll(c)
		fmt.Fprintf(c, "got %s", data)
		c.Close()
	})})
	c := d.dial(t, "a->b")
	io.WriteString(c, "request")
	c.(*net.TCPConn).CloseWrite()
	data, err := io.ReadAll(c)
	if err != nil || string(data) != "got request" {
		t.Errorf("read %q, %v", data, err)
	}
	wait(t, "connection closed", func() bool { return d.counters(t, "a->b").Connections == 0 })
}

func TestUpstreamDown(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	d := start(t, map[string]string{"a->b": l.Addr().String()})
	c := d.dial(t, "a->b")
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v, want EOF", err)
	}
}

// TestUpstream lets a link lead elsewhere and back: what is connected is closed,
// and what comes reaches the other server. Its toxics stay, and a link that is
// disabled stays so.
func TestUpstream(t *testing.T) {
	greet := func(text string) string {
		return upstream(t, func(c net.Conn) {
			io.WriteString(c, text)
			io.Copy(io.Discard, c)
		})
	}
	first, second := greet("first"), greet("second")
	d := start(t, map[string]string{"a->b": first})
	d.add(t, "a->b", "latency", "upstream", `{"latency":1}`)
	for _, to := range []struct{ upstream, says string }{{second, "second"}, {first, "first"}} {
		old := d.dial(t, "a->b")
		answer := d.must(t, "PATCH", "a->b", "/proxies/link", `{"upstream":"`+to.upstream+`"}`)
		if !strings.Contains(answer, to.upstream) {
			t.Errorf("the answer does not say where the link leads: %s", answer)
		}
		old.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, old); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection that there was is still open")
		}
		expect(t, d.dial(t, "a->b"), to.says)
		if list := d.must(t, "GET", "a->b", "/proxies/link/toxics", ""); !strings.Contains(list, "latency") {
			t.Errorf("the toxic is gone: %s", list)
		}
	}
	d.must(t, "PATCH", "a->b", "/proxies/link", `{"enabled":false}`)
	if answer := d.must(t, "PATCH", "a->b", "/proxies/link", `{"upstream":"`+second+`"}`); !strings.Contains(answer, `"enabled":false`) {
		t.Errorf("the link is enabled: %s", answer)
	}
}
