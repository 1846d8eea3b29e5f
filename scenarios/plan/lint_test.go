package plan_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// TestLint has a file for each group of rules of what fits a system. Its golden
// file is what a user sees: every mistake and every warning has its place, and how
// to mend it.
func TestLint(t *testing.T) {
	const dir = "testdata/lint"
	options := plan.Options{
		Seed: 1,
		Open: func(name string) (io.ReadCloser, error) {
			f, err := os.Open(filepath.Join(dir, name))
			if err != nil {
				return nil, fmt.Errorf("there is no %s", name) // without the path, which differs
			}
			return f, nil
		},
	}
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			opts := options
			switch name {
			case "not-allowed":
				opts.Policy = chaos.Policy{Faults: []string{"kill"}, On: []string{"pg-1"}}
			case "unable":
				opts.Able = func(verb string, _ chaos.Params) error {
					if verb == "stall" {
						return fmt.Errorf("link proxies: %w", sut.ErrUnsupported)
					}
					return nil
				}
			}
			sc := parse(t, filepath.Base(file), src)
			p, err := plan.Build(sc, topology(), catalog(), workloads(), opts)
			problems, ok := errors.AsType[*scenarios.Problems](err)
			if !ok {
				problems = &scenarios.Problems{File: sc.File, Source: sc.Source, List: p.Warnings}
			}
			if len(problems.List) == 0 {
				t.Fatal("no problem found")
			}
			for _, q := range problems.List {
				if q.Hint == "" || q.Pos.Line < 1 || q.Pos.Col < 1 {
					t.Errorf("%d:%d: %s: no place, or not how to mend it", q.Pos.Line, q.Pos.Col, q.Msg)
				}
			}
			golden(t, filepath.Join(dir, name+".golden"), problems.Error()+"\n")
		})
	}
}
