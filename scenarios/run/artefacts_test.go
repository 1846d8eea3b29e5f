package run

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// TestRenderKeepsPictures says that what shows a verdict lies in the run's
// directory, and not in its result, and that junit.xml leads to the report.
func TestRenderKeepsPictures(t *testing.T) {
	dir := reports.Directory{Path: t.TempDir()}
	r := &reports.Result{
		Schema: reports.SchemaResult, Run: "r1", Verdict: "fail", Began: time.Unix(1, 0).UTC(), FaultsLeft: []string{},
		Judgement: check.Judgement{Outcome: check.Fail, Checks: []check.Verdict{{
			Check: "linearizable", Outcome: check.Fail, Reason: "1 account was not", Pictures: map[string][]byte{"linearizability.html": []byte("<html>")},
		}}},
	}
	if err := Render(dir, r, "somewhere/report.html"); err != nil {
		t.Fatal(err)
	}
	if junit, err := os.ReadFile(dir.File(reports.FileJUnit)); err != nil || !bytes.Contains(junit, []byte("[[ATTACHMENT|somewhere/report.html]]")) {
		t.Errorf("junit.xml attaches something else, or %v:\n%s", err, junit)
	}
	if got, err := os.ReadFile(dir.File("linearizability.html")); err != nil || string(got) != "<html>" {
		t.Errorf("the picture holds %q, %v", got, err)
	}
	result, err := os.ReadFile(dir.File(reports.FileResult))
	if err != nil || bytes.Contains(result, []byte("html>")) {
		t.Errorf("the picture is in the result, or %v", err)
	}
}
