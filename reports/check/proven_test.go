package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestFaultsProven(t *testing.T) {
	spec := Spec{Verify: []string{"faults-proven"}, Events: []Entry{{Name: "gone", Verb: "kill", Target: "redis"}}}
	in, seen := faulted(10, history.FaultInject), faulted(10.1, history.FaultSettled)
	out, away := faulted(15, history.FaultRecover), faulted(16, history.FaultRecovered)
	for _, tt := range []handTest{
		{"proven", join(in, seen, out, away), false, Pass, "1 fault seen to take effect and seen to be gone"},
		{"not seen", join(in, out, away), false, Inconclusive, "gone was not seen to take effect in drill 1"},
		{"not seen to go", join(in, seen, out), false, Inconclusive, "gone was not seen to be gone in drill 1"},
		{"never injected", nil, false, Inconclusive, "gone was never injected in drill 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(t, spec, join(drillNo(0, 1), tt.events)).Checks[0]
			if got.Outcome != tt.want || got.Reason != tt.reason {
				t.Errorf("%s %q, want %s %q", got.Outcome, got.Reason, tt.want, tt.reason)
			}
		})
	}
}
