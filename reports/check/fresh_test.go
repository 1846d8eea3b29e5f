package check

import "testing"

func TestFreshReads(t *testing.T) {
	const allowed = " (allowed are 0 s where that is promised, elsewhere 5 s)"
	seen := sawOf(1, "", "k", "primary", 1, 3)
	runHandTests(t, "fresh-reads", []handTest{
		{"fresh", join(seen, strongly(sawOf(2, "", "k", "primary", 1, 3), 0)), false, Pass, "2 reads were as fresh as promised" + allowed},
		{"stale, strong", join(seen, strongly(sawOf(2, "", "k", "primary", 1, 2), 0)), false, Fail, "1 read was stale by up to 990 ms" + allowed},
		{"stale within the bound", join(seen, sawOf(6, "", "k", "replica", 1, 2)), false, Pass, "2 reads were as fresh as promised" + allowed},
		{"too stale", join(seen, sawOf(7, "", "k", "replica", 1, 2)), false, Fail, "1 read was stale by up to 5.99 s" + allowed},
		{"newer than that is too new to be missed", join(seen, sawOf(6, "", "k", "primary", 1, 4), sawOf(7, "", "k", "replica", 1, 3)), false, Pass, "3 reads were as fresh as promised" + allowed},
		{"stale, strong, by what a list has shown", join(snapshotOf(1, "primary", 1, "j=1 k=3"), strongly(sawOf(2, "", "k", "primary", 1, 2), 0)), false, Fail, "1 read was stale by up to 990 ms" + allowed},
		{"a replica shows it before the primary may", join(snapshotOf(1, "replica", 1, "j=1 k=3"), strongly(sawOf(2, "", "k", "primary", 1, 2), 0)), false, Pass, "1 read was as fresh as promised" + allowed},
		{"but not for longer than allowed", join(snapshotOf(1, "replica", 1, "j=1 k=3"), sawOf(7, "", "k", "primary", 1, 2)), false, Fail, "1 read was stale by up to 5.99 s" + allowed},
		{"of an old primary", join(seen, sawOf(6, "", "k", "primary", 2, 2), sawOf(7, "", "k", "replica", 2, 2)), false, Pass, "3 reads were as fresh as promised" + allowed},
		{"copies are for others", join(seen, sawOf(9, "", "k", "cache", 0, 1)), false, Pass, "1 read was as fresh as promised" + allowed},
		{"no versions", join(wrote(1, "a")), false, Inconclusive, "no read of a database was shown a version"},
	})
}
