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
	if want := "the search was given up for 1 account of 1: too many writes overlap"; v.Outcome != Inconclusive || v.Reason != want {
		t.Errorf("%s %q, want %q", v.Outcome, v.Reason, want)
	}
}
