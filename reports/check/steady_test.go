package check

import (
	"strings"
	"testing"
	"time"
)

// arrivals makes one arrival every 100 ms; + is good, - is not.
func arrivals(picture string) []arrival {
	var list []arrival
	for i, c := range strings.ReplaceAll(picture, " ", "") {
		list = append(list, arrival{sched: time.Duration(i) * 100 * time.Millisecond, good: c == '+'})
	}
	return list
}

func TestSteady(t *testing.T) {
	tests := []struct {
		name, picture string
		window        time.Duration
		minOps        int
		good          float64
		start         int
		how           ending
	}{
		{"never disturbed", "++++++++++", 500 * time.Millisecond, 1, 0.99, 0, isRecovered},
		{"recovered", "++---+++++", 500 * time.Millisecond, 1, 0.99, 5, isRecovered},
		{"window must fit", "++---++++", 500 * time.Millisecond, 1, 0.99, 0, notRecovered},
		{"bad at the end", "++---+++++++-", 500 * time.Millisecond, 1, 0.99, 0, notRecovered},
		{"bad again", "++---++++++++-++++++", 500 * time.Millisecond, 1, 0.99, 14, isRecovered},
		{"tolerated", "++---++++++++-++++++", 500 * time.Millisecond, 1, 0.8, 5, isRecovered},
		{"begins with a good one", "++-----++++++++++", 500 * time.Millisecond, 1, 0.8, 7, isRecovered},
		{"more operations than fit", "+--+++++++++", 200 * time.Millisecond, 8, 0.99, 3, isRecovered},
		{"too few operations", "+--++++", 200 * time.Millisecond, 8, 0.99, 0, tooShort},
		{"too short", "++++", 500 * time.Millisecond, 1, 0.99, 0, tooShort},
		{"none", "", 500 * time.Millisecond, 1, 0.99, 0, tooShort},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := arrivals(tt.picture)
			w := watch{Recovered: Recovered{Window: tt.window, MinOps: tt.minOps, Good: tt.good, Rate: 0.5}, end: time.Duration(len(list)) * 100 * time.Millisecond}
			start, how := w.steady(list)
			if start != tt.start || how != tt.how {
				t.Errorf("steady(%s) = %d, %d; want %d, %d", tt.picture, start, how, tt.start, tt.how)
			}
		})
	}
}

func TestBadSeconds(t *testing.T) {
	tests := []struct {
		picture    string
		bad, flaps int
	}{
		{"++++++++++ ++++++++++", 0, 0},
		{"+---------  ---------- ++++++++++", 2, 0},
		{"++++++++++ +--------- ++++++++++ ++++++++-- ++++++++++ ---------- ", 3, 2},
	}
	for _, tt := range tests {
		bad, flaps := badSeconds(arrivals(tt.picture), 0, 0.99)
		if bad != tt.bad || flaps != tt.flaps {
			t.Errorf("badSeconds(%s) = %d, %d; want %d, %d", tt.picture, bad, flaps, tt.bad, tt.flaps)
		}
	}
}

// naiveSteady is the definition, word by word.
func naiveSteady(w watch, list []arrival) (int, ending) {
	// whole returns whether the window that begins with i fits, and whether it
	// is on target.
	window := func(i int) (fits, holds bool) {
		n, good := 0, 0
		for j := i; j < len(list) && (list[j].sched < list[i].sched+w.Window || n < w.MinOps); j++ {
			n++
			if list[j].good {
				good++
			}
		}
		fits = n >= w.MinOps && list[i].sched+w.Window <= w.end
		return fits, float64(good)+rounding >= w.Good*float64(n) && float64(good)+rounding >= w.Rate*float64(n)
	}
	fitted := false
	for i := range list {
		fits, _ := window(i)
		fitted = fitted || fits
		if !fits || !list[i].good {
			continue
		}
		held := true
		for j := i; j < len(list); j++ {
			if fits, holds := window(j); fits && !holds {
				held = false
			}
		}
		if held {
			return i, isRecovered
		}
	}
	if fitted {
		return 0, notRecovered
	}
	return 0, tooShort
}

func FuzzSteady(f *testing.F) {
	f.Add([]byte("\x01\x00\x01\x00\x81\x81\x01\x02\x03\x04\x05\x01\x01\x01"), uint8(5), uint8(3), uint8(90), uint8(2))
	f.Add([]byte{}, uint8(0), uint8(0), uint8(0), uint8(0))
	f.Add([]byte("\x10\x90\x10\x90\x10\x10\x10\x10"), uint8(30), uint8(1), uint8(50), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, window, minOps, good, tail uint8) {
		var list []arrival
		var now time.Duration
		for _, b := range data[:min(len(data), 200)] { // gap to the one before, and whether it is good
			now += time.Duration(b & 0x7f)
			list = append(list, arrival{sched: now, good: b < 0x80})
		}
		w := watch{
			Recovered: Recovered{Window: 1 + time.Duration(window), MinOps: 1 + int(minOps)%20, Good: float64(good%101) / 100, Rate: 0.5},
			end:       now + time.Duration(tail),
		}
		start, how := w.steady(list)
		wantStart, wantHow := naiveSteady(w, list)
		if start != wantStart || how != wantHow {
			t.Errorf("steady(%v) = %d, %d; want %d, %d", list, start, how, wantStart, wantHow)
		}
	})
}
