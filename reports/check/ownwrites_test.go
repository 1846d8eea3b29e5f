package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestReadYourWrites(t *testing.T) {
	own := func(s float64, session string, status int) history.Event {
		e := sawOf(s, session, "a", "replica", 1, 0)
		e.Status = status
		if status == 404 {
			e.Kind = history.Fail
		}
		return e
	}
	mine := by("s", wrote(1, "a"))
	made := func(v int64) []history.Event {
		list := by("s", wrote(1, "w"))
		list[0].Key, list[1].Key, list[1].Value, list[1].Timeline = "k", "k", v, 1
		return list
	}
	again := func(v int64) []history.Event {
		list := by("s", wrote(3, "w2"))
		list[0].Key, list[1].Key, list[1].Value, list[1].Timeline = "k", "k", v, 2
		return list
	}
	const unasked = "no session read what it had written"
	runHandTests(t, "read-your-writes", []handTest{
		{"found", join(mine, own(2, "s", 200), stored("a", 1, 1)), false, Pass, "1 read of what the same session had written, each found it"},
		{"not found", join(mine, own(2, "s", 404), stored("a", 1, 1)), false, Fail, "1 of 1 read did not find what their session had written"},
		{"asked before the answer", join(mine, own(1.015, "s", 404), stored("a", 1, 1)), false, Inconclusive, "no session read what it had written"},
		{"of another session", join(mine, own(2, "t", 404), stored("a", 1, 1)), false, Inconclusive, "no session read what it had written"},
		{"lost is for others", join(mine, own(2, "s", 404)), false, Inconclusive, unasked},
		{"older version", join(made(5), sawOf(2, "s", "k", "replica", 1, 4), stored("w", 1, 1)), false, Fail, "1 read was shown an older version than their session had made"},
		{"own version", join(made(5), sawOf(2, "s", "k", "replica", 1, 5), stored("w", 1, 1)), false, Pass, "1 read of what the same session had written, each found it"},
		{"older, as the write is lost", join(made(5), sawOf(2, "s", "k", "replica", 1, 4)), false, Inconclusive, unasked},
		{"older, after a failover", join(made(5), sawOf(2, "s", "k", "replica", 2, 4), stored("w", 1, 1)), false, Inconclusive, unasked},
		{"older copy, after a failover", join(
			made(5), sawOf(1.5, "t", "z", "primary", 2, 1), sawOf(2, "s", "k", "cache", 0, 4), stored("w", 1, 1),
		), false, Inconclusive, unasked},
		{"written again after a failover", join(
			made(5), again(4), sawOf(4, "s", "k", "replica", 2, 3), stored("w", 1, 1), stored("w2", 1, 1),
		), false, Fail, "1 read was shown an older version than their session had made"},
	})
}
