package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestCounterBounds(t *testing.T) {
	counter := func(key string, v int64) history.Event {
		e := read(history.AuditCounter)
		e.Key, e.Value = key, v
		return e
	}
	unknown := func(id string) []history.Event {
		list := moves(2, id)
		list[1].Kind = history.Info
		return list
	}
	all := counter("", 0)
	runHandTests(t, "counter-bounds", []handTest{
		{"exact", join(moves(1, "a"), counter("x", -5), counter("y", 5), all), false, Pass, "2 counters within what was acknowledged and what may have happened"},
		{"acknowledged and not counted", join(moves(1, "a"), counter("y", 5), all), false, Fail, "counters are not what was acknowledged"},
		{"counted twice", join(moves(1, "a"), counter("x", -10), counter("y", 5), all), false, Fail, "counters are not what was acknowledged"},
		{"unknown and counted", join(moves(1, "a"), unknown("b"), counter("x", -10), counter("y", 10), all), false, Pass, "2 counters within what was acknowledged and what may have happened"},
		{"unknown and not", join(moves(1, "a"), unknown("b"), counter("x", -5), counter("y", 5), all), false, Pass, "2 counters within what was acknowledged and what may have happened"},
		{"nobody's", join(moves(1, "a"), counter("x", -5), counter("y", 5), counter("z", 1), all), false, Fail, "counters are not what was acknowledged"},
		{"not all read", join(moves(1, "a"), counter("x", -5)), false, Inconclusive, "the counters of drill 1 were not read"},
		{"nothing moved", join(all), false, Inconclusive, "nothing was moved"},
	})
}
