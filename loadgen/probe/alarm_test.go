package probe

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

func TestAlarm(t *testing.T) {
	inject := history.Event{By: history.ByFault, Op: history.FaultInject, Verb: "lose", Target: "pg-1"}
	primary := func(timeline int) history.Event {
		return history.Event{Kind: history.Info, By: history.ByProbe, Op: history.ProbeDatabase, Node: "pg-2", Role: Primary, Timeline: timeline}
	}
	at := func(ms int, e history.Event) history.Event {
		e.At = time.Duration(ms) * time.Millisecond
		return e
	}
	for _, tt := range []struct {
		name   string
		events []history.Event
		on     time.Duration // from the inject call on
	}{
		{"nothing was broken", []history.Event{at(1, primary(1))}, 0},
		{"lost and replaced", []history.Event{at(1, primary(1)), at(1000, inject), at(1100, primary(1)), at(9000, primary(2))}, 8 * time.Second},
		{"lost again", []history.Event{at(1, inject), at(2, primary(2)), at(1000, inject), at(1100, primary(2)), at(4000, primary(3))}, 3 * time.Second},
		{"never replaced", []history.Event{at(1, primary(1)), at(1000, inject), at(2000, primary(1))}, alarmTimeout},
		{"a link of a node", []history.Event{at(1000, history.Event{
			By: history.ByFault, Op: history.FaultInject, Verb: "stall", Target: "replication:pg-1,replication:pg-2",
		})}, alarmTimeout},
		{"another node", []history.Event{at(1000, history.Event{By: history.ByFault, Op: history.FaultInject, Verb: "kill", Target: "api-1"})}, 0},
		{"an operation", []history.Event{at(1000, history.Event{By: history.ByFault, Op: history.FaultInject, Verb: "start", Target: "pg-1"})}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := alarm{nodes: []string{"pg-1", "pg-2"}}
			var on time.Duration
			const step = 50 * time.Millisecond
			for now := time.Duration(0); now < 2*time.Minute; now += step {
				for len(tt.events) > 0 && tt.events[0].At <= now {
					a.observe(&tt.events[0])
					tt.events = tt.events[1:]
				}
				if a.on(now) {
					on += step
				}
			}
			if on != tt.on {
				t.Errorf("it is on for %v, want %v", on, tt.on)
			}
		})
	}
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, err := history.NewRecorder(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		s := &script{stop: stop}
		var looked []int
		for range 12 {
			s.steps = append(s.steps, func(context.Context, *history.Event) error {
				looked = append(looked, int(rec.Now().Milliseconds()))
				return nil
			})
		}
		a := alarm{nodes: []string{"pg-1"}}
		defer rec.Tap(a.observe)()
		record := func(after time.Duration, e history.Event) { time.AfterFunc(after, func() { rec.Record(e) }) }
		record(1200*time.Millisecond, history.Event{By: history.ByFault, Op: history.FaultInject, Verb: "lose", Target: "pg-1"})
		record(1850*time.Millisecond, history.Event{By: history.ByProbe, Op: history.ProbeDatabase, Role: Primary, Timeline: 2})
		watch(ctx, Target{Node: "pg-1", Op: history.ProbeAgent}, s, func() time.Duration {
			if a.on(rec.Now()) {
				return 100 * time.Millisecond
			}
			return 500 * time.Millisecond
		}, rec)
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}
		want := []int{0, 500, 1000, 1500, 1600, 1700, 1800, 1900, 2400, 2900, 3400, 3900}
		if diff := cmp.Diff(want, looked); diff != "" {
			t.Errorf("looked at, ms (-want +got):\n%s", diff)
		}
	})
}
