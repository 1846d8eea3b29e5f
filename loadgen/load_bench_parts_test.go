//go:build integration

package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/proofload/proofload/reports/history"
)

// partVariable has the part that a process plays.
const partVariable = "PROOFLOAD_BENCH_PART"

// The other roles.
const (
	serverRole   = "server"
	openRole     = "open"
	historyRole  = "history"
	inFlightRole = "in-flight"
	soakRole     = "soak"
)

// A part is what a process is to do.
type part struct {
	Role        string
	URL         string
	Result      string // file that the result is written to
	Dir         string // for other files
	Profile     string // file of a processor profile; empty: none
	Connections int
	Rate        float64
	Seconds     float64
	Unbound     bool // on all processors instead of one
}

func (p part) length() time.Duration { return time.Duration(p.Seconds * float64(time.Second)) }

type saturatedFigures struct {
	Rate   float64 `json:"per_s"`
	CPU    float64 `json:"cpu_us_per_op"` // of the generator's process
	Failed int64   `json:"failed"`
}

type openFigures struct {
	Rate     float64 `json:"offered_per_s"`
	Achieved float64 `json:"achieved_percent"` // of the arrivals: sent before the load ended
	Stats    Stats   `json:"stats"`
}

type historyFigures struct {
	NanosPerOp float64 `json:"record_ns_per_op"`
	BytesPerOp float64 `json:"file_bytes_per_op"`
	ReadPerS   float64 `json:"read_events_per_s"`
	WriteShare float64 `json:"write_share"` // of the operations; a write has two events
}

type inFlightFigures struct {
	Operations int     `json:"operations"`
	Bytes      float64 `json:"resident_bytes_per_op"`
}

type soakFigures struct {
	Rate    float64   `json:"per_s"`
	Seconds float64   `json:"seconds"`
	Window  float64   `json:"window_seconds"`
	First   float64   `json:"first_window_resident_bytes"`
	Last    float64   `json:"last_window_resident_bytes"`
	Most    float64   `json:"most_resident_bytes"`
	Samples []float64 `json:"resident_bytes"` // one a second
	Stats   Stats     `json:"stats"`
}

// BenchmarkLoadPart is what a process of BenchmarkLoad does.
func BenchmarkLoadPart(b *testing.B) {
	text := os.Getenv(partVariable)
	if text == "" {
		b.Skip("it is a part of BenchmarkLoad")
	}
	var p part
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		b.Fatal(err)
	}
	defer CollectSeldom()() // as the command does
	roles := map[string]func(context.Context, part) (any, error){
		serverRole: serveBench, engineRole: saturateEngine, vegetaRole: saturateVegeta, openRole: openLoad,
		historyRole: historyCost, inFlightRole: bytesInFlight, soakRole: soakEngine,
	}
	result, err := roles[p.Role](b.Context(), p)
	if err == nil {
		text, jsonErr := json.Marshal(result)
		err = errors.Join(jsonErr, os.WriteFile(p.Result, text, 0o600))
	}
	if err != nil {
		b.Fatal(err)
	}
}

// serveBench answers every request with 60 bytes, and those for /hold not at
// all. It does as little as a server can.
func serveBench(ctx context.Context, _ part) (any, error) {
	makeRoomForFiles(DefaultMaxInFlight) // a server that waits for that once holds all answers back
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stdout, "\nserving http://%s/\n", l.Addr())
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil, err
		}
		go answerAll(conn)
	}
}

