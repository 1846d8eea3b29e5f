package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestRetryAmplification(t *testing.T) {
	spec := Spec{Verify: []string{"retry-amplification"}, Phases: []Phase{{Name: "all", For: at(50), Score: true}}}
	load := answers("api-1", 1, 30, history.OK, "")
	counts := func(perSecond func(s int) int64) []history.Event {
		var list []history.Event
		var n int64
		for s := range 31 {
			n += perSecond(s)
			list = append(list, countedBy(float64(s), "api-1", history.CounterAttempts, n))
		}
		return list
	}
	times := func(calm, broken int64) []history.Event {
		return counts(func(s int) int64 {
			if s > 10 {
				return broken
			}
			return calm
		})
	}
	gap := func(list []history.Event, from, to float64) []history.Event {
		return drop(list, func(e *history.Event) bool { return e.At > at(from) && e.At < at(to) })
	}
	for _, tt := range []handTest{
		{"not asked for a while", join(faulted(10, history.FaultInject), gap(times(20, 20), 9, 29), load), false, Pass, "at most 0.93 times as many attempts an operation as in calm"},
		{"as in calm", join(faulted(10, history.FaultInject), times(20, 20), load), false, Pass, "at most 0.93 times as many attempts an operation as in calm"},
		{"multiplied", join(faulted(10, history.FaultInject), times(20, 100), load), false, Fail, "an operation caused 10.2 attempts at 15 s, 4.64 times as many as in calm (limit 3)"},
		{"nothing broken", join(times(20, 20), load), false, Inconclusive, "there was no calm stretch to compare with, or none in which something was broken"},
		{"nobody counts", join(faulted(10, history.FaultInject), load), false, Inconclusive, "no node was asked how many attempts it made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(t, spec, join(drillNo(0, 1), tt.events)).Checks[0]
			if got.Outcome != tt.want || got.Reason != tt.reason {
				t.Errorf("%s %q, want %s %q", got.Outcome, got.Reason, tt.want, tt.reason)
			}
		})
	}
}
