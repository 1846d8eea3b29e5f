package plan_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// TestDraft checks that of a scenario with mistakes what is sound is held against
// the system, and that nothing is said which only follows from them.
func TestDraft(t *testing.T) {
	const src = `proofload: scenario/v1
name: drill
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 90 sec, rate: 100/s}
timeline:
  - {at: steady + 5s, stal: link:replication, for: 10s}
  - {at: steady + 6s, lose: postgres.primary, with: {what: [1]}, as: lost}
  - {at: steady + 7s, kill: reddis}
  - {at: steady + 8s, start: postgres.old-primary}
objectives:
  lost: {rpo: 0s}
  steady/nothing: {p99: 1s}
verify: [replicas-agree]
`
	draft, err := scenarios.ParseDraft("drill.yaml", []byte(src), nil)
	if draft == nil || err == nil {
		t.Fatalf("draft is %v, error is %v", draft, err)
	}
	if sc, err := scenarios.Parse("drill.yaml", []byte(src), nil); sc != nil || err == nil {
		t.Errorf("a scenario with mistakes is %v, error is %v", sc, err)
	}
	place := func(err error) (lines []int) {
		if problems, ok := errors.AsType[*scenarios.Problems](err); ok {
			for _, q := range problems.List {
				lines = append(lines, q.Pos.Line)
			}
		}
		return lines
	}
	if diff := cmp.Diff([]int{7, 9, 10}, place(err)); diff != "" {
		t.Errorf("mistakes in the language are on lines (-want +got):\n%s\n%v", diff, err)
	}
	p, err := plan.Build(draft, topology(), catalog(), workloads(), plan.Options{Draft: true})
	if diff := cmp.Diff([]int{11, 15}, place(err)); diff != "" {
		t.Errorf("what does not fit is on lines (-want +got):\n%s\n%v", diff, err)
	}
	if p == nil || len(p.Steps) != 2 {
		t.Errorf("plan is %+v, want its two sound steps", p)
	}
	if _, err := plan.Build(draft, sut.Topology{}, catalog(), nil, plan.Options{Draft: true}); err != nil {
		t.Errorf("with nothing to hold it against: %v", err)
	}
}