func answerAll(conn net.Conn) {
	defer conn.Close()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n" +
		`{"id":"0195f8a2-7c1f-8000-8000-000000000001","state":"done"}`)
	in := bufio.NewReaderSize(conn, 4<<10)
	for {
		hold, err := readRequest(in)
		if err != nil {
			return
		}
		if hold {
			_, _ = io.Copy(io.Discard, in)
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// readRequest reads a request without a body.
func readRequest(in *bufio.Reader) (hold bool, err error) {
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		if first {
			hold = bytes.HasPrefix(line, []byte("GET /hold"))
		}
		if len(line) <= 2 {
			return hold, nil
		}
	}
}

// benchWorkload is what the engine sends: the same on the wire as the others
// send, of which it takes three in ten for writes, so that the journal has
// something to do.
type benchWorkload struct{ path string }

func (benchWorkload) Ops() []string { return []string{"read", "write"} }

func (w benchWorkload) Next(_ int, seq uint64) Operation {
	if seq%10 < 3 {
		return Operation{Op: "write", Write: true, ID: "0195f8a2-7c1f-8000-8000-" + strconv.FormatUint(1e11+seq, 10), Key: strconv.FormatUint(seq%1000, 10), Amount: 100, Method: http.MethodGet, Path: w.path}
	}
	return Operation{Op: "read", Key: strconv.FormatUint(seq%1000, 10), Method: http.MethodGet, Path: w.path}
}

func (benchWorkload) Observe(*Operation, bool) {}

// driveBench drives the phases with everything on: a history in a file with
// writes journalled before they are sent, and histograms by phase, op and
// outcome.
func driveBench(ctx context.Context, p part, phases []Phase, change func(*Config)) (Stats, *history.Tally, error) {
	file := filepath.Join(p.Dir, "bench-"+history.FileName)
	_ = os.Remove(file)
	rec, err := history.Create(file)
	if err != nil {
		return Stats{}, nil, err
	}
	tally := history.NewTally()
	rec.Tap(tally.Observe)
	c := Config{BaseURL: p.URL, Phases: phases, Seed: 1, Drill: 1, Workload: benchWorkload{"/"}, Recorder: rec}
	if change != nil {
		change(&c)
	}
	stats, err := Drive(ctx, c)
	return stats, tally, errors.Join(err, rec.Close())
}

func saturateEngine(ctx context.Context, p part) (any, error) {
	if p.Profile != "" {
		f, err := os.Create(p.Profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	phases := []Phase{{Name: "saturated", For: p.length(), Profile: Closed, Users: Users{From: p.Connections, To: p.Connections}}}
	before := processorUsed()
	stats, tally, err := driveBench(ctx, p, phases, nil)
	return saturatedFigures{
		Rate: float64(stats.Completed) / p.Seconds, CPU: perOp(processorUsed()-before, float64(stats.Completed)),
		Failed: tally.Cell("", "").Errors(),
	}, err
}

// saturateVegeta is Vegeta's own library loop with its metrics.
func saturateVegeta(_ context.Context, p part) (any, error) {
	n := p.Connections
	attacker := vegeta.NewAttacker(vegeta.Workers(uint64(n)), vegeta.MaxWorkers(uint64(n)), vegeta.Connections(n)) //nolint:gosec // not negative
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: p.URL})
	var m vegeta.Metrics
	before := processorUsed()
	for result := range attacker.Attack(target, vegeta.Rate{}, p.length(), "") { // no rate: as fast as it goes
		m.Add(result)
	}
	m.Close()
	done := m.Success * float64(m.Requests)
	return saturatedFigures{
		Rate: done / p.Seconds, CPU: perOp(processorUsed()-before, done), Failed: int64(float64(m.Requests) - done),
	}, nil
}

// perOp is in µs.
func perOp(all time.Duration, ops float64) float64 { return float64(all.Microseconds()) / max(1, ops) }

func openLoad(ctx context.Context, p part) (any, error) {
	phases := []Phase{{Name: "warm-up", For: time.Second, From: p.Rate / 2, To: p.Rate}, {Name: "half", For: p.length(), From: p.Rate, To: p.Rate}}
	stats, tally, err := driveBench(ctx, p, phases, nil)
	cell := tally.Cell("half", "")
	achieved := 100 * float64(cell.Offered-cell.Shed) / max(1, float64(cell.Offered))
	return openFigures{Rate: p.Rate, Achieved: achieved, Stats: stats}, err
}

func historyCost(_ context.Context, p part) (any, error) {
	const ops = 500_000
	file := filepath.Join(p.Dir, "cost-"+history.FileName)
	rec, err := history.Create(file)
	if err != nil {
		return nil, err
	}
	w := benchWorkload{"/"}
	events := 0
	rng := rand.New(rand.NewPCG(1, 1)) // times that nothing can compress
	began := time.Now()
	for seq := range uint64(ops) {
		op := w.Next(1, seq)
		at := time.Duration(seq)*200*time.Microsecond + time.Duration(rng.IntN(200_000)) // 5000 a second
		e := history.Event{
			Kind: history.OK, By: history.ByLoad, Op: op.Op, ID: op.ID, Drill: 1, Phase: "steady", Write: op.Write, Sched: at,
			Sent: at + time.Duration(rng.IntN(60_000)), Amount: op.Amount, Key: op.Key,
		}
		if op.Write {
			invoke := e
			invoke.Kind, invoke.At = history.Invoke, e.Sent
			rec.Record(invoke)
			events++
		}
		e.At, e.Status, e.Node, e.Timeline = e.Sent+time.Duration(5e6+rng.ExpFloat64()*3e6), http.StatusOK, "api-1", 1
		if seq%timingsEvery == 0 {
			e.FirstByte = e.At - e.Sent - time.Duration(rng.IntN(60_000))
		}
		rec.Record(e)
		events++
	}
	took := time.Since(began)
	err = rec.Close()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	read, closeFile, err := history.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closeFile() }()
	began = time.Now()
	for _, err := range read {
		if err != nil {
			return nil, err
		}
	}
	return historyFigures{
		NanosPerOp: float64(took.Nanoseconds()) / ops, BytesPerOp: float64(info.Size()) / ops,
		ReadPerS: float64(events) / time.Since(began).Seconds(), WriteShare: 0.3,
	}, nil
}

