package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestNoDuplicates(t *testing.T) {
	runHandTests(t, "no-duplicates", []handTest{
		{"once", join(wrote(1, "a"), stored("a", 1, 1)), false, Pass, "1 write was found, none of them twice"},
		{"sent twice, once in effect", join(wrote(1, "a"), wrote(2, "a"), stored("a", 1, 1)), false, Pass, "1 write was found, none of them twice"},
		{"two effects", join(wrote(1, "a"), stored("a", 2, 1)), false, Fail, "1 write happened more than once"},
		{"two rows", join(wrote(1, "a"), stored("a", 1, 1), stored("a", 1, 0)), false, Fail, "1 write happened more than once"},
		{"two effects of its job", join(wrote(1, "a"), stored("a", 1, 2)), false, Fail, "1 write happened more than once"},
		{"outcome unknown, two effects", join(invoke(1, "a"), done(2, history.Info, "a"), stored("a", 2, 1)), false, Fail, "1 write happened more than once"},
		{
			"found and not counted", join(wrote(1, "a"), wrote(2, "b"), stored("a", 1, 1), stored("b", history.Uncounted, 0)), false, Inconclusive,
			"1 write was found by a lookup that does not say how often it is there: give the lookup a count:",
		},
		{
			"found and not counted, but", join(wrote(1, "a"), wrote(2, "b"), stored("a", 2, 1), stored("b", history.Uncounted, 0)), false, Fail,
			"1 write happened more than once",
		},
		{"nothing acknowledged", join(stored("a", 1, 1)), false, Inconclusive, "no write was acknowledged"},
		{"final reads not made", join(wrote(1, "a"), stored("a", 1, 1)), true, Inconclusive, "the final reads were not made"},
	})
}
