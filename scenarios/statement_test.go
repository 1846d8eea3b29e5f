package scenarios

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

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

// TestHeaders keeps secrets out of the scenario: they are named in headers until
// these are sent.
func TestHeaders(t *testing.T) {
	sc, err := Parse("x.yaml", []byte(`proofload: scenario/v1
name: flush
target: http://localhost:8080
load: {workload: ledger/mixed, phases: [{name: steady, for: 1m, rate: 200/s}]}
timeline:
  - at: steady + 5s
    http: POST /flush
    with: {headers: {Authorization: "Bearer ${secret:API_TOKEN}", X-Team: "${TEAM}"}, status: 204}
    as: flushed
objectives: {flushed: {took: 20s}}
`), func(name string) (string, bool) { return "the value of " + name, true })
	if err != nil {
		t.Fatal(err)
	}
	e := sc.Timeline[0]
	want := map[string]string{"Authorization": "Bearer ${secret:API_TOKEN}", "X-Team": "the value of TEAM"}
	if diff := cmp.Diff(want, e.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"status": "204"}, e.With); diff != "" {
		t.Errorf("other parameters (-want +got):\n%s", diff)
	}
	if spot := e.HeaderSpots["X-Team"]; spot.Value != (Pos{8, 75}) {
		t.Errorf("the second header is at %v", spot.Value)
	}
	find := func(name string) (string, bool) { return "s3cret", name == "API_TOKEN" }
	if got, err := Reveal(e.Headers["Authorization"], find); got != "Bearer s3cret" || err != nil {
		t.Errorf("Reveal = %q, %v", got, err)
	}
	for _, find := range []func(string) (string, bool){nil, func(string) (string, bool) { return "", true }} {
		if _, err := Reveal(e.Headers["Authorization"], find); err == nil || err.Error() != "the secret API_TOKEN is not set" {
			t.Errorf("Reveal without it: %v", err)
		}
	}
}
