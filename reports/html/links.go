package html

import (
	"fmt"
	"slices"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// events lists the events that clients had to recover from, in the order of
// their anatomies.
func events(r *reports.Result) []string {
	var names []string
	for _, rec := range r.Recoveries {
		if !slices.Contains(names, rec.Event) {
			names = append(names, rec.Event)
		}
	}
	return names
}

// shownIn returns the id of the heading below which the page shows what an
// objective was measured from: the account of the writes, the anatomy of the
// event, the journal for how long a step took, or the main chart. It is empty if
// the page has none of these.
func shownIn(r *reports.Result, o check.ObjectiveResult) string {
	switch o.Metric {
	case "lost_writes", "duplicates":
		return "writes"
	case "took":
		if len(r.Journal) > 0 {
			return "journal"
		}
	}
	if i := slices.Index(events(r), o.Subject); i >= 0 {
		return fmt.Sprintf("event-%d", i)
	}
	if len(r.Series) > 0 {
		return "chart"
	}
	return ""
}
