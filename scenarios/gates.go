package scenarios

import (
	"fmt"
	"time"
)

// lintGates checks that every gate can be answered before anything follows it,
// and gives those that say no time the time that there is.
func (p *parser) lintGates() {
	for i, e := range p.events {
		if e.within != nil && e.Verb != VerbGate && e.Verb != "" {
			p.add(e.within, fmt.Sprintf("%q means nothing beside %q", "within", e.Verb), "only a gate is answered")
		}
		if e.Verb != VerbGate || p.anchor(e) == nil || !p.laidOut() {
			continue
		}
		room, until := p.roomOf(i)
		switch {
		case room <= 0:
			p.add(e.at, "nobody can answer in no time: "+until+" is at the same moment", "put the gate before it, by as long as people need to answer")
		case e.Within > room:
			p.add(e.within, fmt.Sprintf("there are only %s to answer until %s", FormatDuration(room), until),
				"the load goes on meanwhile and nothing waits: put the gate earlier, or write within: "+FormatDuration(room))
		case e.within == nil:
			e.Within = room
		}
	}
}

// roomOf is how long the i-th entry, a gate, has until something follows, and
// what that is.
func (p *parser) roomOf(i int) (room time.Duration, until string) {
	e := p.events[i]
	f := p.anchor(e)
	room, until = f.start+f.For-p.sc.Repeat.Jitter-p.moment(e), "the end of "+f.Name
	for _, next := range p.events[i+1:] {
		if p.anchor(next) == nil {
			continue
		}
		if left := p.moment(next) - p.moment(e); left < room {
			room, until = left, next.As
		}
		break
	}
	return room, until
}