// bytesInFlight has 2000 operations wait for an answer.
func bytesInFlight(ctx context.Context, p part) (any, error) {
	const n = 2000
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runtime.GC()
	before := resident()
	var during float64
	time.AfterFunc(4*time.Second, func() {
		during = resident()
		cancel()
	})
	phases := []Phase{{Name: "hold", For: 2 * time.Second, From: n / 2, To: n / 2}, {Name: "wait", For: time.Minute}}
	stats, _, err := driveBench(ctx, p, phases, func(c *Config) {
		c.Workload, c.Drain, c.Timeouts.Total = benchWorkload{"/hold"}, -1, time.Minute
	})
	if !errors.Is(err, context.Canceled) || stats.Sent != n {
		return nil, fmt.Errorf("%d operations in flight, want %d: %w", stats.Sent, n, err)
	}
	return inFlightFigures{Operations: n, Bytes: (during - before) / n}, nil
}

// soakEngine loads for long and looks at the memory once a second.
func soakEngine(ctx context.Context, p part) (any, error) {
	f := soakFigures{Rate: p.Rate, Seconds: p.Seconds, Window: min(60, p.Seconds/3)}
	sampling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for wait(sampling.Done(), time.Second) {
			f.Samples = append(f.Samples, resident())
		}
	}()
	stats, _, err := driveBench(ctx, p, []Phase{{Name: "soak", For: p.length(), From: p.Rate, To: p.Rate}}, nil)
	stop()
	<-done
	f.Stats = stats
	n := min(len(f.Samples), max(1, int(f.Window)))
	for i, of := range f.Samples {
		f.Most = max(f.Most, of)
		if i < n {
			f.First += of / float64(n)
		}
		if i >= len(f.Samples)-n {
			f.Last += of / float64(n)
		}
	}
	return f, err
}

// resident is the memory of this process, in bytes.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(string(fields[1]), 64) // the kernel writes numbers
	return pages * float64(os.Getpagesize())
}
