package check

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// A world makes histories of a failover drill in which everything is as it
// should be, unless its fields say otherwise.
type world struct {
	seed   uint64
	drills int
	down   time.Duration // how long clients are not served after T0
	stall  time.Duration // how long replication is stalled at T0; 0: not at all
	held   bool          // no write is acknowledged while it is
	rate   float64       // operations per second

	rng    *rand.Rand
	events []history.Event
	stored map[string]int64  // amount by id, of the present drill
	books  map[string]*book  // by account, of all drills
	moved  map[string]int64  // by account, in the present drill
	own    map[string]string // by session: a write of it that was acknowledged
	ownAt  map[string]time.Duration
	served map[string]int64 // requests that were answered, by instance
}

// A book is the state of an account.
type book struct{ balance, version int64 }

func lawful() *world {
	return &world{seed: 1, drills: 1, down: 8 * time.Second, stall: 2 * time.Second, rate: 50}
}

const (
	lossAt  = 20 * time.Second // of the primary, since the drill began
	drillIn = 80 * time.Second // from the beginning of one drill to that of the next
)

func (w *world) phases() []Phase {
	return []Phase{
		{Name: "warmup", For: 4 * time.Second, From: w.rate / 10, To: w.rate},
		{Name: "steady", Start: 4 * time.Second, For: 10 * time.Second, From: w.rate, To: w.rate, Score: true},
		{Name: "failover", Start: 14 * time.Second, For: 40 * time.Second, From: w.rate, To: w.rate, Score: true},
		{Name: "after", Start: 54 * time.Second, For: 10 * time.Second, From: w.rate, To: w.rate, Score: true},
	}
}

func (w *world) spec() Spec {
	s := Spec{
		Phases: w.phases(),
		Events: []Entry{
			{Name: "primary-lost", Verb: "lose", Target: "postgres.primary", Phase: "failover", At: lossAt},
			{Name: "start-3", Verb: "start", Target: "postgres.old-primary", Phase: "failover", At: lossAt + 20*time.Second},
		},
		Objectives: []Objective{
			{Subject: "steady", Metric: "p99", Op: "<=", Limit: 250},
			{Subject: "steady/get-account", Metric: "p50", Op: "<=", Limit: 250},
			{Subject: "steady", Metric: "errors", Op: "<=", Limit: 0.1},
			{Subject: "primary-lost", Metric: "rto", Op: "<=", Limit: 20_000, Line: 28, Col: 24},
			{Subject: "primary-lost", Metric: "rpo", Op: "<=", Limit: 0},
			{Subject: "primary-lost", Metric: "lost_writes", Op: "<=", Limit: 0},
			{Subject: "primary-lost", Metric: "duplicates", Op: "<=", Limit: 0},
			{Subject: "after", Metric: "p99.9", Op: "<=", Limit: 300},
			{Subject: "after", Metric: "rate", Op: ">=", Limit: 99},
		},
		Verify: Names(),
		Drills: w.drills,
	}
	if w.stall > 0 {
		s.Events = slices.Insert(s.Events, 0, Entry{Name: "stall-1", Verb: "stall", Target: "link:replication", Phase: "failover", At: lossAt - w.stall})
	}
	return s
}

// history makes the events, in the order in which they would be recorded.
func (w *world) history() []history.Event {
	w.rng = rand.New(rand.NewPCG(w.seed, 0))
	w.events = nil
	w.books, w.served = map[string]*book{}, map[string]int64{}
	for d := range w.drills {
		w.drill(d+1, time.Duration(d)*drillIn)
	}
	slices.SortStableFunc(w.events, func(a, b history.Event) int { return cmp.Compare(a.At, b.At) })
	return w.events
}

func (w *world) add(e history.Event) { w.events = append(w.events, e) }

