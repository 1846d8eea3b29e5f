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

// complete is the report that has every section there is.
func complete() *reports.Result {
	r := reportstest.FiveDrills()
	r.Comparison, r.Diagnoses = reportstest.Slower(), reportstest.Inconclusive().Diagnoses
	for i := range r.Windows {
		r.Windows[i].HDR = r.Comparison.Shapes[0].After
	}
	return r
}

// TestSectionsAnswerInTheOrderOfQuestions has what a reader asks first come
// first. A section that a run has nothing for is left out; none ever moves.
func TestSectionsAnswerInTheOrderOfQuestions(t *testing.T) {
	order := []string{
		"objectives", "chart", "topology", "recovery", "writes", "windows", "percentiles", "journal", "faults", "generator",
		"reproduce", "comparison", "diagnosis", "findings",
	}
	headings := func(r *reports.Result) (ids []string) {
		for _, e := range parse(t, write(t, r)) {
			if e.name == "h2" {
				ids = append(ids, e.attr["id"])
			}
		}
		return ids
	}
	if diff := cmp.Diff(order, headings(complete())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, example := range reportstest.Examples() {
		got := headings(example.Result)
		want := slices.DeleteFunc(slices.Clone(order), func(id string) bool { return !slices.Contains(got, id) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", example.Name, diff)
		}
	}
}

// TestObjectivesLeadToWhatTheyWereMeasuredFrom follows the link of every
// objective.
func TestObjectivesLeadToWhatTheyWereMeasuredFrom(t *testing.T) {
	took := reportstest.Pass()
	took.Objectives = append(took.Objectives, check.ObjectiveResult{Subject: "restored", Metric: "took", Unit: "ms"})
	unloaded := reportstest.ThreeSeconds()
	unloaded.Series, unloaded.Heat = nil, nil
	for name, c := range map[string]struct {
		r    *reports.Result
		want map[string]string
	}{
		"drills": {reportstest.FiveDrills(), map[string]string{
			"steady p99": "#chart", "steady errors": "#chart", "primary-lost rto": "#event-0", "primary-lost rpo": "#event-0",
			"primary-lost lost_writes": "#writes", "primary-lost duplicates": "#writes", "after p99": "#chart", "after errors": "#chart",
		}},
		"a step":      {took, map[string]string{"restored took": "#journal"}},
		"no recovery": {reportstest.Interrupted(), map[string]string{"primary-lost rto": "#chart"}},
		"no chart":    {unloaded, map[string]string{"only p99": "", "only errors": ""}},
	} {
		elements := parse(t, write(t, c.r))
		got, ids := map[string]string{}, map[string]bool{}
		for i, e := range elements {
			ids["#"+e.attr["id"]] = true
			if e.name == "th" && slices.Contains(e.inside, "tbody") && strings.Contains(e.text, " ") {
				if next := elements[i+1]; next.name == "a" {
					got[e.text] = next.attr["href"]
				}
			}
		}
		for objective, want := range c.want {
			if got[objective] != want {
				t.Errorf("%s: %s leads to %q, want %q", name, objective, got[objective], want)
			}
		}
		for objective, href := range got {
			if !ids[href] {
				t.Errorf("%s: %s leads to %q, which there is not", name, objective, href)
			}
		}
	}
}
