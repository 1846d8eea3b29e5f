package check

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// TestPartsOfTheTime has operations that are sent 100 ms late and then answered
// in 1 ms, of which a few made a connection, and one failed.
func TestPartsOfTheTime(t *testing.T) {
	events := load(100, 0)
	for i := range events {
		e := &events[i]
		if e.By != history.ByLoad {
			continue
		}
		e.Sent = e.Sched + 100*time.Millisecond
		e.At = e.Sent + time.Millisecond
		switch {
		case e.Sched < 3*time.Millisecond:
			e.Connect, e.FirstByte = 2*time.Millisecond, 400*time.Microsecond
		case e.Sched == 16*time.Millisecond:
			e.FirstByte = 400 * time.Microsecond
		case e.Sched == 50*time.Millisecond:
			e.Kind, e.Class, e.Connect, e.At = history.Fail, "dial_timeout", 2*time.Millisecond, e.Sent+time.Second
		}
	}
	w := judge(t, onlyPhase(100), events).Windows[0]
	if w.P50 < 100 {
		t.Errorf("median latency %g ms, want the waiting in it", w.P50)
	}
	near := cmp.Comparer(func(a, b float64) bool { return a-b < a/50 && b-a < a/50 })
	want := []Part{
		{PartService, 99, 1, 1, 1},
		{PartConnect, 4, 2, 2, 2},
		{PartFirstByte, 4, 0.4, 0.4, 0.4},
	}
	if diff := cmp.Diff(want, w.Parts, near); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}
