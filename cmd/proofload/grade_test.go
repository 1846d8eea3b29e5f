//go:build integration

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"

	"github.com/proofload/proofload/sut/defects"
)

// trackFile keeps the last trials of each defect, below the grader's directory.
const trackFile = "track.json"

// A track is the track record of the judge.
type track struct {
	Machine string    `json:"machine"`
	Trials  []grading `json:"trials"`
}

// BenchmarkGrade is what make grade runs. DEFECT names the defects, separated by
// commas, and is all of them where it is empty; "none" leaves the sound service.
// GRADE_RUNS says how often each is tried, and GRADE_SOUND how often the sound
// service is under each of the scenarios that they need.
func BenchmarkGrade(b *testing.B) {
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	b.Cleanup(stop)
	planted, names := chosen(b)
	runs := gradeCount(b, "GRADE_RUNS", 1)
	g := newGrader(ctx, b)
	var t track
	t.Machine = fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	add := func(tr grading, _ any) {
		say("%s", tr)
		t.Trials = append(t.Trials, tr)
		if err := g.keep(t); err != nil {
			b.Fatal(err)
		}
	}
	for _, d := range planted {
		for range runs {
			tr, r := g.try(ctx, b, d.Scenario, d)
			add(tr, r)
		}
	}
	sound := gradeCount(b, "GRADE_SOUND", runs)
	for _, name := range names {
		for range sound {
			tr, r := g.try(ctx, b, name)
			add(tr, r)
		}
	}
	t.print(os.Stdout)
}

// chosen returns the defects that DEFECT names, and the scenarios that they need.
func chosen(tb testing.TB) (planted []defects.Defect, needed []string) {
	tb.Helper()
	all, err := defects.All()
	if err != nil {
		tb.Fatal(err)
	}
	names := os.Getenv("DEFECT")
	if names == "none" {
		return nil, defects.Scenarios()
	}
	for name := range strings.SplitSeq(names, ",") {
		if name == "" {
			planted = all
			break
		}
		d, err := defects.Find(name)
		if err != nil {
			tb.Fatal(err)
		}
		planted = append(planted, d)
	}
	for _, d := range planted {
		if !slices.Contains(needed, d.Scenario) {
			needed = append(needed, d.Scenario)
		}
	}
	slices.Sort(needed)
	return planted, needed
}

func gradeCount(tb testing.TB, variable string, without int) int {
	tb.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return without
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		tb.Fatalf("%s=%q: want a whole number from 0", variable, text)
	}
	return n
}

// keep writes the track record, with what earlier gradings said of other defects
// and scenarios.
func (g *grader) keep(t track) error {
	file := filepath.Join(g.dir, trackFile)
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read track record: %w", err)
	}
	var old track
	if err == nil {
		if err = json.Unmarshal(content, &old); err != nil {
			return fmt.Errorf("read track record %s: %w", file, err)
		}
	}
	for _, tr := range old.Trials {
		if !slices.ContainsFunc(t.Trials, func(now grading) bool { return now.Defect == tr.Defect && now.Scenario == tr.Scenario }) {
			t.Trials = append(t.Trials, tr)
		}
	}
	slices.SortStableFunc(t.Trials, func(a, b grading) int {
		return cmp.Or(cmp.Compare(a.Defect, b.Defect), cmp.Compare(a.Scenario, b.Scenario))
	})
	if content, err = json.MarshalIndent(t, "", "  "); err != nil {
		return fmt.Errorf("write track record: %w", err)
	}
	return os.WriteFile(file, append(content, '\n'), 0o600)
}

// A score is what became of the trials of one defect.
type score struct {
	grading // the last

	runs, detected, right int
	took                  float64
}

// hit reports whether a defect counts as found: in every run, or in any where
// chance has a part in it.
func (s score) hit() bool { return s.detected == s.runs || s.Chance && s.detected > 0 }

func (t track) scores() (planted []score, sound []grading) {
	for _, tr := range t.Trials {
		if tr.Defect == "" {
			sound = append(sound, tr)
			continue
		}
		i := slices.IndexFunc(planted, func(s score) bool { return s.Defect == tr.Defect })
		if i < 0 {
			planted = append(planted, score{})
			i = len(planted) - 1
		}
		s := &planted[i]
		s.grading = tr
		s.runs++
		s.took += tr.Took
		if tr.Detected {
			s.detected++
		}
		if tr.Detected && tr.Right {
			s.right++
		}
	}
	return planted, sound
}

// print prints the track record, with the figures in the last line.
func (t track) print(w io.Writer) {
	planted, sound := t.scores()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "defect\tlayer\tscenario\tdetected\tnamed by\tright\tfound\ttime")
	found, right, hits := 0, 0, 0
	for _, s := range planted {
		yes := "no"
		if s.right == s.detected && s.right > 0 {
			yes = "yes"
			right++
		}
		if s.hit() {
			found++
		}
		if s.detected > 0 {
			hits++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%s\t%s\t%d\t%.0f s\n", s.Defect, s.Layer, s.Scenario, s.detected, s.runs,
			strings.Join(s.Named, ", "), yes, s.Found, s.took/float64(s.runs))
	}
	alarms, unclear := 0, 0
	for _, tr := range sound {
		switch tr.Exit {
		case 0:
		case 1:
			alarms++
		default:
			unclear++
		}
		fmt.Fprintf(table, "(sound)\t\t%s\t%s\t%s\t\t\t%.0f s\n", tr.Scenario, tr.Verdict, strings.Join(append(tr.Named, tr.Unclear...), ", "), tr.Took)
	}
	_ = table.Flush() // to the standard output
	fmt.Fprintf(w, "sensitivity %d of %d; right check named %d of %d; false alarms %d of %d, inconclusive %d\n",
		found, len(planted), right, hits, alarms, len(sound), unclear)
}
