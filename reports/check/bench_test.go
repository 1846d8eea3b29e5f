package check

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// The history of BenchmarkJudge: one drill of a payments service.
const (
	benchOps      = 5_000_000
	benchRate     = 2000 // operations per second
	benchAccounts = 1000
)

// The command runs with these; see its main.
const (
	benchBallast = 64 << 20
	benchMemory  = 800<<20 + benchBallast
)

// BenchmarkJudge judges a stored history of five million operations with every
// check, and prints how long that took and what memory the process had at its
// peak. Five million operations are forty minutes of 2,000 a second. Some accounts
// are hot: one in nine transfers touches the first of them, which is never at rest.
func BenchmarkJudge(b *testing.B) {
	path := filepath.Join(b.TempDir(), history.FileName)
	began := time.Now()
	spec := writeLongHistory(b, path)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("history: %d operations, %d MB, made in %v", benchOps, info.Size()>>20, time.Since(began).Round(time.Second))
	ballast := make([]byte, benchBallast)
	defer runtime.KeepAlive(ballast)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(benchMemory))
	debug.FreeOSMemory()
	forgetPeak()
	for b.Loop() {
		events, closeFile, err := history.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		j, err := Judge(spec, events)
		if err = errors.Join(err, closeFile()); err != nil {
			b.Fatal(err)
		}
		if j.Outcome != Pass {
			b.Fatalf("the history is sound and is judged %s: %q", j.Outcome, j.Reasons)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Seconds())/float64(b.N), "s/history")
	b.ReportMetric(peak(b), "MiB-peak")
}

// writeLongHistory writes a lawful history, event by event.
func writeLongHistory(b *testing.B, path string) Spec {
	b.Helper()
	rec, err := history.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	l := &longHistory{rec: rec, rng: rand.New(rand.NewPCG(1, 2)), books: make([]book, benchAccounts), moved: make([]int64, benchAccounts)}
	l.zipf = rand.NewZipf(l.rng, 1.1, 4, benchAccounts-1)
	spec := l.write()
	if err := rec.Close(); err != nil {
		b.Fatal(err)
	}
	return spec
}

type longHistory struct {
	rec   *history.Recorder
	rng   *rand.Rand
	zipf  *rand.Zipf // how often which account is chosen
	books []book
	moved []int64
	ids   []string
	last  [64]string // of each session
}

func (l *longHistory) write() Spec {
	length := time.Duration(benchOps/benchRate) * time.Second
	const load = "load"
	broken := length / 2
	spec := Spec{
		Drills: 1, Phases: []Phase{{Name: load, For: length, From: benchRate, To: benchRate, Score: true}},
		Events:     []Entry{{Name: "gone", Verb: "kill", Target: "redis", Phase: load, At: broken}},
		Objectives: []Objective{{Subject: load, Metric: "p99", Op: "<=", Limit: 250}, {Subject: "gone", Metric: "rto", Op: "<=", Limit: 5000}},
		Verify:     slices.DeleteFunc(Names(), func(name string) bool { return name == nameRestored }), // nothing is restored
	}
	l.run(1, history.RunDrill)
	for i := range benchOps {
		at := time.Duration(i) * time.Second / benchRate
		if i%benchRate == 0 {
			l.second(at, i)
		}
		if at == broken {
			l.fault(at)
		}
		l.operation(i, at, load)
	}
	l.run(length, history.RunLoadEnd)
	l.second(length+6*time.Second, benchOps)
	l.audit(length + 10*time.Second)
	l.run(length+20*time.Second, history.RunDrillEnd)
	return spec
}

func (l *longHistory) run(at time.Duration, op string) {
	l.rec.Record(history.Event{At: at, Kind: history.Info, By: history.ByRun, Op: op, Drill: 1})
}

func (l *longHistory) fault(at time.Duration) {
	for i, op := range []string{history.FaultInject, history.FaultInjected, history.FaultSettled, history.FaultRecover, history.FaultRecovered} {
		l.rec.Record(history.Event{
			At: at + time.Duration(i)*time.Second, Kind: history.Info, By: history.ByFault, Op: op, ID: "gone", Verb: "kill", Target: "redis", Drill: 1,
		})
	}
}

// second adds what is observed of the nodes once a second.
func (l *longHistory) second(at time.Duration, ops int) {
	probe := func(op, node, role, target string, value int64) {
		l.rec.Record(history.Event{At: at + 1, Kind: history.Info, By: history.ByProbe, Op: op, Node: node, Role: role, Timeline: 1, Target: target, Value: value})
	}
	for i, role := range []string{"primary", "replica", "replica"} {
		node := fmt.Sprintf("pg-%d", i+1)
		probe(history.ProbeDatabase, node, role, "", at.Milliseconds())
		probe(history.ProbeBooks, node, "", "", 0)
	}
	for _, node := range []string{"api-1", "api-2"} {
		probe(history.ProbeCounter, node, "", history.CounterRequests, int64(ops/2))
		probe(history.ProbeCounter, node, "", history.CounterAttempts, int64(ops))
		probe(history.ProbeCounter, node, "", history.CounterInFlight, 1)
	}
	probe(history.ProbeCounter, "worker-1", "", history.CounterDead, 0)
}

