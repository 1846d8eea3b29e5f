package check

import (
	"fmt"
	"slices"
)

// An explanation is what the sweep of an account has found. With no text it is
// linearizable, as far as it was judged.
type explanation struct {
	text             string
	read             strongRead // that cannot be explained
	window           window     // what is shown of it
	judged, unjudged int        // reads
}

// unexplained says which read left no situation that the account may be in.
func (s *sweep) unexplained(m moment) explanation {
	r := s.blamed(m)
	if s.last < 0 {
		return explanation{
			text:   fmt.Sprintf("%s was read, which contradicts what overlapping reads were shown", r),
			read:   r,
			window: s.around(r.sent, m.at),
		}
	}
	was := s.account.reads[s.last]
	from, to := min(was.sent, r.sent), max(r.at, m.at)
	acked, open := 0, 0
	for i, w := range s.moves {
		switch {
		case w.called > to || w.done < from:
		case w.done != never:
			acked++
		case slices.Contains(s.open, int32(i)):
			open++
		}
	}
	unknown := ""
	if open > 0 {
		unknown = fmt.Sprintf(" and %d of unknown outcome", open)
	}
	return explanation{
		text: fmt.Sprintf("%s was read, and %s, with %s acknowledged%s in between", was, r, many(acked, "write"), unknown),
		read: r, window: s.around(from, min(to, r.at)),
	}
}

// blamed is the read that cannot be explained. That a move is done leaves no
// situation only because of reads that are open; of these it is the one that is
// answered first.
func (s *sweep) blamed(m moment) strongRead {
	if m.kind != moveDone {
		return s.account.reads[m.index]
	}
	r := strongRead{at: never}
	for _, i := range s.reads {
		if o := s.account.reads[i]; o.at < r.at {
			r = o
		}
	}
	return r
}

// String says what a read was shown, and when.
func (r strongRead) String() string {
	return fmt.Sprintf("balance %s at %.3f s", linearState{r.balance, r.version}, r.at.Seconds())
}

// close compares what the final reads found an account to have moved with what
// all its writes come to: whatever their order, they come to that.
func (a *account) close(moved int64) string {
	if sum := a.sum(); sum != moved {
		return fmt.Sprintf("its balance has moved by %d in the end, and its %s come to %d", moved, many(len(a.moves), "write"), sum)
	}
	return ""
}
