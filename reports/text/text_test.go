package text_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/reportstest"
	"github.com/proofload/proofload/reports/text"
)

var update = flag.Bool("update", false, "write the golden files")

const report = ".proofload/runs/7f3c/report.html"

func TestWrite(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			golden(t, example.Name+".txt", write(t, example.Result, text.Options{Report: report}))
		})
	}
	t.Run("color", func(t *testing.T) {
		golden(t, "drills-color.txt", write(t, reportstest.FiveDrills(), text.Options{Report: report, Color: true}))
	})
	t.Run("narrow", func(t *testing.T) {
		got := write(t, reportstest.FiveDrills(), text.Options{Report: report, Width: 80})
		golden(t, "drills-80.txt", got)
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	})
}

func TestWriteEndsWithTheReport(t *testing.T) {
	for _, example := range reportstest.Examples() {
		lines := strings.Split(strings.TrimSpace(write(t, example.Result, text.Options{Report: report})), "\n")
		if last := lines[len(lines)-1]; last != "  report   "+report {
			t.Errorf("%s: last line is %q", example.Name, last)
		}
	}
}

func TestWriteWithoutColorHasNoEscapes(t *testing.T) {
	r := reportstest.LostWrites()
	r.Scenario.Name = "red \x1b[31malert\x1b]0;title\a"
	r.Problem = "line one\nline two\x1b[2J"
	r.Objectives[0].Subject = "\x1b[1msteady"
	r.Checks[0].Check = "\x1b[1macknowledged"
	got := write(t, r, text.Options{})
	for _, c := range got {
		if c != '\n' && c < ' ' || c >= 0x7f && c < 0xa0 {
			t.Fatalf("control character %q in:\n%s", c, got)
		}
	}
}

func TestWriteWithColorSaysTheSame(t *testing.T) {
	for _, example := range reportstest.Examples() {
		plain := write(t, example.Result, text.Options{})
		painted := write(t, example.Result, text.Options{Color: true})
		if !strings.Contains(painted, "\x1b[") {
			t.Errorf("%s: no colour", example.Name)
		}
		if diff := cmp.Diff(plain, uncolor(painted)); diff != "" {
			t.Errorf("%s: colour changes the text (-plain +painted):\n%s", example.Name, diff)
		}
	}
}

func TestWriteEmptyResult(t *testing.T) {
	r := &reports.Result{Verdict: "error", Problem: "no Docker engine answers", Scenario: reports.Source{Name: "smoke"}, Run: "1"}
	want := "ERROR  smoke   run 1\nproblem: no Docker engine answers\n\n  faults   none injected\n"
	if diff := cmp.Diff(want, write(t, r, text.Options{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteNamesUnclearObjectives(t *testing.T) {
	r := reportstest.Pass()
	r.Objectives[2].Outcome = check.Inconclusive
	r.Objectives[2].Reason = "the fault was not seen to take effect"
	got := write(t, r, text.Options{})
	want := "scenarios/primary-failover.yaml:28:24: primary-lost rto 12.4 s is unclear: the fault was not seen to take effect"
	if !strings.Contains(got, want) {
		t.Errorf("no %q in:\n%s", want, got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestWriteReportsErrors(t *testing.T) {
	err := text.Write(full{}, reportstest.Pass(), text.Options{})
	if err == nil || !strings.Contains(err.Error(), "write summary: disk is full") {
		t.Errorf("got %v", err)
	}
}

func write(t *testing.T, r *reports.Result, o text.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := text.Write(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func uncolor(s string) string {
	for {
		before, rest, ok := strings.Cut(s, "\x1b[")
		if !ok {
			return s
		}
		_, after, _ := strings.Cut(rest, "m")
		s = before + after
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestCause says that what the evidence tells of a failure stands below it.
func TestCause(t *testing.T) {
	r := &reports.Result{Verdict: "fail", Judgement: check.Judgement{Outcome: check.Fail, Checks: []check.Verdict{{
		Check: "jobs-done", Outcome: check.Fail, Reason: "2 left in outbox", Causes: []string{"the worker was killed", "or not"},
	}}}}
	var b strings.Builder
	if err := text.Write(&b, r, text.Options{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "    probably the worker was killed\n") || strings.Contains(b.String(), "or not") {
		t.Errorf("the summary does not say the first cause:\n%s", b.String())
	}
}