func (w *world) drill(n int, began time.Duration) {
	w.stored, w.moved = map[string]int64{}, map[string]int64{}
	w.own, w.ownAt = map[string]string{}, map[string]time.Duration{}
	run := func(at time.Duration, op, phase string) {
		w.add(history.Event{At: at, Kind: history.Info, By: history.ByRun, Op: op, Drill: n, Phase: phase})
	}
	run(began, history.RunDrill, "")
	for _, p := range w.phases() {
		run(began+p.Start, history.RunPhase, p.Name)
		times := make([]time.Duration, int((p.From+p.To)/2*p.For.Seconds()))
		for i := range times {
			times[i] = began + p.Start + time.Duration(w.rng.Int64N(int64(p.For)))
		}
		slices.Sort(times)
		for i, at := range times {
			w.operation(n, i, p.Name, at, began+lossAt)
		}
	}
	w.faults(n, began+lossAt)
	w.restore(n, began+60*time.Second)
	w.probes(n, began)
	run(began+66*time.Second, history.RunLoadEnd, "")
	w.audit(n, began+70*time.Second)
	run(began+72*time.Second, history.RunDrillEnd, "")
}

// operation adds one operation: two writes, then a read.
func (w *world) operation(drill, i int, phase string, sched, t0 time.Duration) {
	e := history.Event{
		By: history.ByLoad, Drill: drill, Phase: phase, Sched: sched, Sent: sched + 200*time.Microsecond, Seq: int64(1 + i),
		Kind: history.OK, Op: "get-account", Timeline: 1 + 2*drill, Node: fmt.Sprintf("api-%d", 1+i/3%2), Session: fmt.Sprintf("s-%d", i/3%4),
	}
	latency := 5*time.Millisecond + time.Duration(w.rng.Int64N(int64(20*time.Millisecond)))
	if i%3 != 0 {
		e.Op, e.Write = "create-transfer", true
		e.ID = fmt.Sprintf("%d-%s-%04d", drill, phase, i)
		e.Amount = 100 + int64(i)
		e.Key, e.Peer = accountNo(i), accountNo(i+1)
	}
	since := sched - t0
	if since >= 0 {
		e.Timeline++
	}
	stored := true
	switch {
	case since >= 0 && since < w.down && i%2 == 0: // refused at the door
		e.Kind, e.Class, e.Timeline, latency, stored, e.Node = history.Fail, "dial", 0, time.Millisecond, false, ""
	case since >= 0 && since < w.down, since >= -w.stall && since < 0 && w.held && e.Write: // may have happened
		e.Kind, e.Class, e.Timeline, latency, stored, e.Node = history.Info, "reset", 0, 3*time.Second, i%4 == 1, ""
	}
	e.At = sched + latency
	if e.Write {
		w.write(&e, stored)
	} else {
		w.read(&e, i)
	}
	w.add(e)
}

// accountNo is one of 7 accounts.
func accountNo(i int) string { return fmt.Sprintf("account-%d", i%7) }

// write adds the sending of a write, and does it.
func (w *world) write(e *history.Event, stored bool) {
	invoke := *e
	invoke.Kind, invoke.At, invoke.Class, invoke.Timeline, invoke.Node = history.Invoke, e.Sent, "", 0, ""
	w.add(invoke)
	if !stored {
		return
	}
	w.stored[e.ID] = e.Amount
	w.move(e.Key, -e.Amount)
	w.move(e.Peer, e.Amount)
	if e.Kind == history.OK {
		w.own[e.Session], w.ownAt[e.Session] = e.ID, e.At
		w.served[e.Node]++
	}
}

func (w *world) move(account string, by int64) {
	b := w.book(account)
	b.balance += by
	b.version++
	w.moved[account] += by
}

func (w *world) book(account string) *book {
	if w.books[account] == nil {
		w.books[account] = &book{balance: 10_000, version: 1}
	}
	return w.books[account]
}

