package check

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// The events of hand-written histories. Times are in seconds.

func at(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func invoke(s float64, id string) history.Event {
	return history.Event{At: at(s), By: history.ByLoad, Kind: history.Invoke, Op: "pay", Write: true, ID: id, Amount: 5}
}

func done(s float64, kind history.Kind, id string) history.Event {
	return history.Event{At: at(s), By: history.ByLoad, Kind: kind, Op: "pay", Write: true, ID: id, Amount: 5}
}

// wrote is a write that was acknowledged.
func wrote(s float64, id string) []history.Event {
	return []history.Event{invoke(s, id), done(s+0.01, history.OK, id)}
}

func run(s float64, op string) history.Event {
	return history.Event{At: at(s), By: history.ByRun, Kind: history.Info, Op: op}
}

// drillNo says that a drill begins.
func drillNo(s float64, n int) history.Event {
	e := run(s, history.RunDrill)
	e.Drill = n
	return e
}

func stored(id string, effects, jobs int64) history.Event {
	return history.Event{By: history.ByAudit, Kind: history.Info, Op: history.AuditWrite, ID: id, Amount: 5, Count: effects, Jobs: jobs}
}

func read(op string) history.Event {
	return history.Event{By: history.ByAudit, Kind: history.Info, Op: op}
}

func primary(s float64, node string, timeline int) history.Event {
	return history.Event{At: at(s), By: history.ByProbe, Kind: history.Info, Op: history.ProbeDatabase, Node: node, Role: "primary", Timeline: timeline}
}

func standingOf(node, role string, timeline int, streams int64) history.Event {
	return history.Event{By: history.ByAudit, Kind: history.Info, Op: history.AuditRole, Node: node, Role: role, Timeline: timeline, Count: streams}
}

func checksum(node, table, sum string, position int64) history.Event {
	return history.Event{By: history.ByAudit, Kind: history.Info, Op: history.AuditSum, Node: node, Target: table, Text: sum, Value: position, Count: 9}
}

func intact(node string, looked, damaged int64, what string) history.Event {
	return history.Event{By: history.ByAudit, Kind: history.Info, Op: history.AuditIntact, Node: node, Count: looked, Amount: damaged, Text: what}
}

// snapshotOf is a read that was shown several things at once.
func snapshotOf(s float64, source string, timeline int, saw string) history.Event {
	e := sawOf(s, "", "", source, timeline, 0)
	e.Saw = saw
	return e
}

// replied is an operation with a promise, and its answer.
func replied(s float64, session, promise string, status int) history.Event {
	e := history.Event{
		At: at(s), Sent: at(s - 0.01), Sched: at(s - 0.01), By: history.ByLoad, Kind: history.OK, Op: "enter", Session: session, Promise: promise, Status: status,
	}
	if status >= 500 {
		e.Kind = history.Fail
	}
	return e
}

// faultStep is one step in the life of a fault.
func faultStep(s float64, op string) history.Event {
	return history.Event{At: at(s), By: history.ByFault, Kind: history.Info, Op: op, ID: "cut", Verb: "partition", Target: "redis"}
}

func failed(e history.Event, why string) history.Event {
	e.Kind, e.Text = history.Fail, why
	return e
}

func auditFailed() history.Event { return failed(read(history.AuditDone), "gone") }

// join puts single events and slices of them in one history.
func join(parts ...any) []history.Event {
	var events []history.Event
	for _, p := range parts {
		switch p := p.(type) {
		case history.Event:
			events = append(events, p)
		case []history.Event:
			events = append(events, p...)
		}
	}
	return events
}

// A handTest is a hand-written history and what one checker is to say of it.
type handTest struct {
	name   string
	events []history.Event // of drill 1, without its beginning
	open   bool            // the final reads are not said to be complete
	want   Outcome
	reason string
}

func runHandTests(t *testing.T, checker string, tests []handTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := join(drillNo(0, 1), tt.events)
			if !tt.open {
				events = join(events, read(history.AuditDone))
			}
			j := judge(t, Spec{Verify: []string{checker}}, events)
			got := j.Checks[0]
			got.Examples, got.Groups, got.Causes, got.Pictures = nil, nil, nil, nil
			if diff := cmp.Diff(Verdict{Check: checker, Outcome: tt.want, Reason: tt.reason}, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// sawOf is a read that was sent 10 ms before and shown a version.
func sawOf(s float64, session, key, source string, timeline int, version int64) history.Event {
	return history.Event{
		At: at(s), Sent: at(s - 0.01), Sched: at(s - 0.01), By: history.ByLoad, Kind: history.OK, Op: "look", Session: session,
		Key: key, Role: source, Timeline: timeline, Value: version, Node: "api-1", Seq: 7,
	}
}

// strongly is a read with a strong promise.
func strongly(e history.Event, balance int64) history.Event {
	e.Promise, e.Amount = history.PromiseStrong, balance
	return e
}

// moves is a write that moves 5 from x to y and was acknowledged.
func moves(s float64, id string) []history.Event {
	list := wrote(s, id)
	for i := range list {
		list[i].Key, list[i].Peer = "x", "y"
	}
	return list
}

func by(session string, list []history.Event) []history.Event {
	for i := range list {
		list[i].Session = session
	}
	return list
}

func countedBy(s float64, node, name string, n int64) history.Event {
	return history.Event{At: at(s), By: history.ByProbe, Kind: history.Info, Op: history.ProbeCounter, Node: node, Target: name, Value: n}
}
