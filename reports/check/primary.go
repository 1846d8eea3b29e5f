package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// onePrimary checks that no two nodes took themselves for the primary at the
// same time, and that in the end one is primary and all others stream from it.
//
// Probes see a node only now and then, so that two nodes that are primary one
// after the other are lawful; a promotion begins a new timeline. A node that
// still answers as primary on a timeline no newer than that of another which
// became primary before it was asked was not fenced.
type onePrimary struct {
	course *course
	newest map[int]reign // by drill
	seen   map[int]bool  // drills in which a primary was probed
	wrongs wrongs
	flags  map[reignKey]bool
	ends   map[int][]standing
}

// A reign is a node seen as primary.
type reign struct {
	node     string
	timeline int
	from     time.Duration // first seen
}

type reignKey struct {
	drill    int
	old, new string
}

// Why there was not one primary with everybody else streaming from it.
const (
	causeNotFenced  = "the node that was replaced was not fenced: it went on, or came back, as a primary"
	causeNotBack    = "the node did not come back in the time that it had: its own log says how far it came"
	causeNotRewound = "the node was not taken back to where the history of the new primary begins, and cannot follow it"
)

// A standing is the role of a node once everything is quiet.
type standing struct {
	node, role string
	timeline   int
	streams    int64 // replicas that stream from it
	unread     string
}

func newOnePrimary(c *course) *onePrimary {
	return &onePrimary{course: c, newest: map[int]reign{}, seen: map[int]bool{}, flags: map[reignKey]bool{}, ends: map[int][]standing{}}
}

// Name returns "one-primary".
func (*onePrimary) Name() string { return nameOnePrimary }

// Observe takes the observations of nodes.
func (p *onePrimary) Observe(e *history.Event) {
	drill := p.course.number(e)
	switch {
	case e.By == history.ByAudit && e.Op == history.AuditRole:
		s := standing{node: e.Node, role: e.Role, timeline: e.Timeline, streams: e.Count}
		if e.Kind == history.Fail {
			s.unread = "it did not answer: " + e.Text
		}
		p.ends[drill] = append(p.ends[drill], s)
	case e.By == history.ByProbe && e.Op == history.ProbeDatabase && e.Kind != history.Fail && e.Role == rolePrimary:
		p.observePrimary(drill, e)
	}
}

func (p *onePrimary) observePrimary(drill int, e *history.Event) {
	p.seen[drill] = true
	now := reign{node: e.Node, timeline: e.Timeline, from: e.At}
	newest, ok := p.newest[drill]
	switch {
	case !ok || now.timeline > newest.timeline:
		p.newest[drill] = now
	case now.node == newest.node || now.timeline == 0 || now.from <= newest.from:
	default:
		key := reignKey{drill, now.node, newest.node}
		if !p.flags[key] {
			p.flags[key] = true
			p.wrongs.because(causeNotFenced)
			p.wrongs.say(fmt.Sprintf("%s was still primary on timeline %d at %.3f s of the run, after %s had become primary on timeline %d at %.3f s",
				now.node, now.timeline, now.from.Seconds(), newest.node, newest.timeline, newest.from.Seconds()))
		}
	}
}

// Verdict fails if there were two primaries, or if in the end there is not
// one with everybody else streaming from it.
func (p *onePrimary) Verdict() Verdict {
	w := p.wrongs
	doubt := p.course.anyUnread()
	replicas := 0
	for _, d := range p.course.list() {
		if !p.seen[d.number] && doubt == "" {
			doubt = fmt.Sprintf("no probe saw a primary in drill %d", d.number)
		}
		ends := p.ends[d.number]
		if len(ends) == 0 {
			if doubt == "" {
				doubt = fmt.Sprintf("the roles of the nodes were not read in drill %d", d.number)
			}
			continue
		}
		replicas = len(ends) - 1
		if clause, cause := endsWrong(ends); clause != "" {
			w.say(fmt.Sprintf("after drill %d %s", d.number, clause))
			w.because(cause)
		}
	}
	return w.verdict(p.Name(), doubt, fmt.Sprintf("1 primary, %s of it", many(replicas, "streaming replica")))
}

// endsWrong says what is wrong with the roles in the end, empty if nothing is, and
// why, as far as that shows.
func endsWrong(ends []standing) (clause, cause string) {
	var primaries []standing
	var streams int64
	for _, s := range ends {
		if s.role == rolePrimary && s.unread == "" {
			primaries = append(primaries, s)
		}
		streams += s.streams
	}
	switch len(primaries) {
	case 0:
		return "no node is primary", ""
	case 1:
	default:
		return fmt.Sprintf("both %s and %s are primary", primaries[0].node, primaries[1].node), causeNotFenced
	}
	for _, s := range ends {
		switch {
		case s.unread != "":
			return fmt.Sprintf("%s is no streaming replica: %s", s.node, s.unread), causeNotBack
		case s.role != rolePrimary && s.role != roleReplica:
			return fmt.Sprintf("%s is neither primary nor replica but %q", s.node, s.role), ""
		case s.timeline != primaries[0].timeline:
			return fmt.Sprintf("%s is on timeline %d and the primary %s on %d", s.node, s.timeline, primaries[0].node, primaries[0].timeline), causeNotRewound
		}
	}
	if want := int64(len(ends) - 1); streams < want {
		return fmt.Sprintf("%d of %s from %s", streams, many(want, "replica"), primaries[0].node+" stream"), ""
	}
	return "", ""
}
