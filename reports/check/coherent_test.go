package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestCacheCoherent(t *testing.T) {
	seen := sawOf(1, "", "k", "primary", 1, 3)
	var often []history.Event
	for i := range 90 {
		often = append(often, sawOf(0.1*float64(i), "", "k", "primary", 1, int64(3+i)))
	}
	runHandTests(t, "cache-coherent", []handTest{
		{"fresh", join(seen, sawOf(9, "", "k", "cache", 0, 3)), false, Pass, "1 read was as fresh as promised (allowed are 5 s)"},
		{"old within the bound", join(seen, sawOf(5, "", "k", "cache", 0, 2)), false, Pass, "1 read was as fresh as promised (allowed are 5 s)"},
		{"too old", join(seen, sawOf(9, "", "k", "cache", 0, 2)), false, Fail, "1 read was stale by up to 7.99 s (allowed are 5 s)"},
		{"older than what a list has shown", join(snapshotOf(1, "replica", 1, "j=1 k=3"), sawOf(9, "", "k", "cache", 0, 2)), false, Fail, "1 read was stale by up to 7.99 s (allowed are 5 s)"},
		{"older than what changes all the time", join(often, sawOf(9, "", "k", "cache", 0, 2)), false, Fail, "1 read was stale by up to 5.79 s (allowed are 5 s)"},
		{"nothing to compare with", join(sawOf(9, "", "k", "cache", 0, 2)), false, Inconclusive, "no read was answered from a cache of what a database had shown"},
	})
}
