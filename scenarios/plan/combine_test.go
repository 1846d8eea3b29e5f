package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proofload/proofload/scenarios/plan"
)

// TestCombinations refuses faults that would undo each other, and only them.
func TestCombinations(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []string
		want    string
	}{
		{"one node twice", []string{`{at: steady, kill: "app[1]", for: 20s, as: a}`, `{at: steady + 10s, pause: api-1, for: 5s}`}, "pause both change the process of api-1"},
		{"one after the other", []string{`{at: steady, kill: "app[1]", for: 10s, as: a}`, `{at: steady + 10s, pause: api-1, for: 5s}`}, ""},
		{"after it was ended", []string{`{at: steady, kill: "app[1]", as: a}`, `{at: steady + 5s, start: api-1}`, `{at: steady + 6s, pause: api-1, for: 5s}`}, ""},
		{"with no end", []string{`{at: steady, kill: "app[1]", as: a}`, `{at: steady + 50s, kill: api-1, for: 5s}`}, "a lasts to the end"},
		{"another node", []string{`{at: steady, kill: "app[1]", as: a}`, `{at: steady + 5s, pause: api-2, for: 5s}`}, ""},
		{"another primary by then", []string{`{at: steady, kill: postgres.primary, as: a}`, `{at: steady + 30s, kill: postgres.primary}`}, ""},
		{"too long", []string{`{at: steady, kill: "app[1]", for: 61m}`}, "a fault lasts 1h0m0s at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := fmt.Sprintf(`proofload: scenario/v1
name: combined
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 2h, rate: 1/s}
timeline:
  - %s
objectives:
  steady: {errors: 1%%}
`, strings.Join(tt.entries, "\n  - "))
			_, err := plan.Build(parse(t, "combined.yaml", []byte(src)), topology(), catalog(), workloads(), plan.Options{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
