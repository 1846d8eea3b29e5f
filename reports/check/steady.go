package check

import "time"

// An arrival is one operation of the schedule.
type arrival struct {
	sched time.Duration
	write bool
	good  bool // the contract held, and it was answered in time
	late  bool // it is not good, because it was sent late

	// missed is what it needed and was told not to exist, a number of
	// recovery.keys; 0 of everything else.
	missed uint32
}

// A watch looks for the moment from which clients were served again.
type watch struct {
	Recovered
	end time.Duration // of the observation
}

// An ending says how an observation ended.
type ending int

const (
	isRecovered  ending = iota
	notRecovered        // clients were below target when the observation ended
	tooShort            // not even one whole window fits into it
)

// steady returns the first arrival that begins a recovery: it is good, and in
// its window and in every window that begins later enough operations are good.
// A window begins with an arrival, is at least Window long and has at least
// MinOps arrivals; it must lie within the observation. Arrivals are in the
// order of their schedule.
func (w watch) steady(arrivals []arrival) (start int, how ending) {
	goodBefore := make([]int, len(arrivals)+1)
	for i, a := range arrivals {
		goodBefore[i+1] = goodBefore[i] + one(a.good)
	}
	last, lastBad, until := -1, -1, 0
	for i, a := range arrivals {
		to := a.sched + w.Window
		for until < len(arrivals) && arrivals[until].sched < to {
			until++
		}
		after := max(until, i+w.MinOps)
		if to > w.end || after > len(arrivals) {
			break
		}
		last = i
		if !w.holds(goodBefore[after]-goodBefore[i], after-i) {
			lastBad = i
		}
	}
	if last < 0 {
		return 0, tooShort
	}
	for i := lastBad + 1; i <= last; i++ {
		if arrivals[i].good {
			return i, isRecovered
		}
	}
	return 0, notRecovered
}

// rounding forgives what floating point adds to a share of a whole number.
const rounding = 1e-9

// holds reports whether a window is on target: at least the share Good of its
// arrivals were good, and the rate of good operations was at least the share
// Rate of the offered one. Both are shares of the arrivals, because each
// arrival of the schedule is recorded, also one that was shed. The nominal rate
// would not do: in a few seconds chance alone can take a Poisson process ten
// percent below it.
func (w watch) holds(good, arrived int) bool {
	return float64(good) >= max(w.Good, w.Rate)*float64(arrived)-rounding
}

// badSeconds counts the whole seconds since t0 in which less than target of
// the arrivals were good, and how often a bad second followed a good one after
// the first bad one. Seconds without arrivals count as neither.
func badSeconds(arrivals []arrival, t0 time.Duration, target float64) (bad, flaps int) {
	wasBad := false
	for i := 0; i < len(arrivals); {
		sec := (arrivals[i].sched - t0) / time.Second
		good, n := 0, 0
		for ; i < len(arrivals) && (arrivals[i].sched-t0)/time.Second == sec; i++ {
			good += one(arrivals[i].good)
			n++
		}
		isBad := float64(good) < target*float64(n)-rounding
		if isBad && !wasBad && bad > 0 {
			flaps++
		}
		bad += one(isBad)
		wasBad = isBad
	}
	return bad, flaps
}
