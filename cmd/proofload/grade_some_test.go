//go:build integration

package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/sut/defects"
)

// A class is a set of defects that show under one scenario at the same time, each
// by a check of its own.
type class struct {
	scenario string
	defects  []string
}

// TestDefects plants some of the catalogue, one of each of eight groups, and sees
// that the judge names each by the right check. Those that do not hide each other
// share a run.
func TestDefects(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	g := newGrader(ctx, t)
	for _, c := range []class{
		{"load", []string{"no-invalidation", "rounded", "one-side-notified"}},
		{"load-slow-commit", []string{"lost-update", "retry-with-new-id"}},
		{"instance-cut-off", []string{"breaker-stays-open"}},
		{"database-silent", []string{"no-deadline"}},
		{"primary-lost", []string{"local-commit"}},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			var planted []defects.Defect
			for _, name := range c.defects {
				d, err := defects.Find(name)
				if err != nil {
					t.Fatal(err)
				}
				planted = append(planted, d)
			}
			tr, _ := g.try(ctx, t, c.scenario, planted...)
			t.Log(tr)
			for _, d := range planted {
				if !slices.ContainsFunc(d.Checks, func(name string) bool { return slices.Contains(tr.Named, name) }) {
					t.Errorf("%s is not named by any of %v: %s", d.Name, d.Checks, tr)
				}
			}
		})
	}
}
