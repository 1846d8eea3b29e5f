package plan_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// TestWhatATargetCannotHave refuses a fault for which the target has no means,
// and says which it has means for.
func TestWhatATargetCannotHave(t *testing.T) {
	able := map[string]error{"kill": sut.ErrUnsupported, "stall": sut.ErrUnsupported, "lose": sut.ErrUnsupported}
	opts := plan.Options{Able: func(verb string, p chaos.Params) error {
		if len(p.Target.Nodes) == 0 {
			return errors.New("asked without a target")
		}
		return able[verb]
	}}
	refused := func() string {
		_, err := plan.Build(shipped(t, "api-kill"), topology(), catalog(), workloads(), opts)
		if err == nil {
			return ""
		}
		return err.Error()
	}
	const place = `library:api-kill:19:5: stack/ledger cannot have kill: not supported by this environment
  19 |     kill: app[1]                      # SIGKILL: the balancer has to notice by itself
     |     ^^^^
     = `
	if diff := cmp.Diff(place+"what can be done to app[1] there: pause\n1 problem", refused()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	able["pause"] = sut.ErrUnsupported
	if diff := cmp.Diff(place+"nothing can be done to app[1] there: break something else, or choose another target\n1 problem", refused()); diff != "" {
		t.Errorf("with nothing else (-want +got):\n%s", diff)
	}
	able["kill"] = nil
	if got := refused(); got != "" {
		t.Errorf("it has means for that, and the plan says %s", got)
	}
}
