package check

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// An account is what happened to one account in one drill.
type account struct {
	accountKey

	reads  []strongRead // in the order in which they were sent
	moves  []move       // likewise
	spoilt bool         // some of its writes are lost, doubled or unexpected
	open   bool         // a write may have happened that was not found, or happen yet
}

// A move changes the balance of an account. It took effect at some moment
// between being called and being done.
type move struct {
	id           string
	by           int64
	called, done time.Duration
}

// never is when moves are done that happened at a moment nobody was told.
const never = time.Duration(math.MaxInt64)

func (a *account) add(id string, w *write, by int64, spoils bool) {
	if a == nil {
		return
	}
	a.spoilt = a.spoilt || spoils
	m := move{id, by, w.invoked, never}
	if w.acknowledged() {
		m.done = w.acked
	}
	a.moves = append(a.moves, m)
}

func (a *account) leaveOpen() {
	if a != nil {
		a.open = true
	}
}

func (a *account) sort() {
	slices.SortFunc(a.reads, func(x, y strongRead) int {
		return cmp.Or(cmp.Compare(x.sent, y.sent), cmp.Compare(x.at, y.at), cmp.Compare(x.seq, y.seq))
	})
	slices.SortFunc(a.moves, func(x, y move) int { return cmp.Or(cmp.Compare(x.called, y.called), cmp.Compare(x.id, y.id)) })
}

// sum returns by how much all moves together change the balance.
func (a *account) sum() int64 {
	var n int64
	for _, m := range a.moves {
		n += m.by
	}
	return n
}

// A moment is when an operation of an account begins or ends.
type moment struct {
	at    time.Duration
	index int32 // of the read or the move
	kind  step
}

// A step is what happens at a moment. Of what happens at the same time beginnings
// come first, so that operations that touch overlap.
type step int8

const (
	moveCalled step = iota
	readSent
	moveDone
	readAnswered
)

// moments returns all beginnings and ends in the order of time.
func (a *account) moments() []moment {
	list := make([]moment, 0, 2*(len(a.reads)+len(a.moves)))
	for i, m := range a.moves {
		list = append(list, moment{m.called, int32(i), moveCalled})
		if m.done != never {
			list = append(list, moment{max(m.done, m.called), int32(i), moveDone})
		}
	}
	for i, r := range a.reads {
		list = append(list, moment{r.sent, int32(i), readSent}, moment{max(r.at, r.sent), int32(i), readAnswered})
	}
	slices.SortFunc(list, func(x, y moment) int {
		return cmp.Or(cmp.Compare(x.at, y.at), int(x.kind)-int(y.kind), int(x.index)-int(y.index))
	})
	return list
}
