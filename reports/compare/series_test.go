package compare

import (
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// TestCollectLeavesTheTimeAtGatesOut has a run whose clock stands still in the
// middle of a window, for longer than any operation takes, under load that is
// slower than at any other time. What it is compared by is that of the run in
// which nobody was asked.
func TestCollectLeavesTheTimeAtGatesOut(t *testing.T) {
	spec := check.Spec{Phases: []check.Phase{
		{Name: "warm", For: 10 * time.Second, From: 50, To: 50},
		{Name: "steady", Start: 10 * time.Second, For: time.Minute, From: 50, To: 50, Score: true},
	}}
	want, err := Collect(spec, stopped(0))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Collect(spec, stopped(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != 2 || len(want[0].Values["p50"]) != 12 {
		t.Fatalf("series %+v, want two of 12 windows", want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-no gate +gate):\n%s", diff)
	}
}

// stopped is a history at 50/s, whose clock stands still at 32.5 s for some time.
func stopped(lasts time.Duration) iter.Seq2[*history.Event, error] {
	const began, gate = 3 * time.Second, 32500 * time.Millisecond
	return func(yield func(*history.Event, error) bool) {
		send := func(sched, took time.Duration, phase string) bool {
			return yield(&history.Event{Kind: history.OK, By: history.ByLoad, Op: "read", Drill: 1, Phase: phase, Sched: sched, At: sched + took}, nil)
		}
		run := func(op string, at time.Duration) bool {
			return yield(&history.Event{Kind: history.Info, By: history.ByRun, Op: op, Drill: 1, At: at}, nil)
		}
		ok := run(history.RunDrill, began)
		for at := 10 * time.Millisecond; ok && at < 70*time.Second; at += 20 * time.Millisecond {
			phase, later := "warm", time.Duration(0)
			if at >= 10*time.Second {
				phase = "steady"
			}
			if at > gate {
				later = lasts
			}
			if at == gate+10*time.Millisecond && lasts > 0 {
				ok = run(history.RunHold, began+gate)
				for held := time.Duration(0); ok && held < lasts; held += 20 * time.Millisecond {
					ok = send(began+gate+held, time.Second, phase)
				}
				ok = ok && run(history.RunGoOn, began+gate+lasts)
			}
			ok = ok && send(began+at+later, time.Duration(1+int64(at/time.Second)%7)*time.Millisecond, phase)
		}
	}
}
