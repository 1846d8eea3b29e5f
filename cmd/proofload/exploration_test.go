package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios/explore"
	"github.com/proofload/proofload/scenarios/run"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/sim"
)

// TestLeftOut says that a fault is drawn again unless the target cannot have it:
// one that came too soon after another can be had another time.
func TestLeftOut(t *testing.T) {
	for _, tt := range []struct {
		why  error
		left bool
	}{
		{fmt.Errorf("kill worker-1: %w", sut.ErrUnsupported), true},
		{fmt.Errorf("kill worker-1 is pending: %w", chaos.ErrConflict), false},
	} {
		deck, err := explore.NewDeck(explore.Config{Topology: sim.Topology(), Catalog: catalog(), Kinds: []string{"kill"}, Within: time.Second, Most: 1})
		if err != nil {
			t.Fatal(err)
		}
		step := &run.StepError{Step: "inject", Entry: check.Entry{Verb: "kill", Target: "worker-1"}, Err: tt.why}
		s := &session{ending: run.Ending{Failed: errors.Join(step)}}
		ending, says := (&exploration{deck: deck}).judge(s, &reports.Result{})
		if ending != explore.Unclear || says == "" {
			t.Errorf("%v: %s, %q; want %s, and why", tt.why, ending, says, explore.Unclear)
		}
		if left := !deck.SetAside("kill", "worker-1"); left != tt.left {
			t.Errorf("%v: left out %t, want %t", tt.why, left, tt.left)
		}
	}
}
