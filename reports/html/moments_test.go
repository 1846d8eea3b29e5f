package html_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/reportstest"
)

// momentsOf lists the sentences below the verdict of a report.
func momentsOf(t *testing.T, r *reports.Result) (said []string) {
	t.Helper()
	for _, e := range parse(t, write(t, r)) {
		if e.name == "p" && strings.HasPrefix(e.attr["class"], "moment") {
			said = append(said, e.text)
		}
	}
	return said
}

// labelsOf lists the texts of a drawing.
func labelsOf(t *testing.T, r *reports.Result, id string) (labels []string) {
	t.Helper()
	drawn := ""
	for _, e := range parse(t, write(t, r)) {
		switch {
		case e.name == "svg":
			drawn, _, _ = strings.Cut(e.attr["aria-labelledby"], "-title")
		case e.name == "text" && drawn == id:
			labels = append(labels, e.text)
		}
	}
	return labels
}

// TestMomentsOfAMissedGate has a gate that failed, in which nothing was broken, say
// when it was at its worst: beside the verdict and in the chart, with the limits.
func TestMomentsOfAMissedGate(t *testing.T) {
	r := reportstest.FailedGate()
	want := []string{
		"p99 in peak was worst at 0:41: 934 ms in that second; limit of p99 250 ms: MISSED.",
		"Errors in peak were worst at 0:41: 9 of 60 failed in that second; limit of errors 0.1 %: MISSED.",
		"None of 3,868 acknowledged writes was lost.",
	}
	if diff := cmp.Diff(want, momentsOf(t, r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	labels := labelsOf(t, r, "timeline-wide")
	for _, want := range []string{"worst p99, errors 0:41", "p50 limit 50 ms", "p99 limit 250 ms", "limit of errors, 0.1 %"} {
		if !slices.Contains(labels, want) {
			t.Errorf("no label %q in %q", want, labels)
		}
	}
	for i := range r.Series {
		if r.Series[i].At == 43 {
			r.Series[i].Errors = 12
		}
	}
	if labels = labelsOf(t, r, "timeline-wide"); !slices.Contains(labels, "worst p99 0:41") || slices.Contains(labels, "worst errors 0:43") {
		t.Errorf("the names of two moments cover each other: %q", labels)
	}
}

// TestMomentsOfWhatWasMissed tells apart what a limit is of.
func TestMomentsOfWhatWasMissed(t *testing.T) {
	for name, c := range map[string]struct {
		o    check.ObjectiveResult
		want []string
	}{
		"half of them":        {check.ObjectiveResult{Subject: "peak", Metric: "p50", Unit: "ms", Limit: 5}, []string{"p50 in peak was worst at 0:41: 46.0 ms in that second; limit of p50 5 ms: MISSED."}},
		"of one operation":    {check.ObjectiveResult{Subject: "peak/create-transfer", Metric: "max", Unit: "ms", Limit: 100}, []string{"p99 in peak was worst at 0:41: 934 ms in that second; limit of max 100 ms: MISSED."}},
		"most of them fail":   {check.ObjectiveResult{Subject: "peak", Metric: "p99", Unit: "ms", Limit: 250, Censored: true}, []string{"Errors in peak were worst at 0:41: 9 of 60 failed in that second; limit of p99 250 ms: MISSED."}},
		"too few are good":    {check.ObjectiveResult{Subject: "peak", Metric: "rate", Unit: "percent", Op: ">=", Limit: 99.5}, []string{"Errors in peak were worst at 0:41: 9 of 60 failed in that second; limit of rate 99.5 %: MISSED."}},
		"too slow to be good": {check.ObjectiveResult{Subject: "peak", Metric: "rate", Unit: "percent", Op: ">=", Limit: 99.5}, []string{"p99 in peak was worst at 0:41: 934 ms in that second; limit of rate 99.5 %: MISSED."}},
		"another phase":       {check.ObjectiveResult{Subject: "night", Metric: "p99", Unit: "ms", Limit: 250}, nil},
		"an event":            {check.ObjectiveResult{Subject: "peak", Metric: "duplicates", Unit: "count"}, nil},
	} {
		r := reportstest.FailedGate()
		c.o.Outcome = check.Fail
		if name == "too slow to be good" {
			for i := range r.Series {
				r.Series[i].Errors = 0
			}
		}
		r.Objectives, r.Writes = []check.ObjectiveResult{c.o}, check.Writes{}
		if diff := cmp.Diff(c.want, momentsOf(t, r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestMomentsWithoutARecovery has a run whose faults no objective is about say when
// the first of them began. An operation is none.
func TestMomentsWithoutARecovery(t *testing.T) {
	r := reportstest.Pass()
	r.Recoveries = nil
	start := r.Faults[0]
	start.Verb, start.From = "start", start.From-5000
	r.Faults = append([]check.FaultWindow{start}, r.Faults...)
	if diff := cmp.Diff([]string{"The first fault began at 1:27: stall link:replication."}, momentsOf(t, r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, id := range []string{"timeline-wide", "timeline-narrow"} {
		if labels := labelsOf(t, r, id); !slices.Contains(labels, "fault 1:27") || slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "T0") }) {
			t.Errorf("%s has the labels %q", id, labels)
		}
	}
	r.Faults = r.Faults[:1]
	if got := momentsOf(t, r); len(got) > 0 {
		t.Errorf("nothing was broken, and it says %q", got)
	}
}