func (l *longHistory) operation(i int, at time.Duration, phase string) {
	e := history.Event{
		By: history.ByLoad, Kind: history.OK, Op: "read-account", Drill: 1, Phase: phase, Sched: at + 1, Sent: at + 1,
		At: at + time.Millisecond + time.Duration(l.rng.IntN(int(20*time.Millisecond))), Status: 200, Seq: int64(i + 1),
		Node: "api-" + strconv.Itoa(1+i%2), Timeline: 1, Role: history.SourcePrimary,
	}
	account := int(l.zipf.Uint64()) //nolint:gosec // it is less than benchAccounts
	e.Key = strconv.Itoa(account)
	switch kind := i % 10; {
	case i%100 == 8:
		e.Op, e.Key, e.Role, e.Status, e.Promise = "overdraw", "", "", 422, history.PromiseRefused
	case i%100 == 9:
		e.Op, e.Key, e.Role, e.Saw = "read-accounts", "", history.SourceReplica, ""
		for listed := range 16 {
			e.Saw = history.AppendSaw(e.Saw, strconv.Itoa(listed), l.books[listed].version+1)
		}
	case kind < 3:
		l.place(&e, account, i)
	case kind == 3:
		account %= 16
		e.Key, e.Op, e.Promise = strconv.Itoa(account), "read-balance", history.PromiseStrong
		e.Value, e.Amount = l.books[account].version+1, l.books[account].balance
	case kind == 4 && l.last[i/10%64] != "":
		e.Op, e.Session, e.Key, e.Role = "read-own", "customer-"+strconv.Itoa(i/10%64), l.last[i/10%64], history.SourceReplica
	case kind == 5:
		e.Session, e.Role = "customer-"+strconv.Itoa(account%64), history.SourceReplica
		e.Value, e.Amount = l.books[account].version+1, l.books[account].balance
	default:
		e.Role, e.Timeline = history.SourceCache, 0
		e.Value, e.Amount = l.books[account].version+1, l.books[account].balance
	}
	l.rec.Record(e)
}

// place does a transfer and adds its sending; e becomes its end.
func (l *longHistory) place(e *history.Event, from, i int) {
	to := int(l.zipf.Uint64()) //nolint:gosec // likewise
	if to == from {
		to = (from + 1) % benchAccounts
	}
	e.Op, e.Write, e.Status, e.Role = "create-transfer", true, 201, ""
	e.ID, e.Amount, e.Peer, e.Session = fmt.Sprintf("deadbeef-0001-8001-8000-%012x", i), int64(1+l.rng.IntN(10_000)), strconv.Itoa(to), "customer-"+strconv.Itoa(i/10%64)
	sent := *e
	sent.Kind, sent.At, sent.Status, sent.Node, sent.Timeline = history.Invoke, e.Sent, 0, "", 0
	l.rec.Record(sent)
	for account, by := range map[int]int64{from: -e.Amount, to: e.Amount} {
		l.books[account].balance += by
		l.books[account].version++
		l.moved[account] += by
	}
	l.ids = append(l.ids, e.ID+" "+strconv.FormatInt(e.Amount, 10))
	if i%10 == 0 && i >= 640 {
		l.last[i/10%64] = l.ids[len(l.ids)-1-3*64][:36] // of this session, acknowledged by now
	}
}

func (l *longHistory) audit(at time.Duration) {
	record := func(e history.Event) {
		e.At, e.Kind, e.By, e.Drill = at, history.Info, history.ByAudit, 1
		l.rec.Record(e)
	}
	for _, id := range l.ids {
		amount, _ := strconv.ParseInt(id[37:], 10, 64)
		record(history.Event{Op: history.AuditWrite, ID: id[:36], Amount: amount, Node: "pg-1", Count: 1, Jobs: 1})
	}
	for account, by := range l.moved {
		record(history.Event{Op: history.AuditCounter, Key: strconv.Itoa(account), Value: by})
	}
	for i, role := range []string{"primary", "replica", "replica"} {
		e := history.Event{Node: fmt.Sprintf("pg-%d", i+1), Role: role, Timeline: 1}
		if i == 0 {
			e.Count = 2
		}
		e.Op = history.AuditRole
		record(e)
		record(history.Event{Op: history.AuditBooks, Node: e.Node})
		record(history.Event{Op: history.AuditSum, Node: e.Node, Target: "transfers", Text: "f00d", Value: 9})
	}
	record(history.Event{Op: history.AuditCounter, Count: benchAccounts})
	record(history.Event{Op: history.AuditJobs, Target: "outbox"})
	record(history.Event{Op: history.AuditDead})
	record(history.Event{Op: history.AuditSubscriber, Target: "notifications", Count: int64(len(l.ids))})
	record(history.Event{Op: history.AuditDone})
}

// forgetPeak has the system forget the peak of the process's memory.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) } // elsewhere the peak is that of the process

// peak returns the peak of the process's memory in MiB, 0 where it is not known.
func peak(b *testing.B) float64 {
	b.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kb, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			return n / 1024
		}
	}
	return 0
}
