package html_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// reproducing returns the facts that a report has below its heading "Reproduce",
// and the plan that it can be opened to show.
func reproducing(t *testing.T, r *reports.Result) (facts map[string]string, plan string) {
	t.Helper()
	facts = map[string]string{}
	here, name := false, ""
	for _, e := range parse(t, write(t, r)) {
		switch {
		case e.name == "h2":
			here = e.attr["id"] == "reproduce"
		case here && e.name == "dt":
			name = e.text
		case here && e.name == "dd":
			facts[name] = e.text
		case here && e.attr["class"] == "plan":
			plan = e.text
		}
	}
	return facts, plan
}

// TestReportSaysWhatMadeTheNumbers has a report that is all somebody has of a run
// say which programs, images and machine they come from, and what was run.
func TestReportSaysWhatMadeTheNumbers(t *testing.T) {
	r := reportstest.ThreeSeconds()
	r.Images = map[string]string{"pg-2": "sha256:aa", "redis": "sha256:bb", "pg-1": "sha256:aa"}
	facts, plan := reproducing(t, r)
	for name, want := range map[string]string{
		"Version of proofload": "v0.9.0", "Version of go": "go1.26.8", "Seed": "4201",
		"Machine":             "cores 8, kernel 6.12.5, memory 32768000 kB, os linux/amd64",
		"Image of pg-1, pg-2": "sha256:aa", "Image of redis": "sha256:bb",
	} {
		if facts[name] != want {
			t.Errorf("%s is %q, want %q", name, facts[name], want)
		}
	}
	if plan != r.Plan {
		t.Errorf("the plan is %q, want %q", plan, r.Plan)
	}
}

// TestReportOfAnOlderResult has that of a result without them say nothing of them.
func TestReportOfAnOlderResult(t *testing.T) {
	r := reportstest.ThreeSeconds()
	r.Versions, r.Host, r.Images, r.Plan = nil, nil, nil, ""
	facts, plan := reproducing(t, r)
	want := map[string]string{
		"Scenario": r.Scenario.File, "Its sha256": r.Scenario.SHA256, "Target": r.Target, "Seed": "4201", "Result format": reports.SchemaResult,
	}
	if diff := cmp.Diff(want, facts); diff != "" || plan != "" {
		t.Errorf("plan %q (-want +got):\n%s", plan, diff)
	}
}
