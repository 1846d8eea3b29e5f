package check

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestLinearizable(t *testing.T) {
	look := func(s float64, version, balance int64) history.Event {
		return strongly(sawOf(s, "", "x", "primary", 1, version), balance)
	}
	unknown := func(s float64, id string) []history.Event {
		list := moves(s, id)
		list[1].Kind = history.Info
		return list
	}
	kept := func(ids ...string) (list []history.Event) {
		for _, id := range ids {
			list = append(list, stored(id, 1, 1))
		}
		return list
	}
	const pass, fail = "1 account was linearizable, by ", "1 account was not linearizable: no order of the writes explains what was read"
	runHandTests(t, "linearizable", []handTest{
		{"in order", join(look(1, 1, 100), moves(2, "a"), look(3, 2, 95), kept("a")), false, Pass, pass + "2 strong reads"},
		{"write not seen", join(look(1, 1, 100), moves(2, "a"), look(3, 1, 100), kept("a")), false, Fail, fail},
		{"wrong balance", join(look(1, 1, 100), moves(2, "a"), look(3, 2, 94), kept("a")), false, Fail, fail},
		{"unknown, seen late", join(look(1, 1, 100), unknown(2, "a"), look(3, 1, 100), look(4, 2, 95), kept("a")), false, Pass, pass + "3 strong reads"},
		{"unknown, never seen", join(look(1, 1, 100), unknown(2, "a"), look(3, 1, 100), kept("a")), false, Pass, pass + "2 strong reads"},
		{"unknown, not there and seen", join(look(1, 1, 100), moves(1.5, "b"), unknown(2, "a"), look(3, 3, 90), kept("b")), false, Fail, fail},
		{"a lost update", join(look(1, 1, 100), moves(2, "a"), moves(2.005, "b"), look(3, 2, 95), kept("a", "b")), false, Fail, fail},
		{"lost is for others", join(look(1, 1, 100), moves(2, "a"), look(3, 2, 95)), false, Inconclusive, "writes of every account that was read are lost, doubled or unexpected"},
		{"not settled", join(look(1, 1, 100), moves(2, "a"), look(3, 2, 95)), true, Inconclusive, "the outcome of writes cannot be settled: the final reads were not made"},
		{"not read twice", join(look(1, 1, 100), moves(2, "a"), kept("a")), false, Inconclusive, "no account that was written to was read strongly twice"},
	})
}

// TestLinearizableWithin judges reads that overlap with writes, which only a
// search can explain.
func TestLinearizableWithin(t *testing.T) {
	look := func(from, to float64, version, balance int64) history.Event {
		e := strongly(sawOf(to, "", "x", "primary", 1, version), balance)
		e.Sent = at(from)
		return e
	}
	slow := func(from, to float64, id string, amount int64) []history.Event {
		list := moves(from, id)
		list[0].Amount, list[1].Amount, list[1].At = amount, amount, at(to)
		stored := stored(id, 1, 1)
		stored.Amount = amount
		return append(list, stored)
	}
	judged := func(inner ...history.Event) Verdict {
		events := join(drillNo(0, 1), look(1, 1.1, 1, 100), slow(2, 4, "a", 5), slow(2, 4, "b", 7), inner, look(5, 5.1, 3, 88), read(history.AuditDone))
		return judge(t, Spec{Verify: []string{"linearizable"}}, events).Checks[0]
	}
	if v := judged(look(2.5, 3, 2, 95)); v.Outcome != Pass {
		t.Errorf("a first: %s %q", v.Outcome, v.Reason)
	}
	if v := judged(look(2.5, 3, 2, 93)); v.Outcome != Pass {
		t.Errorf("b first: %s %q", v.Outcome, v.Reason)
	}
	v := judged(look(2.5, 2.8, 2, 95), look(3, 3.3, 2, 93))
	if v.Outcome != Fail {
		t.Errorf("each first: %s %q", v.Outcome, v.Reason)
	}
	if page := v.Pictures["linearizability.html"]; !bytes.Contains(page, []byte("<html")) {
		t.Errorf("the picture has %d bytes and is no page", len(page))
	}
}

