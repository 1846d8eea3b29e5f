package check

import (
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// TestQueries judges what databases answered to a check of the scenario, in two
// drills.
func TestQueries(t *testing.T) {
	answers := func(texts ...string) []history.Event {
		var all []history.Event
		for i, text := range texts {
			e := history.Event{At: at(9), By: history.ByAudit, Kind: history.Info, Op: history.AuditQuery, ID: "nulls", Drill: i + 1, Node: "pg-1", Text: text}
			if strings.HasPrefix(text, "ERROR") {
				e.Kind = history.Fail
			}
			all = append(all, e)
		}
		return all
	}
	quiet := func(drill int) history.Event {
		e := read(history.AuditDone)
		e.Drill = drill
		return e
	}
	for _, tt := range []struct {
		name    string
		events  []history.Event
		outcome Outcome
		reason  string
	}{
		{"as it has to be", join(quiet(1), quiet(2), answers("0", "0")), Pass, "pg-1 says 0: SELECT count(*)"},
		{"as a number", join(quiet(1), quiet(2), answers("0.00", "0")), Pass, "pg-1 says 0: SELECT count(*)"},
		{"once not", join(quiet(1), quiet(2), answers("0", "3")), Fail, "pg-1 says 3 after drill 2, not 0: SELECT count(*)"},
		{"no number", join(quiet(1), quiet(2), answers("null", "0")), Fail, "pg-1 says null after drill 1, not 0"},
		{"no answer", join(quiet(1), quiet(2), answers("0", "ERROR: no")), Inconclusive, "no answer after drill 2: ERROR: no"},
		{"no answer, but another one", join(quiet(1), quiet(2), answers("1", "ERROR: no")), Fail, "pg-1 says 1 after drill 1"},
		{"not asked", join(quiet(1), quiet(2), answers("0")), Inconclusive, "the database was not asked after drill 2"},
		{"before it was quiet", join(quiet(1), answers("0", "3")), Inconclusive, "the final reads of drill 2 were not made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := Spec{
				Phases: []Phase{{Name: "only", For: 5 * time.Second, Score: true}}, Drills: 2,
				Queries: []Query{{Name: "nulls", SQL: "SELECT count(*)", On: "postgres.primary", Equals: "0"}},
			}
			j := judge(t, spec, join(drillNo(0, 1), drillNo(5, 2), tt.events))
			if len(j.Checks) != 1 || j.Checks[0].Check != "nulls" || j.Checks[0].Outcome != tt.outcome || !strings.HasPrefix(j.Checks[0].Reason, tt.reason) {
				t.Errorf("judged %+v, want %s: %s", j.Checks, tt.outcome, tt.reason)
			}
		})
	}
	for _, queries := range [][]Query{{{Name: "balances"}}, {{Name: "a"}, {Name: "a"}}} {
		if _, err := Judge(Spec{Queries: queries}, stream(nil, nil)); err == nil {
			t.Errorf("a spec with the checks %+v is judged", queries)
		}
	}
}
