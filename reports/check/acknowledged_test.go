package check

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

func TestAcknowledgedWrites(t *testing.T) {
	altered := stored("a", 1, 1)
	altered.Amount = 6
	runHandTests(t, "acknowledged-writes", []handTest{
		{"found", join(wrote(1, "a"), stored("a", 1, 1)), false, Pass, "1 acknowledged, 1 found"},
		{"found and not counted", join(wrote(1, "a"), stored("a", history.Uncounted, 0)), false, Pass, "1 acknowledged, 1 found"},
		{"gone", join(wrote(1, "a"), wrote(2, "b"), stored("a", 1, 1)), false, Fail, "1 of 2 acknowledged writes were lost"},
		{"row without effect", join(wrote(1, "a"), stored("a", 0, 1)), false, Fail, "1 of 1 acknowledged write was lost"},
		{"may have happened, and is not there", join(wrote(1, "a"), invoke(2, "b"), done(3, history.Info, "b"), stored("a", 1, 1)), false, Pass, "1 acknowledged, 1 found"},
		{"may have happened, and is there", join(wrote(1, "a"), invoke(2, "b"), done(3, history.Info, "b"), stored("a", 1, 1), stored("b", 1, 1)), false, Pass, "1 acknowledged, 1 found"},
		{"never ended, and is there", join(wrote(1, "a"), invoke(2, "b"), stored("a", 1, 1), stored("b", 1, 1)), false, Pass, "1 acknowledged, 1 found"},
		{"refused, and is there", join(wrote(1, "a"), invoke(2, "b"), done(3, history.Fail, "b"), stored("a", 1, 1), stored("b", 1, 1)), false, Fail, "1 write was unexpected: refused or never attempted, and present"},
		{"refused, then acknowledged", join(invoke(1, "a"), done(2, history.Fail, "a"), wrote(3, "a"), stored("a", 1, 1)), false, Pass, "1 acknowledged, 1 found"},
		{"acknowledged, then refused", join(wrote(3, "a"), invoke(4, "a"), done(5, history.Fail, "a"), stored("a", 1, 1)), false, Pass, "1 acknowledged, 1 found"},
		{"nobody's", join(wrote(1, "a"), stored("a", 1, 1), stored("x", 1, 1)), false, Fail, "1 write was unexpected: refused or never attempted, and present"},
		{"altered", join(wrote(1, "a"), altered), false, Fail, "1 acknowledged write was altered"},
		{"nothing acknowledged", join(invoke(1, "a"), done(2, history.Info, "a")), false, Inconclusive, "no write was acknowledged"},
		{"final reads not made", join(wrote(1, "a")), true, Inconclusive, "the final reads were not made"},
		{"final reads not complete", join(wrote(1, "a"), auditFailed()), true, Inconclusive, "the final reads are not complete: gone"},
		{"final reads not complete, but", join(wrote(1, "a"), stored("x", 1, 1), auditFailed()), true, Fail, "1 write was unexpected: refused or never attempted, and present"},
	})
}

func TestAcknowledgedWritesExamples(t *testing.T) {
	events := join(drillNo(0, 1), wrote(2, "b"), wrote(1, "a"), read(history.AuditDone))
	got := judge(t, Spec{Verify: []string{"acknowledged-writes"}}, events).Checks[0].Examples
	want := []string{
		"a: acknowledged at 1.010 s, amount 5, drill 1, not found",
		"b: acknowledged at 2.010 s, amount 5, drill 1, not found",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("examples (-want +got):\n%s", diff)
	}
}

// TestWritesOfEarlierDrills says that the final reads of a drill may find the
// writes of earlier ones as well.
func TestWritesOfEarlierDrills(t *testing.T) {
	events := join(
		drillNo(0, 1), wrote(1, "a"), stored("a", 1, 1), read(history.AuditDone), run(3, history.RunDrillEnd),
		drillNo(10, 2), wrote(11, "b"), stored("a", 1, 1), stored("b", 1, 1), read(history.AuditDone), run(13, history.RunDrillEnd),
	)
	j := judge(t, Spec{Verify: []string{"acknowledged-writes", "no-duplicates"}, Drills: 2}, events)
	if j.Outcome != Pass {
		t.Errorf("outcome %s, reasons %q; want a pass", j.Outcome, j.Reasons)
	}
	if want := "2 checks held; 2 acknowledged writes, none lost."; j.Sentence != want {
		t.Errorf("sentence %q, want %q", j.Sentence, want)
	}
}
