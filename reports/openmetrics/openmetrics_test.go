package openmetrics_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
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

// checkFormat holds a file against the rules of the format: metadata first,
// each family in one piece, samples well formed and not twice, an end.
func checkFormat(t *testing.T, text string) {
	t.Helper()
	sample := regexp.MustCompile(`^(proofload_[a-z_]+)\{([a-z_]+="(\\.|[^"\\])*",?)*\} -?[0-9.e+-]+$`)
	families, samples := map[string]bool{}, map[string]bool{}
	family := ""
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			family, _, _ = strings.Cut(rest, " ")
			if families[family] {
				t.Errorf("family %s begins twice", family)
			}
			families[family] = true
			continue
		}
		if strings.HasPrefix(line, "# ") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if len(m) < 2 || m[1] != family {
			t.Errorf("in family %s: %q", family, line)
			continue
		}
		key, _, _ := strings.Cut(line, "} ")
		if samples[key] {
			t.Errorf("sample %s is there twice", key)
		}
		samples[key] = true
	}
	if lines[len(lines)-1] != "# EOF" {
		t.Errorf("the last line is %q", lines[len(lines)-1])
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
