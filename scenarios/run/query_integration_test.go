//go:build integration

package run

import (
	"testing"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestQuery asks Postgres for one value, and records what it says, or why it says
// nothing that is one.
func TestQuery(t *testing.T) {
	for _, tt := range []struct{ name, on, sql, answer, failed string }{
		{"number", "postgres.primary", "SELECT count(*) FROM pg_class WHERE relname = 'nothing'", "0", ""},
		{"truth", "pg-1", "SELECT 1 = 1", "true", ""},
		{"nothing", "pg-1", "SELECT NULL::int", "null", ""},
		{"rows", "pg-1", "SELECT generate_series(1, 3)", "", "it gives 3 rows of 1 columns, want one value"},
		{"statements", "pg-1", "SELECT 1; SELECT 2", "", "it is 2 statements, want one"},
		{"change", "pg-1", "CREATE TABLE made_by_a_check (n int)", "", "on pg-1: ERROR: cannot execute CREATE TABLE in a read-only transaction (SQLSTATE 25006)"},
		{"no question", "pg-1", "SET search_path = public", "", "it asks for nothing: want SELECT"},
		{"wrong", "pg-1", "SELECT n FROM nowhere", "", `on pg-1: ERROR: relation "nowhere" does not exist (SQLSTATE 42P01)`},
		{"no way there", "pg-2", "SELECT 1", "", "connect to pg-2: not supported by this environment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig, _ := newTestRig(t, &fakeFault{})
			rig.Env = served{}
			var last history.Event
			rig.Recorder.Tap(func(e *history.Event) { last = *e })
			target, err := fakeEnv{}.Topology().Select(tt.on)
			if err != nil {
				t.Fatal(err)
			}
			q := plan.Query{Query: check.Query{Name: "asked", SQL: tt.sql, On: tt.on, Equals: "0"}, Target: target}
			newTimeline(rig, plan.Drill{N: 2}, nil).ask(t.Context(), []plan.Query{q})
			kind, text := history.Info, tt.answer
			if tt.failed != "" {
				kind, text = history.Fail, tt.failed
			}
			if last.By != history.ByAudit || last.Op != history.AuditQuery || last.ID != "asked" || last.Drill != 2 || last.Kind != kind || last.Text != text {
				t.Errorf("recorded %+v, want %q", last, text)
			}
		})
	}
}
