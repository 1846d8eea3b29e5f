package openmetrics_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/openmetrics"
	"github.com/proofload/proofload/reports/reportstest"
)

var update = flag.Bool("update", false, "write the golden files")

func write(t *testing.T, r *reports.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := openmetrics.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			file := filepath.Join("testdata", example.Name+".txt")
			got := write(t, example.Result)
			if *update {
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
			checkFormat(t, got)
		})
	}
}

// checkFormat reads a file strictly.
func checkFormat(t *testing.T, text string) {
	t.Helper()
	if _, err := reportstest.OpenMetrics(text); err != nil {
		t.Error(err)
	}
}

func TestTextIsEscaped(t *testing.T) {
	r := reportstest.Pass()
	r.Scenario.Name = "a \"quoted\\\" name\nof two lines\xff"
	checkFormat(t, write(t, r))
	checkFormat(t, write(t, &reports.Result{}))
}

// TestWhatWasNotLookedUpIsLeftOut: a run that goes on, or died, has lost nothing as
// far as anybody knows, which is no zero.
func TestWhatWasNotLookedUpIsLeftOut(t *testing.T) {
	r := reportstest.Pass()
	r.Writes.Found = 0
	text := write(t, r)
	if strings.Contains(text, `state="lost"`) || !strings.Contains(text, `state="acknowledged"`) {
		t.Errorf("writes that were not looked up:\n%s", text)
	}
}
