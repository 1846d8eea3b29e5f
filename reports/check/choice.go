package check

import (
	"cmp"
	"slices"
)

// A choice looks for open moves that bring an account from one state to another:
// so many that sum to so much.
//
// Of those that move the same amount it takes the ones that must be done first:
// whatever may follow the others may also follow these. So equal amounts, which
// are the rule in many workloads, leave nothing to try out.
type choice struct {
	*sweep

	from  situation
	shown linearState
	alike [][]int32 // moves that are the same but for when they must be done, which is their order
	rest  []int     // how many moves there are from there on
	taken []int32
	found []situation
}

// choose returns what situations become so that a read was shown what it was, by
// moves that are open, but for one of them.
func (s *sweep) choose(from []situation, shown linearState, but int32) []situation {
	if !s.fits(shown) {
		return nil
	}
	var found []situation
	for _, c := range from {
		h := choice{sweep: s, from: c, shown: shown, found: found}
		h.group(but)
		h.find(0, shown.version-c.version, shown.balance-c.balance)
		found = h.found
	}
	return found
}

func (h *choice) group(but int32) {
	var free []int32
	for _, i := range h.open {
		if i != but && !slices.Contains(h.from.taken, i) {
			free = append(free, i)
		}
	}
	settled := func(i int32) int { return one(slices.Contains(h.from.maybe, i)) }
	slices.SortFunc(free, func(a, b int32) int {
		x, y := h.moves[a], h.moves[b]
		return cmp.Or(cmp.Compare(x.by, y.by), settled(a)-settled(b), cmp.Compare(x.done, y.done), cmp.Compare(a, b))
	})
	for at, i := range free {
		if at > 0 && h.moves[i].by == h.moves[free[at-1]].by && settled(i) == settled(free[at-1]) {
			h.alike[len(h.alike)-1] = append(h.alike[len(h.alike)-1], i)
			continue
		}
		h.alike, h.rest = append(h.alike, []int32{i}), append(h.rest, len(free)-at)
	}
	h.rest = append(h.rest, 0)
}

func (h *choice) find(at int, need, sum int64) {
	h.steps--
	if h.steps < 0 || int64(h.rest[at]) < need {
		return
	}
	if need <= 0 {
		if need == 0 && sum == 0 {
			h.found = append(h.found, h.chosen())
		}
		return
	}
	moves, n := h.alike[at], len(h.taken)
	by := h.moves[moves[0]].by
	for k := range int(min(need, int64(len(moves)))) + 1 {
		h.taken = append(h.taken[:n], moves[:k]...)
		h.find(at+1, need-int64(k), sum-int64(k)*by)
	}
	h.taken = h.taken[:n]
}

// chosen is the situation in which what is taken has taken effect.
func (h *choice) chosen() situation {
	c := situation{linearState: h.shown, known: true, maybe: h.from.maybe}
	for _, i := range h.taken {
		c.maybe = without(c.maybe, i)
	}
	c.taken = slices.Concat(h.from.taken, h.taken)
	slices.Sort(c.taken)
	return c
}
