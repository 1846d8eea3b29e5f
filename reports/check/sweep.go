package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A sweep goes through what happened to an account in the order of time, and
// keeps what the account may be at present: Lowe's just-in-time linearization
// ("Testing for linearizability", 2017). That takes time in proportion to the
// number of operations and memory in proportion to those that overlap, however
// long the account is never at rest.
//
// Two things make it quick. Moves commute and are never refused, so that each may
// be put off until it is done, or until a read needs it. And a read that was
// shown a version says how many moves come before it, and by the balance which.
//
// What the account was at first is not known. It is what one of the first reads
// was shown, and moves that were open at that time took effect before or after
// that.
type sweep struct {
	*account

	moments  []moment
	open     []int32     // moves that were called, and are not done or may not have taken effect yet
	reads    []int32     // that were sent and not answered
	may      []situation // that the account may be in
	first    int64       // the least version that one of the first reads was shown
	steps    int         // left before the search is given up
	last     int32       // the read that was answered last, or -1
	judged   int         // reads
	unjudged int         // reads at which the search was given up
}

// A situation is what an account may be, and how it came to that.
type situation struct {
	linearState

	known bool    // false: no read has shown what the account is
	taken []int32 // open moves that have taken effect, in ascending order
	maybe []int32 // open moves that may have taken effect before the state was known, likewise
}

// patience is how many steps searches may take.
type patience struct {
	once int // until the search has come to a single situation
	all  int // of all accounts, beside what each is given by its length
}

// judge looks for an order of all moves that explains every read.
func (a *account) judge(p *patience) explanation {
	s := sweep{account: a, moments: a.moments(), last: -1}
	p.all += stepsEach * len(s.moments)
	s.restart(0, p)
	for i, m := range s.moments {
		before := s.steps
		s.step(m)
		p.all -= before - s.steps
		switch {
		case s.steps < 0:
			s.restart(i+1, p)
			if p.all < 0 {
				s.unjudged += s.after(i + 1)
				return explanation{judged: s.judged, unjudged: s.unjudged}
			}
		case len(s.may) == 0:
			e := s.unexplained(m)
			e.judged, e.unjudged = s.judged, s.unjudged
			return e
		case len(s.may) == 1:
			s.steps = min(p.once, p.all)
		}
	}
	return explanation{judged: s.judged, unjudged: s.unjudged}
}

// after counts the reads that are sent later.
func (s *sweep) after(i int) int {
	n := 0
	for _, m := range s.moments[i:] {
		n += one(m.kind == readSent)
	}
	return n
}

// restart begins anew with the moment i, as if nothing was known of the account.
// Reads that are not answered by then are not judged.
func (s *sweep) restart(i int, p *patience) {
	s.unjudged += len(s.reads)
	s.reads, s.may, s.steps = nil, []situation{{}}, min(p.once, p.all)
	s.first = math.MaxInt64
	sent := map[int32]bool{}
	for _, m := range s.moments[i:] {
		switch m.kind {
		case readSent:
			sent[m.index] = true
			s.first = min(s.first, s.account.reads[m.index].version)
		case readAnswered:
			if sent[m.index] {
				return
			}
		case moveCalled, moveDone:
		}
	}
}

func (s *sweep) step(m moment) {
	s.steps -= len(s.may) - 1
	switch m.kind {
	case moveCalled:
		s.open = append(s.open, m.index)
		return
	case readSent:
		s.send(m.index)
		return
	case moveDone:
		s.done(m.index)
	case readAnswered:
		s.answer(m.index)
	}
	s.tidy()
}

// send leaves out the situations that a read cannot come upon any more.
func (s *sweep) send(i int32) {
	r := s.account.reads[i]
	s.reads = append(s.reads, i)
	s.may = slices.DeleteFunc(s.may, func(c situation) bool {
		return c.known && (c.version > r.version || c.version == r.version && c.balance != r.balance)
	})
}

// done has a move taken effect in every situation.
func (s *sweep) done(i int32) {
	at := slices.Index(s.open, i)
	if at < 0 { // it has in all of them
		return
	}
	var next []situation
	for _, c := range s.may {
		if c.known {
			next = s.settle(next, c, i)
			continue
		}
		next = append(next, c) // it came before the first read
		if learned, ok := s.learn(); ok {
			next = s.settle(next, learned, i)
		}
	}
	s.may = next
	s.open = slices.Delete(s.open, at, at+1)
}