// read makes a read of an account, by turns from the primary, a replica and the
// cache, or of a write of the same session.
func (w *world) read(e *history.Event, i int) {
	if e.Kind == history.Info {
		e.Kind = history.Fail
	}
	e.Key = accountNo(i / 3)
	if e.Kind != history.OK {
		return
	}
	w.served[e.Node]++
	if own := w.own[e.Session]; i/3%4 == 3 && own != "" && w.ownAt[e.Session] < e.Sent {
		e.Key = own
		return
	}
	if i%30 == 0 {
		e.Status, e.Promise = 422, history.PromiseRefused
		return
	}
	b := w.book(e.Key)
	e.Value, e.Amount = b.version, b.balance
	switch i / 3 % 3 {
	case 0:
		e.Role, e.Promise = history.SourcePrimary, history.PromiseStrong
	case 1:
		e.Role = history.SourceReplica
		for j := range 7 {
			e.Saw = history.AppendSaw(e.Saw, accountNo(j), w.book(accountNo(j)).version)
		}
	case 2:
		e.Role, e.Timeline = history.SourceCache, 0
	}
}

func (w *world) faults(n int, t0 time.Duration) {
	life := func(name, verb, target, carries string, from, to time.Duration) {
		e := history.Event{By: history.ByFault, Drill: n, Kind: history.Info, ID: name, Verb: verb, Target: target, Carries: carries}
		for _, step := range []struct {
			at time.Duration
			op string
		}{
			{from, history.FaultInject},
			{from + 40*time.Millisecond, history.FaultInjected},
			{from + 120*time.Millisecond, history.FaultSettled},
			{to, history.FaultRecover},
			{to + 100*time.Millisecond, history.FaultRecovered},
		} {
			e.At, e.Op, e.Text = step.at, step.op, "seen"
			w.add(e)
		}
	}
	if w.stall > 0 {
		life("stall-1", "stall", "link:replication", "replication", t0-w.stall-120*time.Millisecond, t0+15*time.Second)
	}
	life("primary-lost", "lose", "pg-1", "", t0, t0+20*time.Second)
	life("start-3", "start", "pg-1", "", t0+20*time.Second, t0+21*time.Second)
}

// restore brings back a copy that holds what had been sent by then and happened.
func (w *world) restore(n int, at time.Duration) {
	e := history.Event{At: at, By: history.ByFault, Kind: history.Info, Drill: n, Op: history.FaultInject, ID: "restored", Verb: "restore", Target: "pg-3"}
	w.add(e)
	row := history.Event{At: at + time.Second, By: history.ByAudit, Kind: history.Info, Drill: n, Op: history.AuditRestored, Node: "pg-3", Target: "restored"}
	for _, op := range w.events {
		if amount, ok := w.stored[op.ID]; ok && op.By == history.ByLoad && op.Kind == history.Invoke && op.At < at {
			row.ID, row.Amount, row.Count = op.ID, amount, 1
			w.add(row)
		}
	}
	row.ID, row.Amount, row.Count, row.Value = "", 0, int64(len(w.stored)), int64(at)
	w.add(row)
	e.At, e.Op = at+2*time.Second, history.FaultSettled
	w.add(e)
}

// probes observes the nodes every second: pg-1 is lost, pg-2 takes over.
func (w *world) probes(n int, began time.Duration) {
	promoted := lossAt + w.down/2
	for at := time.Duration(0); at < 72*time.Second; at += time.Second {
		e := history.Event{At: began + at, By: history.ByProbe, Kind: history.Info, Drill: n}
		for i := range 3 {
			e.Op, e.Node, e.Role, e.Timeline = history.ProbeDatabase, fmt.Sprintf("pg-%d", i+1), "replica", 1+2*n
			switch {
			case at < lossAt && i == 0:
				e.Role = "primary"
			case at >= promoted && i == 1:
				e.Role, e.Timeline = "primary", 2+2*n
			case at >= promoted:
				e.Timeline++
			}
			if i == 0 && at >= lossAt && at < lossAt+20*time.Second {
				continue
			}
			w.add(e)
			if e.Role == "primary" {
				e.Op, e.Node = history.ProbeRoute, "pgbouncer"
				w.add(e)
			}
		}
		w.counters(e)
		if at >= lossAt+w.down/4 && at < promoted {
			w.add(history.Event{At: e.At, By: history.ByProbe, Kind: history.Info, Drill: n, Op: history.ProbeAgent, Node: "pg-2", Role: "replica", Text: "unlocked"})
		}
	}
}

