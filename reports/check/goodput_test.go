package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

// TestGoodputReturns judges a load of ten operations a second, of which all but
// the phase's name is as in answers.
func TestGoodputReturns(t *testing.T) {
	broken := join(faulted(10, history.FaultInject), faulted(10.1, history.FaultSettled), faulted(15, history.FaultRecover), faulted(16, history.FaultRecovered))
	back, down := answers("api-1", 30, 45, history.OK, ""), answers("api-1", 30, 45, history.Fail, "status_5xx")
	spec := Spec{Verify: []string{"goodput-returns"}, Phases: []Phase{{Name: "all", For: at(50), Score: true}}, Recovered: Recovered{MinOps: 20}}
	unfound := answers("api-1", 30, 45, history.OK, "")
	for i := range unfound {
		if e := &unfound[i]; i%2 == 0 {
			e.Kind, e.Class, e.Status, e.Key = history.Fail, "status_4xx", 404, "w"
		}
	}
	calm, slow := answers("api-1", 1, 9, history.OK, ""), answers("api-1", 30, 45, history.OK, "")
	for i := range slow {
		slow[i].At += at(0.333)
	}
	// What is sent late is at fault neither for what is not good nor for what takes long.
	late, bitLate := answers("api-1", 30, 45, history.OK, ""), answers("api-1", 30, 45, history.OK, "")
	for i := range late {
		late[i].Sent, late[i].At = late[i].Sent+at(2), late[i].At+at(2)
		bitLate[i].Sent, bitLate[i].At = bitLate[i].Sent+at(0.333), bitLate[i].At+at(0.333)
	}
	for _, tt := range []handTest{
		{"back, and as fast", join(calm, broken, back), false, Pass, "100 % of the operations were good from 15 s after the last fault was gone"},
		{"back, and much slower", join(calm, broken, slow), false, Fail, "the system came back slower than it was: operations took 343 ms in the last 14 s of drill 1, although the last fault had been gone for 15 s, and 10 ms before anything was broken"},
		{"back, and sent too late", join(calm, broken, late), false, Inconclusive, "the load generator fell behind: 140 operations were sent too late, or not at all for that"},
		{"back, and sent late", join(calm, broken, bitLate), false, Pass, "100 % of the operations were good from 15 s after the last fault was gone"},
		{"slower under more load", join(calm, broken, slow, slow), false, Pass, "100 % of the operations were good from 15 s after the last fault was gone"},
		{"slow, and nobody knows how fast it was", join(broken, slow), false, Pass, "100 % of the operations were good from 15 s after the last fault was gone"},
		{"half of it finds no lost write", join(wrote(1, "w"), broken, unfound, read(history.AuditDone)), false, Pass, "100 % of the operations were good from 15 s after the last fault was gone"},
		{"half of it does not find what is there", join(wrote(1, "w"), broken, unfound, stored("w", 1, 1), read(history.AuditDone)), false, Fail, "the system did not come back by itself: 50 % of 140 operations were good in the last 14 s of drill 1, although the last fault had been gone for 15 s"},
		{"back", join(broken, back), false, Pass, "100 % of the operations were good from 15 s after the last fault was gone"},
		{"stays down", join(broken, down), false, Fail, "the system did not come back by itself: 0 % of 140 operations were good in the last 14 s of drill 1, although the last fault had been gone for 15 s"},
		{"too short", join(broken, answers("api-1", 16, 33, history.OK, "")), false, Inconclusive, "the load of drill 1 went on for 2 s from 15 s after the last fault was gone, which is too short"},
		{"not gone", join(faulted(10, history.FaultInject), back), false, Inconclusive, "gone was not seen to be gone in drill 1"},
		{"nothing broken", join(back), false, Inconclusive, "nothing was broken in drill 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(t, spec, join(drillNo(0, 1), tt.events)).Checks[0]
			if got.Outcome != tt.want || got.Reason != tt.reason {
				t.Errorf("%s %q, want %s %q", got.Outcome, got.Reason, tt.want, tt.reason)
			}
		})
	}
}