// settle appends what a situation may be once a move is done.
func (s *sweep) settle(next []situation, c situation, i int32) []situation {
	if slices.Contains(c.taken, i) {
		c.taken = without(c.taken, i)
		return append(next, c)
	}
	if slices.Contains(c.maybe, i) {
		c.maybe = without(c.maybe, i)
		next = append(next, c)
	}
	next = s.take(next, c, i)
	now := []situation{c}
	for _, shown := range s.ahead(c.version, math.MaxInt64) { // others may come first, if a read is explained by that
		now = s.choose(now, shown, i)
		for _, c := range now {
			next = s.take(next, c, i)
		}
		if len(now) == 0 {
			break
		}
	}
	return next
}

// take appends what a situation is once a move took effect that is done, if the
// open reads allow that.
func (s *sweep) take(next []situation, c situation, i int32) []situation {
	s.steps--
	c.linearState = linearState{c.balance + s.moves[i].by, c.version + 1}
	if !s.fits(c.linearState) {
		return next
	}
	return append(next, c)
}

// answer has every situation come to what a read was shown.
func (s *sweep) answer(i int32) {
	at := slices.Index(s.reads, i)
	if at < 0 { // the search was given up while it was open
		return
	}
	r := s.account.reads[i]
	var next []situation
	for _, c := range s.may {
		if !c.known {
			var ok bool
			if c, ok = s.learn(); !ok {
				continue
			}
		}
		now := []situation{c}
		for _, shown := range s.ahead(c.version, r.version) {
			now = s.choose(now, shown, -1)
		}
		next = append(next, now...)
	}
	s.may = next
	if len(next) > 0 && s.steps >= 0 {
		s.reads = slices.Delete(s.reads, at, at+1)
		s.last = i
		s.judged++
	}
}

// learn returns the situation that the first reads were shown. It is not one if
// none of them is open, or if they contradict each other.
func (s *sweep) learn() (situation, bool) {
	at := slices.IndexFunc(s.reads, func(i int32) bool { return s.account.reads[i].version == s.first })
	if at < 0 {
		return situation{}, false
	}
	r := s.account.reads[s.reads[at]]
	c := situation{linearState: linearState{r.balance, r.version}, known: true, maybe: slices.Sorted(slices.Values(s.open))}
	return c, s.fits(c.linearState)
}

// fits reports whether no open read was shown another balance at that version.
func (s *sweep) fits(state linearState) bool {
	return !slices.ContainsFunc(s.reads, func(i int32) bool {
		r := s.account.reads[i]
		return r.version == state.version && r.balance != state.balance
	})
}

// ahead returns what open reads were shown that comes after a version, up to
// another one, in the order of versions.
func (s *sweep) ahead(version, upTo int64) []linearState {
	var list []linearState
	for _, i := range s.reads {
		if r := s.account.reads[i]; r.version > version && r.version <= upTo {
			list = append(list, linearState{r.balance, r.version})
		}
	}
	slices.SortFunc(list, func(a, b linearState) int {
		return cmp.Or(cmp.Compare(a.version, b.version), cmp.Compare(a.balance, b.balance))
	})
	return slices.Compact(list)
}

// tidy leaves out situations that are there twice, and forgets moves that have
// taken effect in all of them.
func (s *sweep) tidy() {
	if len(s.may) > 1 {
		there := map[string]bool{}
		var key []byte
		s.may = slices.DeleteFunc(s.may, func(c situation) bool {
			key = c.appendKey(key[:0])
			if there[string(key)] {
				return true
			}
			there[string(key)] = true
			return false
		})
	}
	if len(s.may) == 0 {
		return
	}
	for _, i := range s.may[0].taken {
		if slices.ContainsFunc(s.may, func(c situation) bool { return !slices.Contains(c.taken, i) }) {
			continue
		}
		for j := range s.may {
			s.may[j].taken = without(s.may[j].taken, i)
		}
		s.open = without(s.open, i)
	}
}

func (c situation) appendKey(key []byte) []byte {
	return fmt.Append(key, c.balance, c.version, c.known, c.taken, c.maybe)
}

// without returns a list without a number that is in it, if it is. The list
// itself stays as it is.
func without(list []int32, i int32) []int32 {
	at := slices.Index(list, i)
	if at < 0 {
		return list
	}
	return slices.Concat(list[:at], list[at+1:])
}
