//go:build integration

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
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

	"github.com/proofload/proofload/sut/defects"
)

// trackFile keeps the last trials of each defect, below the grader's directory.
const trackFile = "track.json"

// keptTrials is how many gradings of a defect the track record keeps: the figure of
// sensitivity asks for three.
const keptTrials = 3

// A track is the track record of the judge.
type track struct {
	Machine string    `json:"machine"`
	Trials  []grading `json:"trials"`
}

// BenchmarkGrade is what make grade runs. DEFECT names the defects, separated by
// commas, and is all of them where it is empty; "none" leaves the sound service,
// under the scenarios that SCENARIO names, or under all.
// GRADE_RUNS says how often each is tried, and GRADE_SOUND how often the sound
// service is under each of the scenarios that they need.
func BenchmarkGrade(b *testing.B) {
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	b.Cleanup(stop)
	planted, names := chosen(b)
	runs := gradeCount(b, "GRADE_RUNS", 1)
	g := newGrader(ctx, b)
	var t, kept track
	t.Machine = fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	add := func(tr grading, _ any) {
		say("%s", tr)
		t.Trials = append(t.Trials, tr)
		var err error
		if kept, err = g.keep(t); err != nil {
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
	all, err := defects.All()
	if err != nil {
		b.Fatal(err)
	}
	kept.print(os.Stdout, len(all))
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
		if some := os.Getenv("SCENARIO"); some != "" {
			return nil, strings.Split(some, ",")
		}
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

// lastTrials joins what earlier gradings found with what those of now did: of each
// defect and scenario the last keptTrials, or all of now if these are more. A
// grading is told from others by when it began.
func lastTrials(old, now []grading) (all []grading) {
	same := func(a, b grading) bool { return a.Defect == b.Defect && a.Scenario == b.Scenario }
	for i, tr := range old {
		if slices.ContainsFunc(now, func(n grading) bool { return same(n, tr) && n.Began == tr.Began }) {
			continue
		}
		later := 0
		for _, other := range slices.Concat(old[i+1:], now) {
			if same(other, tr) {
				later++
			}
		}
		if later < keptTrials {
			all = append(all, tr)
		}
	}
	all = append(all, now...)
	slices.SortStableFunc(all, func(a, b grading) int {
		return cmp.Or(cmp.Compare(a.Defect, b.Defect), cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Began, b.Began))
	})
	return all
}

// keep writes the track record, with what earlier gradings found, and returns all
// of it.
func (g *grader) keep(t track) (track, error) {
	file := filepath.Join(g.dir, trackFile)
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, fmt.Errorf("read track record: %w", err)
	}
	var old track
	if err == nil {
		if err = json.Unmarshal(content, &old); err != nil {
			return t, fmt.Errorf("read track record %s: %w", file, err)
		}
	}
	t.Trials = lastTrials(old.Trials, t.Trials)
	if content, err = json.MarshalIndent(t, "", "  "); err != nil {
		return t, fmt.Errorf("write track record: %w", err)
	}
	return t, os.WriteFile(file, append(content, '\n'), 0o600)
}
