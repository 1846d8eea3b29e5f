package plan_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestPolicyLint has a file for each rule of what a permit says about a system.
// Its golden file is what a user sees.
func TestPolicyLint(t *testing.T) {
	files, err := filepath.Glob("testdata/permit/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			permit, err := scenarios.ParsePermit(filepath.Base(file), src, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = plan.Policy(permit, topology(), catalog())
			problems, ok := errors.AsType[*scenarios.Problems](err)
			if !ok {
				t.Fatalf("error is %v, want *scenarios.Problems", err)
			}
			for _, q := range problems.List {
				if q.Hint == "" || q.Pos.Line < 1 || q.Pos.Col < 1 {
					t.Errorf("%d:%d: %s: no place, or not how to mend it", q.Pos.Line, q.Pos.Col, q.Msg)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}
