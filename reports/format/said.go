package format

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// maxSaid is how many lines of [Said] there are: who wants all reads the journal.
const maxSaid = 6

// Said is what operations and their workload say of what went wrong: where the
// workload and the system do not fit, and, unless the run passed, the first error
// of each class. What the problem of the run says already is left out.
func Said(r *reports.Result) []string {
	var list []string
	for _, what := range []string{check.JournalMisfit, check.JournalError} {
		for _, e := range r.Journal {
			wanted := e.What == what && (what == check.JournalMisfit || r.Verdict != string(check.Pass))
			if wanted && !strings.Contains(r.Problem, e.Text) && !slices.Contains(list, e.Text) {
				list = append(list, e.Text)
			}
		}
	}
	if left := len(list) - maxSaid; left > 0 {
		list = append(list[:maxSaid], fmt.Sprintf("and %d more in the journal of the report", left))
	}
	return list
}
