package run

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestLateSendsAreSent says that no operation is shed for being as late as the
// scenario allows: nobody could tell it from one that the system did not serve.
func TestLateSendsAreSent(t *testing.T) {
	for _, tt := range []struct{ allowed, want time.Duration }{
		{0, loadgen.DefaultMaxLag},
		{100 * time.Millisecond, loadgen.DefaultMaxLag},
		{2 * time.Second, 2 * time.Second},
	} {
		p := &plan.Plan{Scenario: &scenarios.Scenario{Load: scenarios.Load{SendLag: tt.allowed}}}
		if got := new(Rig).load(p, plan.Drill{}, 0, new(timeline), new(atomic.Int64)).MaxLag; got != tt.want {
			t.Errorf("with send_lag: %s sends may be %s late, want %s", tt.allowed, got, tt.want)
		}
	}
}
