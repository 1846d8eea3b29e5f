package check

import "testing"

func TestSnapshotsInOrder(t *testing.T) {
	first := snapshotOf(1, "replica", 1, "a=2 b=2")
	runHandTests(t, "snapshots-in-order", []handTest{
		{"later and earlier", join(first, snapshotOf(2, "replica", 1, "b=3 a=2"), snapshotOf(3, "replica", 1, "a=1 b=2"), first), false, Pass, "3 snapshots of several things, all in one order"},
		{"forked", join(first, snapshotOf(2, "replica", 1, "a=3 b=1")), false, Fail, "1 of 1 snapshot forked: it lacks what another shows, and shows what that one lacks"},
		{"forked from one that was seen long before", join(first, snapshotOf(2, "replica", 1, "a=4 b=4"), snapshotOf(3, "replica", 1, "a=5 b=5"), snapshotOf(4, "replica", 1, "a=1 b=3")), false, Fail, "1 of 3 snapshots forked: it lacks what another shows, and shows what that one lacks"},
		{"primary and replica commit in their own order", join(first, snapshotOf(2, "primary", 1, "a=3 b=1")), false, Inconclusive, "no two answers showed the same things at one moment"},
		{"of a copy", join(first, snapshotOf(2, "cache", 1, "a=3 b=1")), false, Inconclusive, "no two answers showed the same things at one moment"},
		{"of another timeline", join(first, snapshotOf(2, "replica", 2, "a=3 b=1")), false, Inconclusive, "no two answers showed the same things at one moment"},
		{"of other things", join(first, snapshotOf(2, "replica", 1, "a=3 c=1")), false, Inconclusive, "no two answers showed the same things at one moment"},
		{"one thing", join(sawOf(1, "", "a", "replica", 1, 2)), false, Inconclusive, "no two answers showed the same things at one moment"},
	})
}
