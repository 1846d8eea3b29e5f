package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// The paths that are compared.
const (
	pathDirect = "direct"
	pathStock  = "toxiproxy"
	pathLinkd  = "linkd"
)

// echoVariable makes the test binary an echo server and nothing else: file
// descriptors are counted by process, and the connections need many.
const echoVariable = "LINKD_TEST_ECHO"

func TestMain(m *testing.M) {
	if os.Getenv(echoVariable) == "" {
		m.Run()
		return
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			io.Copy(c, c)
			c.Close()
		}()
	}
}

// echoProcess starts an echo server in a process of its own.
func echoProcess(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), echoVariable+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	err = cmd.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// paths starts an echo server and returns its address and those of proxies
// before it, without a toxic.
func paths(b *testing.B) map[string]string {
	b.Helper()
	direct := echoProcess(b)
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	stock := toxiproxy.NewProxy(api, "stock", "127.0.0.1:0", direct)
	if err := api.Collection.Add(stock, true); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stock.Stop)
	d := start(b, map[string]string{"bench": direct})
	return map[string]string{pathDirect: direct, pathStock: stock.Listen, pathLinkd: d.links["bench"].proxy.Listen}
}

// BenchmarkLinks compares a direct connection, one through Toxiproxy as it is
// and one through linkd, in one run. The processor time is that of the client
// and the proxy, and so is the memory.
func BenchmarkLinks(b *testing.B) {
	addrs := paths(b)
	names := []string{pathDirect, pathStock, pathLinkd}
	// Rounds alternate between the paths, so that a change of the machine's
	// load meets all of them.
	const rounds = 5
	times, busy, rates := map[string][]time.Duration{}, map[string]time.Duration{}, map[string][]float64{}
	for range rounds {
		for _, name := range names {
			before := processorTime(b)
			times[name] = append(times[name], roundTrips(b, addrs[name], 4000)...)
			busy[name] += processorTime(b) - before
			rates[name] = append(rates[name], throughput(b, addrs[name], 256<<20))
		}
	}
	direct := quantile(times[pathDirect], 0.5)
	for _, name := range names {
		p50, p99 := quantile(times[name], 0.5), quantile(times[name], 0.99)
		slices.Sort(rates[name])
		rate, base := rates[name][rounds/2], rates[pathDirect][rounds/2]
		b.Logf("%-10s round trip p50 %7s (added %7s) p99 %7s, processor %7s each; one stream %5.0f MB/s, %.2f of direct",
			name, p50, p50-direct, p99, busy[name]/time.Duration(len(times[name])), rate, rate/base)
	}
	for _, name := range names {
		holdConnections(b, name, addrs[name], 5000)
	}
}

// roundTrips times n round trips of 128 bytes on one connection.
func roundTrips(b *testing.B, addr string, n int) []time.Duration {
	b.Helper()
	c := dialAddr(b, addr)
	defer c.Close()
	buf := make([]byte, 128)
	took := make([]time.Duration, 0, n)
	for range n {
		start := time.Now()
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	return took
}

// throughput sends total bytes to the echo server and back on one connection,
// and returns the rate in MB/s.
func throughput(b *testing.B, addr string, total int64) float64 {
	b.Helper()
	c := dialAddr(b, addr)
	defer c.Close()
	start := time.Now()
	go func() {
		buf := make([]byte, 64<<10)
		for left := total; left > 0; left -= int64(len(buf)) {
			if _, err := c.Write(buf); err != nil {
				return // the reader misses what was not sent
			}
		}
	}()
	if n, err := io.CopyN(io.Discard, c, total); err != nil {
		b.Fatalf("got %d bytes: %v", n, err)
	}
	return float64(total) / 1e6 / time.Since(start).Seconds()
}

// holdConnections opens n connections, uses each and closes them, and logs the
// memory of the process at each stage.
func holdConnections(b *testing.B, name, addr string, n int) {
	b.Helper()
	before := memory()
	conns := make([]net.Conn, n)
	buf := []byte("hello")
	for i := range conns {
		conns[i] = dialAddr(b, addr)
	}
	for _, c := range conns {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
	held := memory()
	for _, c := range conns {
		c.Close()
	}
	clear(conns)
	after := memory()
	for deadline := time.Now().Add(10 * time.Second); after > before+before/4 && time.Now().Before(deadline); after = memory() {
		<-time.After(50 * time.Millisecond)
	}
	b.Logf("%-10s %d connections held: memory %.0f MB before, %.0f MB held, %.0f MB after", name, n, before, held, after)
}

func dialAddr(b *testing.B, addr string) net.Conn {
	b.Helper()
	c, err := new(net.Dialer).DialContext(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// memory returns what the heap and the stacks use, in MB.
func memory() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc+m.StackInuse) / 1e6
}

// processorTime returns the processor time of the process so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func quantile(of []time.Duration, q float64) time.Duration {
	slices.Sort(of)
	return of[int(q*float64(len(of)-1))].Round(100 * time.Nanosecond)
}
