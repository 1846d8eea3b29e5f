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

// TestClockLeaps has a drill whose phase of 2 s to 12 s ends early, after a hold
// in it, and one whose phase has ended by itself when it is to end.
func TestClockLeaps(t *testing.T) {
	const s = time.Second
	var c Clock
	for _, e := range []Event{
		{By: ByRun, Op: RunDrill, At: 10 * s},
		{By: ByRun, Op: RunHold, At: 13 * s},
		{By: ByRun, Op: RunGoOn, At: 20 * s},
		{By: ByRun, Op: RunCut, At: 22 * s, Value: int64(12 * s)},
		{By: ByRun, Op: RunCut, At: 25 * s, Value: int64(14 * s)},
	} {
		c.Observe(&e)
	}
	for at, into := range map[time.Duration]time.Duration{
		12 * s: 2 * s, 20 * s: 3 * s, 21 * s: 4 * s, 22*s - 1: 5*s - 1, 22 * s: 12 * s, 23 * s: 13 * s, 25 * s: 15 * s,
	} {
		if got := c.Into(at); got != into || c.Held(22*s) {
			t.Errorf("at %v the clock shows %v, want %v", at, got, into)
		}
	}
	for into, at := range map[time.Duration]time.Duration{
		2 * s: 12 * s, 4 * s: 21 * s, 5 * s: 22 * s, 8 * s: 22 * s, 12 * s: 22 * s, 13 * s: 23 * s, 15 * s: 25 * s, 16 * s: 26 * s,
	} {
		if got := c.At(into, 60*s); got != at {
			t.Errorf("the clock shows %v at %v, want %v", into, got, at)
		}
	}
}
