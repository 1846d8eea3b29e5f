package compare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// realRuns reads the profiles of runs that were recorded one after another, five
// minutes at 200/s each, on two cores beside other work that came and went: equal
// ones answer after 20 ms, slower ones after 22.15, or 22.2 where that work gave way
// to them ("quiet-"). The files are as make bench-compare keeps them.
func realRuns(t *testing.T, kind string) []*Profile {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind + "-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles: %v", err)
	}
	var runs []*Profile
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(f)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, p)
	}
	return runs
}

func compared(before, after *Profile) *reports.Comparison {
	return Compare(before, after, DefaultLimits(DefaultThreshold))
}

// TestRealNoise holds the statistic to noise that nobody made up: its windows have
// stalls of seconds in them, and levels that drift.
func TestRealNoise(t *testing.T) {
	for _, when := range []string{"", "quiet-"} {
		equal, slower := realRuns(t, when+"equal"), realRuns(t, when+"slower")
		if len(equal) < 2 {
			t.Fatal("there is no pair of equal runs")
		}
		for i, a := range equal {
			for j, b := range equal {
				if c := compared(a, b); i != j && c.Outcome != check.Pass {
					t.Errorf("%s and %s are equal: %s, %s", a.Run, b.Run, c.Outcome, c.Sentence)
				}
			}
			for _, b := range slower {
				b.Behind = "" // the statistic alone is asked
				if c := compared(a, b); c.Outcome != check.Fail || !strings.Contains(c.Sentence, "steady") {
					t.Errorf("%s after %s is a tenth slower: %s, %s", b.Run, a.Run, c.Outcome, c.Sentence)
				}
				if c := compared(b, a); c.Outcome != check.Pass {
					t.Errorf("%s after %s is faster: %s, %s", a.Run, b.Run, c.Outcome, c.Sentence)
				}
			}
		}
	}
}

// TestRealGeneratorThatFellBehind: the slower run was one, and as it was recorded
// it decides nothing.
func TestRealGeneratorThatFellBehind(t *testing.T) {
	for _, a := range realRuns(t, "equal") {
		for _, b := range realRuns(t, "slower") {
			if c := compared(a, b); b.Behind != "" && (c.Outcome != check.Inconclusive || !strings.Contains(c.Sentence, b.Behind)) {
				t.Errorf("%s after %s: %s, %s", b.Run, a.Run, c.Outcome, c.Sentence)
			}
		}
	}
}
