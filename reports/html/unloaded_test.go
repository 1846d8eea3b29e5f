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

// TestRunWithoutLoad has the report of a run without a single operation show what
// is known all the same: the system, and what was broken when.
func TestRunWithoutLoad(t *testing.T) {
	r := reportstest.Pass()
	r.Series, r.Heat, r.Windows, r.Generator, r.Writes = nil, nil, nil, check.Generator{}, check.Writes{}
	r.Recoveries[0].Steady = -1
	said := described(t, write(t, r), "topology-wide")
	for _, want := range []string{"Before: lb", "pg-1 primary", "Failure noticed, T0 +9.10 s: lb", "pg-1 lost", "At the end of the drill: lb", "pg-2 primary"} {
		at := strings.Index(said, want)
		if at < 0 {
			t.Fatalf("%q does not go on with %q", said, want)
		}
		said = said[at:]
	}
	for _, id := range []string{"timeline-wide", "timeline-narrow"} {
		labels := labelsOf(t, r, id)
		for _, want := range []string{"stall link:replication, 30.1 s", "lose postgres.primary, 53.9 s", "T0 1:30", "recovery not seen, limit 20 s"} {
			if !slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, want) }) {
				t.Errorf("%s has no label %q in %q", id, want, labels)
			}
		}
		if slices.Contains(labels, "Operations per second") {
			t.Errorf("%s has rates of nothing", id)
		}
	}
	if strings.Contains(write(t, r), `id="timeline-data"`) {
		t.Error("there are numbers to be read")
	}
	if rows := rowCells(t, write(t, r)); !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, "stall link:replication stall-1 1 1:27 1:58") }) {
		t.Errorf("the faults do not count from the beginning of the drill:\n%s", strings.Join(rows, "\n"))
	}
}

// TestSystemOfARunInWhichNothingHappened draws the nodes where there is nothing else.
func TestSystemOfARunInWhichNothingHappened(t *testing.T) {
	nodes := []check.Node{{Name: "pg-1", Role: "postgres", States: []check.NodeState{{At: 200, State: "replica"}, {At: 900, State: "primary"}}}}
	r := &reports.Result{Verdict: "inconclusive", Judgement: check.Judgement{Topology: check.Topology{Nodes: nodes}}}
	var headings []string
	for _, e := range parse(t, write(t, r)) {
		if e.name == "h2" && (e.attr["id"] == "topology" || e.attr["id"] == "chart") {
			headings = append(headings, e.text)
		}
	}
	if diff := cmp.Diff([]string{"The system"}, headings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if said := described(t, write(t, r), "topology-wide"); said != "At the end: pg-1 primary. " {
		t.Errorf("it says %q", said)
	}
}
