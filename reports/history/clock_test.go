package history

import (
	"testing"
	"time"
)

// TestClock has a drill that begins at 10 s and stands still at 5 s and at 7 s
// of its phases, the second time for longer than the history.
func TestClock(t *testing.T) {
	const s = time.Second
	var c Clock
	for _, e := range []Event{
		{By: ByRun, Op: RunHold, At: 1 * s}, // of the drill before
		{By: ByRun, Op: RunDrill, At: 10 * s},
		{By: ByRun, Op: RunGoOn, At: 11 * s}, // of nothing
		{By: ByRun, Op: RunHold, At: 15 * s},
		{By: ByLoad, Op: RunGoOn, At: 16 * s},
		{By: ByRun, Op: RunGoOn, At: 35 * s},
		{By: ByRun, Op: RunHold, At: 37 * s},
	} {
		c.Observe(&e)
	}
	for _, tt := range []struct {
		at, into time.Duration
		held     bool
	}{
		{9 * s, -1 * s, false},
		{10 * s, 0, false},
		{14 * s, 4 * s, false},
		{15 * s, 5 * s, true},
		{34 * s, 5 * s, true},
		{35 * s, 5 * s, false},
		{36 * s, 6 * s, false},
		{37 * s, 7 * s, true},
		{90 * s, 7 * s, true},
	} {
		if into, held := c.Into(tt.at), c.Held(tt.at); into != tt.into || held != tt.held {
			t.Errorf("at %v the clock shows %v, held %t; want %v, %t", tt.at, into, held, tt.into, tt.held)
		}
	}
	for into, at := range map[time.Duration]time.Duration{
		0: 10 * s, 5 * s: 15 * s, 5*s + 1: 35*s + 1, 6 * s: 36 * s, 7 * s: 37 * s, 8 * s: 61 * s,
	} {
		if got := c.At(into, 60*s); got != at {
			t.Errorf("the clock shows %v at %v, want %v", into, got, at)
		}
	}
}
