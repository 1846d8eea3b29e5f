package explore

import (
	"context"
	"errors"
	"slices"
	"time"
)

// An Ending says how a run of a timeline ended.
type Ending string

// The endings of a run.
const (
	Survived Ending = "survived" // it did not fail, or not in the way that is looked for
	Failed   Ending = "failed"   // as it did before
	Unclear  Ending = "unclear"  // it says nothing, for example because nothing was really broken
)

// unclearTimes is how often a timeline is run whose runs say nothing.
const unclearTimes = 3

// ErrEnough is returned by a [Run] that was not made because there is no time
// left for it.
var ErrEnough = errors.New("there is no time left for another run")

// A Run carries a timeline out and says how it ended.
type Run func(ctx context.Context, t Timeline) (Ending, error)

// Minimize takes away from a timeline that failed whatever it fails without:
// first whole faults, then their lengths, then the time before and between
// them. Each smaller timeline is run, and is only believed if it failed. One
// whose runs say nothing is run again a few times, and then left.
//
// Found is called with each smaller timeline that failed. The result is the
// smallest of them, also with an error. With [ErrEnough] from run it ends early
// and without an error.
func Minimize(ctx context.Context, t Timeline, run Run, found func(Timeline)) (Timeline, error) {
	m := &minimizer{run: run, found: found, tried: map[string]bool{t.key(): true}, best: t}
	for _, step := range []func(context.Context) error{m.nothing, m.faults, m.lengths, m.gaps} {
		if err := step(ctx); errors.Is(err, ErrEnough) {
			return m.best, nil
		} else if err != nil {
			return m.best, err
		}
	}
	return m.best, nil
}

type minimizer struct {
	run   Run
	found func(Timeline)
	tried map[string]bool // keys of what was run
	best  Timeline        // the smallest that failed
}

// fails runs a timeline, unless that was done, and makes it the best if it
// failed.
func (m *minimizer) fails(ctx context.Context, t Timeline) (bool, error) {
	if m.tried[t.key()] {
		return false, nil
	}
	m.tried[t.key()] = true
	for range unclearTimes {
		ending, err := m.run(ctx, t)
		switch {
		case err != nil:
			return false, err
		case ending == Failed:
			m.best = t
			m.found(t)
			return true, nil
		case ending == Survived:
			return false, nil
		}
	}
	return false, nil
}

// nothing asks whether it fails with nothing broken at all.
func (m *minimizer) nothing(ctx context.Context) error {
	_, err := m.fails(ctx, m.best.with(nil))
	return err
}

// faults is Zeller's ddmin: it looks for a part that fails, then for a part that
// can be left out, in ever smaller parts.
func (m *minimizer) faults(ctx context.Context) error {
	for parts := 2; len(m.best.Faults) > 1; {
		parts = min(parts, len(m.best.Faults))
		smaller, err := m.divide(ctx, parts)
		switch {
		case err != nil:
			return err
		case smaller:
			parts = max(parts-1, 2)
		case parts == len(m.best.Faults):
			return nil
		default:
			parts *= 2
		}
	}
	return nil
}

// divide runs each of the parts alone, then all but each of them. It reports
// whether one failed.
func (m *minimizer) divide(ctx context.Context, parts int) (bool, error) {
	whole := m.best
	n := len(whole.Faults)
	var alone, without [][]Fault
	for i := range parts {
		from, to := i*n/parts, (i+1)*n/parts
		alone = append(alone, slices.Clone(whole.Faults[from:to]))
		without = append(without, slices.Concat(whole.Faults[:from], whole.Faults[to:]))
	}
	for _, faults := range append(alone, without...) {
		if failed, err := m.fails(ctx, whole.with(faults)); failed || err != nil {
			return failed, err
		}
	}
	return false, nil
}

// lengths halves the length of each fault for as long as it fails.
func (m *minimizer) lengths(ctx context.Context) error {
	for i := range m.best.Faults {
		for m.best.Faults[i].For > shortest {
			t := m.best.clone()
			t.Faults[i].For = max((t.Faults[i].For / 2).Truncate(grain), shortest)
			if failed, err := m.fails(ctx, t); err != nil {
				return err
			} else if !failed {
				break
			}
		}
	}
	return nil
}

// gaps leaves out the time before the first fault, and then that in which nothing
// is broken between two of them.
func (m *minimizer) gaps(ctx context.Context) error {
	for i := range m.best.Faults {
		t := m.best.clone()
		var free time.Duration // from when on nothing is broken before this one
		if i > 0 {
			free = t.with(t.Faults[:i]).End()
		}
		gap := t.Faults[i].At - free
		if gap <= 0 {
			continue
		}
		for j := i; j < len(t.Faults); j++ {
			t.Faults[j].At -= gap
		}
		if _, err := m.fails(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
