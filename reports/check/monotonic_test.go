package check

import "testing"

func TestMonotonicReads(t *testing.T) {
	runHandTests(t, "monotonic-reads", []handTest{
		{"forward", join(sawOf(1, "s", "k", "replica", 1, 3), sawOf(2, "s", "k", "replica", 1, 3), sawOf(3, "s", "k", "replica", 1, 4)), false, Pass, "2 repeated reads within sessions, none went back"},
		{"back", join(sawOf(1, "s", "k", "replica", 1, 3), sawOf(2, "s", "k", "replica", 1, 2)), false, Fail, "1 of 1 repeated read went back to an older version within a session"},
		{"back from a copy", join(sawOf(1, "s", "k", "replica", 1, 3), sawOf(2, "s", "k", "cache", 0, 2)), false, Fail, "1 of 1 repeated read went back to an older version within a session"},
		{"overlapping", join(sawOf(1, "s", "k", "replica", 1, 3), sawOf(1.005, "s", "k", "replica", 1, 2)), false, Inconclusive, "no session read the same thing twice"},
		{"of another session", join(sawOf(1, "s", "k", "replica", 1, 3), sawOf(2, "t", "k", "replica", 1, 2)), false, Inconclusive, "no session read the same thing twice"},
		{"of a new primary", join(sawOf(1, "s", "k", "primary", 1, 3), sawOf(2, "s", "k", "primary", 2, 2)), false, Inconclusive, "no session read the same thing twice"},
	})
}
