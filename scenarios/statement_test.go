package scenarios

import "testing"

// TestStatement has a statement of several lines: the entry acts on what it
// names beside the statement.
func TestStatement(t *testing.T) {
	sc, err := Parse("x.yaml", []byte(`proofload: scenario/v1
name: migration
target: stack/ledger
load: {workload: ledger/mixed, phases: [{name: steady, for: 1m, rate: 200/s}]}
timeline:
  - at: steady + 5s
    sql: |
      ALTER TABLE transfers ADD COLUMN note text;
      UPDATE transfers SET note = '';
    on: ${NODE}
    as: migrated
objectives: {migrated: {took: 20s, rto: 5s, lost_writes: 0}}
`), func(string) (string, bool) { return "postgres.primary", true })
	if err != nil {
		t.Fatal(err)
	}
	e := sc.Timeline[0]
	const want = "ALTER TABLE transfers ADD COLUMN note text;\nUPDATE transfers SET note = '';\n"
	if e.Statement != want || e.Target != "postgres.primary" || e.TargetPos != (Pos{10, 9}) || e.As != "migrated" {
		t.Errorf("the entry is %+v", e)
	}
}
