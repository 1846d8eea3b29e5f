package netfault

import (
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
)

// TestIdle breaks what nobody uses: it is seen to be set, and that nothing met
// it is told.
func TestIdle(t *testing.T) {
	links, nodes := newLinkEnv(t, testLink), chaostest.NewIsolated(t, "pg-1")
	faults := map[string]func() chaos.Injection{
		kindStall: func() chaos.Injection {
			in, _ := injectStall(t, links, testLink)
			return in
		},
		kindLatency: func() chaos.Injection {
			in, _ := inject(t, links, kind(t, kindLatency), chaos.Params{Target: links.selection(testLink), Values: map[string]string{"delay": "10ms"}})
			return in
		},
		kindPartition: func() chaos.Injection {
			in, _ := inject(t, nodes, kind(t, kindPartition), chaos.Params{Target: nodes.Node("pg-1"), For: time.Minute})
			return in
		},
	}
	for name, begin := range faults {
		in := begin()
		seen, err := in.Settle(deadline(t, 30*time.Second))
		if err != nil || !seen.Idle {
			t.Errorf("%s: seen %+v, %v, want that nothing met it", name, seen, err)
		}
		if err := in.Recover(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