// TestLinearizableNeverAtRest has an account that is read only while a write is
// under way, or other reads are, and reads before the first and after the last
// moment at which nothing is.
func TestLinearizableNeverAtRest(t *testing.T) {
	look := func(from, to float64, version, balance int64) history.Event {
		e := strongly(sawOf(to, "", "x", "primary", 1, version), balance)
		e.Sent = at(from)
		return e
	}
	long := func(from, to float64, id string) []history.Event {
		list := moves(from, id)
		list[1].At = at(to)
		return append(list, stored(id, 1, 1))
	}
	busy := func(shown func(i int64) (version, balance int64)) (list []history.Event) {
		for i := range int64(50) {
			s := 1 + float64(i)
			version, balance := shown(i)
			list = join(list, long(s, s+1.5, fmt.Sprintf("w%d", i)), look(s+0.6, s+0.7, version, balance))
		}
		return list
	}
	slowRead := func(n int, version, balance int64) []history.Event {
		list := join(look(0.5, 0.6, 1, 100), look(0.7, 0.8, 1, 100))
		for i := range n {
			list = append(list, look(1.1+float64(i)*0.05, 1.11+float64(i)*0.05, 1, 100))
		}
		return join(list, long(6, 6.1, "a"), look(6.5, 6.6, 2, 95), look(6.7, 6.8, 2, 95), look(1, 7, version, balance), look(8, 8.1, 2, 95))
	}
	moved := func(by int64) []history.Event {
		return join(history.Event{By: history.ByAudit, Kind: history.Info, Op: history.AuditCounter, Key: "x", Value: by}, read(history.AuditCounter))
	}
	early := join(look(1, 1.1, 1, 100), look(2, 2.1, 1, 100), long(3, 4, "a"))
	const fail = "1 account was not linearizable: no order of the writes explains what was read"
	runHandTests(t, "linearizable", []handTest{
		{"busy and lawful", busy(func(i int64) (int64, int64) { return 1 + i, 100 - 5*i }), false, Pass, "1 account was linearizable, by 50 strong reads"},
		{"busy and nonsense", busy(func(i int64) (int64, int64) { return 1 + i%3, 1000 * i }), false, Fail, fail},
		{"busy, one balance", busy(func(i int64) (int64, int64) { return 1 + i, 100 - 5*i + int64(one(i == 25)) }), false, Fail, fail},
		{"a tail that may be", join(early, look(3.5, 3.6, 2, 95)), false, Pass, "1 account was linearizable, by 3 strong reads"},
		{"a tail that cannot be", join(early, look(3.5, 3.6, 1, -777)), false, Fail, fail},
		{"back in the tail", join(
			look(1, 1.1, 5, 100), look(2, 2.1, 5, 100), long(3, 9, "a"), look(3.5, 3.6, 6, 95), look(5, 5.1, 5, 100),
		), false, Fail, fail},
		{"a head that cannot be", join(look(0.1, 1.1, 1, 90), look(0.2, 2.1, 1, 100), long(3, 4, "a")), false, Fail, fail},
		{"a slow read", slowRead(40, 2, 95), false, Pass, "1 account was linearizable, by 46 strong reads"},
		{"a slow read that was shown what was first", slowRead(40, 1, 100), false, Pass, "1 account was linearizable, by 46 strong reads"},
		{"a slow read that was shown nonsense", slowRead(40, 1, 95), false, Fail, fail},
		{"closed by the final reads", join(early, look(3.5, 3.6, 1, 100), moved(-5)), false, Pass, "1 account was linearizable, by 3 strong reads"},
		{"lost after the last read", join(early, look(3.5, 3.6, 1, 100), moved(0)), false, Fail, fail},
		{"of no write", join(look(1, 1.1, 1, 100), look(2, 2.1, 2, 95)), false, Fail, fail},
	})
}

// TestLinearizableGivesUp has so many writes of unknown outcome that could
// explain a read that the search must end before it has tried them all.
func TestLinearizableGivesUp(t *testing.T) {
	events := join(drillNo(0, 1), strongly(sawOf(1, "", "x", "primary", 1, 1), 100_000))
	for i := range 60 {
		id := fmt.Sprintf("w-%02d", i)
		list := moves(2, id)
		list[1].Kind = history.Info
		amount := int64(2 * (i + 1) * (i + 7))
		row := stored(id, 1, 1)
		list[0].Amount, list[1].Amount, row.Amount = amount, amount, amount
		events = join(events, list, row)
	}
	events = join(events, strongly(sawOf(9, "", "x", "primary", 1, 31), 99_999-2*900), read(history.AuditDone)) // no even amounts sum to that
	v := judge(t, Spec{Verify: []string{"linearizable"}}, events).Checks[0]
	if want := "the search was given up at 1 strong read of 2: too many writes overlap"; v.Outcome != Inconclusive || v.Reason != want {
		t.Errorf("%s %q, want %q", v.Outcome, v.Reason, want)
	}
}
