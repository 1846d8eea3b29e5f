package plan_test

import (
	"errors"
	"os"
	"path/filepath"
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
	if sc, parseErr := scenarios.Parse("drill.yaml", []byte(src), nil); sc != nil || parseErr == nil {
		t.Errorf("a scenario with mistakes is %v, error is %v", sc, parseErr)
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

// TestDraftsOfAllMistakes plans what is sound in each file that has a mistake of
// the language, which must not stumble over what is not there.
func TestDraftsOfAllMistakes(t *testing.T) {
	files, err := filepath.Glob("../testdata/lint/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	drafts := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		draft, err := scenarios.ParseDraft(file, src, nil)
		if draft == nil || err == nil {
			continue
		}
		drafts++
		for _, topo := range []sut.Topology{topology(), {}} {
			p, err := plan.Build(draft, topo, catalog(), workloads(), plan.Options{Draft: true})
			if _, placed := errors.AsType[*scenarios.Problems](err); p == nil || err != nil && !placed {
				t.Errorf("%s: plan is %v, error is %v", file, p, err)
			}
		}
	}
	if drafts < len(files)/2 {
		t.Errorf("only %d of %d files have something sound in them", drafts, len(files))
	}
}
