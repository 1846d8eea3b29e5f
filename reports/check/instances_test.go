package check

import (
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// answers are answers of an instance, ten a second over a stretch of time.
func answers(node string, from, to float64, kind history.Kind, class string) []history.Event {
	var list []history.Event
	for s := from; s < to; s += 0.1 {
		list = append(list, history.Event{
			At: at(s + 0.01), Sent: at(s), Sched: at(s), By: history.ByLoad, Kind: kind, Class: class, Op: "look", Node: node, Phase: "all",
		})
	}
	return list
}

func TestInstancesRecover(t *testing.T) {
	broken := join(faulted(10, history.FaultInject), faulted(10.1, history.FaultSettled), faulted(15, history.FaultRecover), faulted(16, history.FaultRecovered))
	scaled := history.Event{At: at(20), By: history.ByFault, Kind: history.Info, Op: history.FaultInject, ID: "in", Verb: "scale", Target: "api-2"}
	ended := run(30, history.RunLoadEnd)
	calm := join(answers("api-1", 1, 9, history.OK, ""), answers("api-2", 1, 9, history.OK, ""))
	late := answers("api-2", 16, 29, history.OK, "")
	for i := range late {
		late[i].Sent, late[i].At = late[i].Sent+at(2), late[i].At+at(2)
	}
	unsent := answers("", 16, 29, history.Fail, history.ClassShed)
	for i := range unsent {
		unsent[i].Sent, unsent[i].At = 0, unsent[i].At+at(2)
	}
	runHandTests(t, "instances-recover", []handTest{
		{"all back", join(calm, broken, answers("api-1", 16, 29, history.OK, ""), answers("api-2", 16, 29, history.OK, ""), ended), false, Pass, "2 instances served at the end of each drill"},
		{"one fails still", join(calm, broken, answers("api-1", 16, 29, history.OK, ""), answers("api-2", 16, 29, history.Fail, "status_5xx"), ended), false, Fail, "api-2 served 0 of 50 operations well at the end of drill 1 (status_5xx)"},
		{"one is sent to too late", join(calm, broken, answers("api-1", 16, 29, history.OK, ""), late, ended), false, Inconclusive, "the load generator fell behind: 50 operations were sent too late, or not at all for that"},
		{"one is not sent to in time", join(calm, broken, answers("api-1", 16, 29, history.OK, ""), unsent, ended), false, Inconclusive, "the load generator fell behind: 50 operations were sent too late, or not at all for that"},
		{"one is away", join(calm, broken, answers("api-1", 16, 29, history.OK, ""), ended), false, Fail, "api-2 answered nothing in the last seconds of drill 1"},
		{"one came back late", join(calm, broken, answers("api-1", 16, 29, history.OK, ""), answers("api-2", 16, 20, history.Fail, "status_5xx"), answers("api-2", 20, 29, history.OK, ""), ended), false, Pass, "2 instances served at the end of each drill"},
		{"nothing broken", join(calm, ended), false, Inconclusive, "nothing was broken"},
		{"one is scaled away", join(calm, broken, answers("api-1", 16, 29, history.OK, ""), answers("api-2", 16, 20, history.OK, ""), scaled, ended), false, Pass, "2 instances served at the end of each drill"},
		{"stopped", join(calm, broken, answers("api-1", 16, 20, history.OK, "")), false, Inconclusive, "drill 1 did not run to its end"},
		{"broken shortly before the end", join(calm, broken, answers("api-1", 13, 18, history.OK, ""), answers("api-2", 13, 16, history.Fail, "status_5xx"), answers("api-2", 16, 18, history.OK, ""), ended), false, Fail, "api-2 served 20 of 51 operations well at the end of drill 1 (status_5xx)"},
		{"no names", join(answers("", 1, 9, history.OK, ""), broken, ended), false, Inconclusive, "no instance said its name before anything was broken in drill 1"},
	})
}

// TestInstancesHaveTime judges a drill with a short end by what came when the last
// fault had been gone for as long as clients may go without.
func TestInstancesHaveTime(t *testing.T) {
	broken := join(faulted(10, history.FaultInject), faulted(10.1, history.FaultSettled), faulted(11, history.FaultRecover), faulted(11.2, history.FaultRecovered))
	calm, ended := answers("api-1", 1, 9, history.OK, ""), run(16, history.RunLoadEnd)
	for _, tt := range []struct {
		name   string
		until  float64 // it does not serve
		want   Outcome
		reason string
	}{
		{"in time", 12, Pass, "1 instance served at the end of each drill"},
		{"late", 14, Fail, "api-1 served 11 of 21 operations well at the end of drill 1 (status_5xx)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := Spec{
				Verify: []string{"instances-recover"}, Phases: []Phase{{Name: "all", For: at(15), Score: true}},
				Recovered: Recovered{Window: time.Second}, Bounds: Bounds{Return: time.Second},
			}
			events := join(drillNo(0, 1), calm, broken, answers("api-1", 10, tt.until, history.Fail, "status_5xx"), answers("api-1", tt.until, 15, history.OK, ""), ended)
			if got := judge(t, spec, events).Checks[0]; got.Outcome != tt.want || got.Reason != tt.reason {
				t.Errorf("%s %q, want %s %q", got.Outcome, got.Reason, tt.want, tt.reason)
			}
		})
	}
}
