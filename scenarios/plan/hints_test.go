package plan_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestHints checks what is said of components that there are not.
func TestHints(t *testing.T) {
	_, err := plan.Build(parse(t, "drill.yaml", []byte(`proofload: scenario/v1
name: drill
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 90s, rate: 100/s}
timeline:
  - {at: steady + 1s, backup: fool}
  - {at: steady + 2s, latency: {on: link:app->postgres.primary, delay: 300ms}}
  - {at: steady + 3s, latency: {on: link:nobody->nowhere, delay: 300ms}}
  - {at: steady + 4s, kill: balancer}
objectives:
  steady: {p99: 1s}
`)), topology(), catalog(), workloads(), plan.Options{})
	problems, ok := errors.AsType[*scenarios.Problems](err)
	if !ok {
		t.Fatal(err)
	}
	var hints []string
	for _, q := range problems.List {
		hints = append(hints, q.Hint)
	}
	if diff := cmp.Diff([]string{
		`did you mean "full"?`,
		"there are: link:app->redis",
		"write link:FROM->TO for one of them, or what all of a kind carry, for example link:replication",
		"there are: lb, app, worker, pgbouncer, postgres, redis",
	}, hints); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
