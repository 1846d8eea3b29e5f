package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// onGitHub is an app in a step of GitHub's, what it printed so far, and the file
// of the step's summary.
func onGitHub(t *testing.T) (a *app, stdout, stderr *strings.Builder, summary string) {
	t.Helper()
	summary = filepath.Join(t.TempDir(), "summary.md")
	variables := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary}
	stdout, stderr = new(strings.Builder), new(strings.Builder)
	lookup := func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	return &app{stdout: stdout, stderr: stderr, lookup: lookup}, stdout, stderr, summary
}

// ran is a run whose summary is the text.
func ran(t *testing.T, r *reports.Result, text string) ended {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, reports.FileMarkdown), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return ended{dir: dir, result: r}
}

// A step has one summary for all of its runs, and GitHub drops one of more than
// 1 MiB altogether.
func TestStepSummaryOfManyRuns(t *testing.T) {
	a, _, stderr, file := onGitHub(t)
	line := strings.Repeat("x", 99) + "\n"
	var cut []ended
	for i := range 12 {
		e := ran(t, reportstest.Pass(), fmt.Sprintf("## run %d\n", i)+strings.Repeat(line, 3000))
		if err := a.tellCI(ciAuto, e); err != nil {
			t.Fatal(err)
		}
		if i >= 3 {
			cut = append(cut, e)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > 1<<20 || len(got) < 1<<20-2*maxNotes {
		t.Errorf("the summary has %d bytes", len(got))
	}
	for i := range 4 {
		if !strings.Contains(string(got), fmt.Sprintf("## run %d\n", i)) {
			t.Errorf("nothing of run %d", i)
		}
	}
	for i, e := range cut {
		for place, text := range map[string]string{"summary": string(got), "terminal": stderr.String()} {
			if !strings.Contains(text, filepath.Join(e.dir, reports.FileMarkdown)) {
				t.Errorf("the %s does not say where the rest of run %d is", place, i+3)
			}
		}
	}
}

// TestStepSummaryThatOthersFilled: what cannot be said there is said anyway.
func TestStepSummaryThatOthersFilled(t *testing.T) {
	a, _, stderr, file := onGitHub(t)
	if err := os.WriteFile(file, make([]byte, maxSummary), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.tellCI(ciAuto, ran(t, reportstest.Pass(), "## run\n")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != maxSummary || !strings.Contains(stderr.String(), "the summary of the step is full") {
		t.Errorf("the file has %d bytes, and %q is said", info.Size(), stderr)
	}
}

// TestLogsOfAFailedRunAreFolded prints the ends of logs on GitHub, of runs that
// did not pass, and has no line of them taken for a command.
func TestLogsOfAFailedRunAreFolded(t *testing.T) {
	a, stdout, _, _ := onGitHub(t)
	e := ran(t, reportstest.LostWrites(), "## run\n")
	dir := filepath.Join(e.dir, reports.DirLogs)
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	long := new(strings.Builder)
	for i := range 5000 {
		fmt.Fprintf(long, "line %d of a log that is not short\n", i)
	}
	for name, text := range map[string]string{"api-1.log": "::error::planted\nno end", "pg-1.log": long.String(), "empty.log": "", "notes.txt": "not a log\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.tellCI(ciAuto, e); err != nil {
		t.Fatal(err)
	}
	groups := regexp.MustCompile(`(?s)::group::log of (\S+), last (\d+) lines; all of it is in \S+\n::stop-commands::(\w+)\n(.*?)::(\w+)::\n::endgroup::\n`).FindAllStringSubmatch(stdout.String(), -1)
	if len(groups) != 3 {
		t.Fatalf("%d groups in\n%s", len(groups), stdout)
	}
	words := map[string]bool{}
	for i, want := range []struct{ node, lines, text string }{
		{"api-1", "2", "::error::planted\nno end\n"}, {"empty", "0", ""}, {"pg-1", "50", strings.Join(strings.SplitAfter(long.String(), "\n")[4950:], "")},
	} {
		g := groups[i]
		if g[1] != want.node || g[2] != want.lines || g[4] != want.text || g[3] != g[5] || words[g[3]] {
			t.Errorf("group %d is %q", i, g)
		}
		words[g[3]] = true
	}
	stdout.Reset()
	e.result = reportstest.Pass()
	if err := a.tellCI(ciAuto, e); err != nil || stdout.Len() > 0 {
		t.Errorf("of a run that passed: %v\n%s", err, stdout)
	}
}