// counters adds what the instances count: as many requests as operations were
// answered by then, two attempts each, and nothing in flight.
func (w *world) counters(e history.Event) {
	for _, node := range []string{"api-1", "api-2"} {
		e.Op, e.Node, e.Role, e.Timeline = history.ProbeCounter, node, "", 0
		var n int64
		for _, op := range w.events {
			n += int64(one(op.By == history.ByLoad && op.Kind == history.OK && op.Node == node && op.At < e.At))
		}
		for name, v := range map[string]int64{history.CounterRequests: n, history.CounterAttempts: 2 * n, history.CounterInFlight: 1} {
			e.Target, e.Value = name, v
			w.add(e)
		}
	}
	e.Op, e.Node, e.Target, e.Value = history.ProbeCounter, "worker-1", history.CounterDead, 0
	w.add(e)
	e.Op, e.Node, e.Target = history.ProbeBooks, "pg-3", ""
	w.add(e)
}

func (w *world) audit(n int, at time.Duration) {
	audit := func(e history.Event) {
		e.At, e.By, e.Kind, e.Drill = at, history.ByAudit, history.Info, n
		w.add(e)
	}
	ids := make([]string, 0, len(w.stored))
	for id := range w.stored {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		audit(history.Event{Op: history.AuditWrite, ID: id, Node: "pg-2", Amount: w.stored[id], Count: 1, Jobs: 1})
	}
	for i := range 3 {
		node, role, streams := fmt.Sprintf("pg-%d", i+1), "replica", int64(0)
		if i == 1 {
			role, streams = "primary", 2
		}
		audit(history.Event{Op: history.AuditRole, Node: node, Role: role, Timeline: 2 + 2*n, Count: streams})
		audit(history.Event{Op: history.AuditBooks, Node: node})
		audit(history.Event{Op: history.AuditIntact, Node: node, Count: 6})
		for _, table := range []string{"accounts", "transfers"} {
			audit(history.Event{Op: history.AuditSum, Node: node, Target: table, Text: "f00d", Value: 77, Count: int64(len(ids))})
		}
	}
	for _, left := range []string{"outbox", "queue ledger.settlement", "dead letters"} {
		audit(history.Event{Op: history.AuditJobs, Target: left})
	}
	for i := range 7 {
		audit(history.Event{Op: history.AuditCounter, Key: accountNo(i), Value: w.moved[accountNo(i)]})
	}
	audit(history.Event{Op: history.AuditCounter, Count: 7})
	audit(history.Event{Op: history.AuditDead})
	for _, subscriber := range []string{"notifications", "projection"} {
		audit(history.Event{Op: history.AuditSubscriber, Target: subscriber, Count: int64(len(ids))})
	}
	audit(history.Event{Op: history.AuditDone})
}

// stream yields events as a reader does: the event is only valid until the
// next one.
func stream(events []history.Event, torn error) iter.Seq2[*history.Event, error] {
	return func(yield func(*history.Event, error) bool) {
		var e history.Event
		for _, next := range events {
			e = next
			if !yield(&e, nil) {
				return
			}
		}
		if torn != nil {
			yield(nil, torn)
		}
	}
}

// judge judges events and fails the test if that is not possible.
func judge(t *testing.T, spec Spec, events []history.Event) *Judgement {
	t.Helper()
	j, err := Judge(spec, stream(events, nil))
	if err != nil {
		t.Fatalf("Judge: %v", err)
	}
	return j
}

// edit changes the first event that fits, if any.
func edit(events []history.Event, fit func(*history.Event) bool, change func(*history.Event)) []history.Event {
	events = slices.Clone(events)
	if i := slices.IndexFunc(events, func(e history.Event) bool { return fit(&e) }); i >= 0 {
		change(&events[i])
	}
	return events
}

// drop leaves out the events that fit.
func drop(events []history.Event, fit func(*history.Event) bool) []history.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e history.Event) bool { return fit(&e) })
}

func audited(op string) func(*history.Event) bool {
	return func(e *history.Event) bool { return e.By == history.ByAudit && e.Op == op }
}

func row(id string) func(*history.Event) bool {
	return func(e *history.Event) bool {
		return e.By == history.ByAudit && e.Op == history.AuditWrite && e.ID == id
	}
}
