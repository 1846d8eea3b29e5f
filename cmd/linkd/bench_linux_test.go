package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// The paths that are compared.
const (
	pathDirect = "direct"
	pathStock  = "toxiproxy"
	pathLinkd  = "linkd"
)

// roleSpinner keeps all processors awake and gives way to everybody.
const roleSpinner = "spinner"

// roleVariable makes the test binary an echo server, or a proxy before one, and
// nothing else. Each has a process of its own, as it has where it is used, and
// because file descriptors are counted by process.
const roleVariable = "LINKD_TEST_ROLE"

func TestMain(m *testing.M) {
	role, upstream, _ := strings.Cut(os.Getenv(roleVariable), " ")
	if role == "" {
		m.Run()
		return
	}
	if err := play(role, upstream); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play is a path until the end of its input. It prints where it listens, and for
// each line how much memory it uses.
func play(role, upstream string) error {
	addr, err := map[string]func(string) (string, error){pathDirect: playEcho, pathStock: playStock, pathLinkd: playLinkd, roleSpinner: playSpinner}[role](upstream)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, addr)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Fprintln(os.Stdout, memory())
	}
	return nil
}

func playEcho(string) (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
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
	return l.Addr().String(), nil
}

// playSpinner has a thread for each processor that is never done and runs when
// nobody else wants to. It ends with its process.
func playSpinner(string) (string, error) {
	started := make(chan error)
	for range runtime.NumCPU() {
		go func() {
			runtime.LockOSThread()
			idle := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
			started <- unix.SchedSetAttr(0, &idle, 0)
			for { //nolint:staticcheck // to spin is all that it is for
			}
		}()
	}
	var errs []error
	for range runtime.NumCPU() {
		errs = append(errs, <-started)
	}
	return "no address", errors.Join(errs...)
}

func playStock(upstream string) (string, error) {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	stock := toxiproxy.NewProxy(api, "stock", "127.0.0.1:0", upstream)
	err := api.Collection.Add(stock, true)
	return stock.Listen, err
}

func playLinkd(upstream string) (string, error) {
	makeRoomForFiles()
	cfg := config{Links: []linkConfig{{Name: "bench", Listen: "127.0.0.1:0", Upstream: upstream}}}
	srv, err := newServer(context.Background(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	return srv.links["bench"].proxy.Listen, nil
}

// A role is a process that plays one.
type role struct {
	addr string
	pid  int
	in   io.Writer
	out  *bufio.Reader
}

// begin starts a process that plays a role, with variables beside those there are.
func begin(b *testing.B, name, upstream string, variables ...string) role {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), append(variables, roleVariable+"="+name+" "+upstream)...)
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	r := role{pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out)}
	r.addr = r.line(b)
	return r
}

func (r role) line(b *testing.B) string {
	b.Helper()
	line, err := r.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// memory is what the heap and the stacks of the process use, in MB.
func (r role) memory(b *testing.B) float64 {
	b.Helper()
	if _, err := io.WriteString(r.in, "\n"); err != nil {
		b.Fatal(err)
	}
	mb, err := strconv.ParseFloat(r.line(b), 64)
	if err != nil {
		b.Fatal(err)
	}
	return mb
}

// processor is the processor time of the process so far, to a hundredth of a second.
func (r role) processor(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third on
	user, userErr := strconv.Atoi(fields[11])
	system, systemErr := strconv.Atoi(fields[12])
	if err := errors.Join(userErr, systemErr); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// paths starts an echo server, and proxies before it without a toxic. Linkd has
// the variables that its image has (fixtures/images/linkd).
func paths(b *testing.B) map[string]role {
	b.Helper()
	direct := begin(b, pathDirect, "")
	return map[string]role{
		pathDirect: direct,
		pathStock:  begin(b, pathStock, direct.addr),
		pathLinkd:  begin(b, pathLinkd, direct.addr, "GOGC=400", "GOMAXPROCS=1"),
	}
}

// BenchmarkLinks compares a direct connection, one through Toxiproxy as it is
// and one through linkd, in one run. The processor time and the memory are those
// of who the client is connected to.
//
// One request at a time leaves the processors asleep between the hops, and to wake
// one takes a virtual machine longer than the hop itself. So all is measured twice:
// on a machine that does nothing else, and with its processors kept awake by who
// gives way to everybody, as they are while a system is under load.
func BenchmarkLinks(b *testing.B) {
	roles := paths(b)
	names := []string{pathDirect, pathStock, pathLinkd}
	compareLinks(b, "asleep between hops", names, roles)
	begin(b, roleSpinner, "", fmt.Sprint("GOMAXPROCS=", runtime.NumCPU()+2)) // some left for its own work
	compareLinks(b, "kept awake", names, roles)
	for _, name := range names {
		holdConnections(b, name, roles[name], 5000)
	}
}

// compareLinks times round trips and streams on each path.
func compareLinks(b *testing.B, processors string, names []string, roles map[string]role) {
	b.Helper()
	// Rounds alternate between the paths, so that a change of the machine's
	// load meets all of them.
	const rounds = 5
	times, busy, rates := map[string][]time.Duration{}, map[string]time.Duration{}, map[string][]float64{}
	for range rounds {
		for _, name := range names {
			before := roles[name].processor(b)
			times[name] = append(times[name], roundTrips(b, roles[name].addr, 4000)...)
			busy[name] += roles[name].processor(b) - before
			rates[name] = append(rates[name], throughput(b, roles[name].addr, 256<<20))
		}
	}
	direct := quantile(times[pathDirect], 0.5)
	for _, name := range names {
		p50, p99 := quantile(times[name], 0.5), quantile(times[name], 0.99)
		slices.Sort(rates[name])
		rate, base := rates[name][rounds/2], rates[pathDirect][rounds/2]
		b.Logf("processors %s: %-10s round trip p50 %7s (added %7s) p99 %7s, processor %7s each; one stream %5.0f MB/s, %.2f of direct",
			processors, name, p50, p50-direct, p99, busy[name]/time.Duration(len(times[name])), rate, rate/base)
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
func holdConnections(b *testing.B, name string, with role, n int) {
	b.Helper()
	before := with.memory(b)
	conns := make([]net.Conn, n)
	buf := []byte("hello")
	for i := range conns {
		conns[i] = dialAddr(b, with.addr)
	}
	for _, c := range conns {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
	held := with.memory(b)
	for _, c := range conns {
		c.Close()
	}
	after := with.memory(b)
	for deadline := time.Now().Add(10 * time.Second); after > before+before/4 && time.Now().Before(deadline); after = with.memory(b) {
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

func quantile(of []time.Duration, q float64) time.Duration {
	slices.Sort(of)
	return of[int(q*float64(len(of)-1))].Round(100 * time.Nanosecond)
}
