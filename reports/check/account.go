package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// An account is what happened to one account in one drill.
type account struct {
	accountKey

	reads   []strongRead // in the order in which they were sent
	moves   []move       // that were acknowledged, in the order in which they were sent
	pending []move       // that happened at a moment nobody was told
	spoilt  bool         // some of its writes are lost, doubled or unexpected
}

// A move changes the balance of an account.
type move struct {
	id           string
	by           int64
	called, done time.Duration
}

const never = time.Duration(math.MaxInt64)

func (a *account) add(id string, w *write, by int64, spoils bool) {
	if a == nil {
		return
	}
	a.spoilt = a.spoilt || spoils
	if w.acknowledged() {
		a.moves = append(a.moves, move{id, by, w.invoked, w.acked})
	} else {
		a.pending = append(a.pending, move{id, by, w.invoked, never})
	}
}

func (a *account) sort() {
	slices.SortFunc(a.reads, func(x, y strongRead) int { return cmp.Or(cmp.Compare(x.sent, y.sent), cmp.Compare(x.at, y.at)) })
	order := func(x, y move) int { return cmp.Or(cmp.Compare(x.called, y.called), cmp.Compare(x.id, y.id)) }
	slices.SortFunc(a.moves, order)
	slices.SortFunc(a.pending, order)
}

// A segment is what lies between two fixed points: reads that overlap with no
// other read and no write that was acknowledged, so that all of those come wholly
// before or wholly after. What the account was at its ends is known.
type segment struct {
	from, to strongRead
	moves    []move
	reads    []strongRead // that are no fixed points
}

// segments cuts the history of an account at its fixed points. What comes before
// the first and after the last of them is left out.
func (a *account) segments() []segment {
	var list []segment
	var now segment
	open := false
	moves := a.moves
	for i, r := range a.reads {
		if !a.fixed(i) {
			now.reads = append(now.reads, r)
			continue
		}
		n := 0
		for n < len(moves) && moves[n].called < r.sent {
			n++
		}
		now.moves, moves = moves[:n], moves[n:]
		if open {
			now.to = r
			list = append(list, now)
		}
		now, open = segment{from: r}, true
	}
	return list
}

// fixed reports whether nothing overlaps with a read.
func (a *account) fixed(i int) bool {
	r := a.reads[i]
	if i > 0 && slices.ContainsFunc(a.reads[max(0, i-32):i], func(o strongRead) bool { return o.at >= r.sent }) ||
		i+1 < len(a.reads) && a.reads[i+1].sent <= r.at {
		return false
	}
	// Moves that were called before its end and were not done before it was sent.
	end, _ := slices.BinarySearchFunc(a.moves, r.at, func(m move, at time.Duration) int { return cmp.Compare(m.called, at+1) })
	for _, m := range a.moves[:end] {
		if m.done >= r.sent {
			return false
		}
	}
	return true
}

// An explanation is what the search for an account has found. With no text it is
// linearizable.
type explanation struct {
	text    string
	unknown bool
	read    strongRead // that cannot be explained
	segment segment
}

// judge looks at one segment after the other. What happened at an unknown moment
// is assigned to the first segment whose end shows it: the version says how many
// there must be, and the balance which.
func (a *account) judge(steps *int) explanation {
	pending := a.pending
	guessed := false
	for _, s := range a.segments() {
		chosen, rest, text, certain := s.settle(pending, steps)
		if certain = certain && *steps >= 0; !certain {
			guessed = true
		}
		if text == "" {
			s.moves, pending = append(slices.Clone(s.moves), chosen...), rest
			text = s.search(steps, &guessed)
		}
		if text != "" {
			return explanation{text: text, unknown: guessed, read: s.to, segment: s}
		}
	}
	return explanation{}
}

// settle chooses which of the pending moves happened in the segment. Certain is
// false if others might as well have, or if the search was given up.
func (s segment) settle(pending []move, steps *int) (chosen, rest []move, text string, certain bool) {
	need := int(s.to.version-s.from.version) - len(s.moves)
	sum := s.to.balance - s.from.balance
	for _, m := range s.moves {
		sum -= m.by
	}
	n, _ := slices.BinarySearchFunc(pending, s.to.at, func(m move, at time.Duration) int { return cmp.Compare(m.called, at+1) })
	text = fmt.Sprintf("balance %d at version %d was read at %.3f s, and %d at version %d at %.3f s, with %s acknowledged in between",
		s.from.balance, s.from.version, s.from.at.Seconds(), s.to.balance, s.to.version, s.to.at.Seconds(), many(len(s.moves), "write"))
	if need < 0 || need > n {
		return nil, pending, text, true
	}
	c := choice{from: pending[:n], steps: steps}
	c.find(0, need, sum)
	if c.solutions == 0 {
		return nil, pending, text, *steps >= 0
	}
	for i, m := range pending {
		if slices.Contains(c.first, i) {
			m.called, m.done = max(m.called, s.from.at), s.to.sent-1
			chosen = append(chosen, m)
		} else {
			rest = append(rest, m)
		}
	}
	return chosen, rest, "", c.solutions == 1
}

// A choice looks for so many moves that sum to an amount.
type choice struct {
	from      []move
	steps     *int
	taken     []int
	first     []int // the first solution
	solutions int   // 2 stands for more than one
}

func (c *choice) find(at, need int, sum int64) {
	*c.steps--
	if *c.steps < 0 || c.solutions > 1 || len(c.from)-at < need {
		return
	}
	if need == 0 {
		if sum == 0 {
			if c.solutions == 0 {
				c.first = slices.Clone(c.taken)
			}
			c.solutions++
		}
		return
	}
	c.taken = append(c.taken, at)
	c.find(at+1, need-1, sum-c.from[at].by)
	c.taken = c.taken[:len(c.taken)-1]
	c.find(at+1, need, sum)
}
