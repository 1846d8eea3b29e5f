package check

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// answered is a read that was scheduled in a second and took so long.
func answered(second int, took time.Duration) *history.Event {
	sched := time.Duration(second) * time.Second
	return &history.Event{By: history.ByLoad, Kind: history.OK, Op: "read", Drill: 1, Phase: "p", Sched: sched, Sent: sched, At: sched + took}
}

func TestHeatCountsByTimeAndLatency(t *testing.T) {
	s := newSeries(newCourse(nil))
	for range 3 {
		s.observe(answered(2, 20*time.Millisecond))
	}
	s.observe(answered(4, 2*time.Millisecond))
	failed := answered(4, 3*time.Second)
	failed.Kind = history.Fail
	s.observe(failed)
	want := []Heat{{
		Drill: 1, From: 2, Step: 1, Bounds: []float64{2.2, 3.3, 4.7, 6.8, 10, 15, 22},
		Counts: [][]int{{0, 0, 0, 0, 0, 0, 3}, {0, 0, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0, 0}},
	}}
	if diff := cmp.Diff(want, s.heats()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHeatOfALongRunStaysSmall(t *testing.T) {
	s := newSeries(newCourse(nil))
	for second := range 4 * 3600 {
		s.observe(answered(second, 10*time.Millisecond))
	}
	h := s.heats()[0]
	total := 0
	for _, column := range h.Counts {
		for _, n := range column {
			total += n
		}
	}
	if len(h.Counts) > maxHeatColumns || total != 4*3600 || h.Step*float64(len(h.Counts)) < 4*3600 {
		t.Errorf("%d columns of %g s with %d operations", len(h.Counts), h.Step, total)
	}
}
