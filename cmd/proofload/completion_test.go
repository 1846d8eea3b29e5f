package main

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut/stack"
)

// TestBreakable offers for every kind of fault some of the ledger, and not all of
// it: none can act on nodes, links and zones alike.
func TestBreakable(t *testing.T) {
	topology, err := stack.Topology(stack.LedgerName)
	if err != nil {
		t.Fatal(err)
	}
	anything := func(chaos.Params) error { return nil }
	for name, kind := range catalog() {
		all, able := len(components(topology)), len(breakable(kind, topology, anything))
		if able == 0 || able == all {
			t.Errorf("%s: %d of %d components are offered", name, able, all)
		}
	}
}

// TestEveryFlagIsCompleted asks of every flag that takes a value what a shell does
// where nothing was typed yet: files are offered where files are meant.
func TestEveryFlagIsCompleted(t *testing.T) {
	root := quietApp().command()
	eachCommand(root, func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			complete, ok := c.GetFlagCompletionFunc(f.Name)
			if !ok {
				t.Errorf("%s --%s has no completion", c.CommandPath(), f.Name)
				return
			}
			if words, directive := complete(c, nil, ""); len(words) == 0 && directive == withFiles && f.Name != "output" && f.Name != "dir" {
				t.Errorf("%s --%s offers any file", c.CommandPath(), f.Name)
			}
		})
	})
}
