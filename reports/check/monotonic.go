package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// monotonicReads checks that a session never goes back in time: a read is shown
// no older version of a thing than an earlier read of the same session was, on
// one timeline.
type monotonicReads struct {
	newest map[sessionKey]glimpse
	full   bool
	asked  int
	back   int
	wrongs wrongs
}

// A glimpse is the newest version that a session was shown.
type glimpse struct {
	number   int64
	timeline int
	at       time.Duration
	node     string
}

func newMonotonicReads() *monotonicReads { return &monotonicReads{newest: map[sessionKey]glimpse{}} }

// Name returns "monotonic-reads".
func (*monotonicReads) Name() string { return nameMonotonic }

// Observe takes the reads of sessions. Those that overlap may be answered in
// either order.
func (m *monotonicReads) Observe(e *history.Event) {
	if !sees(e) || e.Session == "" {
		return
	}
	key := sessionKey{e.Session, e.Key}
	was, ok := m.newest[key]
	now := glimpse{e.Value, max(e.Timeline, was.timeline), e.At, e.Node}
	switch {
	case !ok && len(m.newest) == maxSighted:
		m.full = true
	case !ok, e.Timeline > was.timeline:
		m.newest[key] = now
	case e.Timeline != 0 && e.Timeline < was.timeline:
	case e.Value > was.number:
		m.asked++
		m.newest[key] = now
	case e.Sent < was.at:
	default:
		m.asked++
		if e.Value < was.number {
			m.wentBack(e, was)
		}
	}
}

func (m *monotonicReads) wentBack(e *history.Event, was glimpse) {
	m.back++
	text := fmt.Sprintf("%s of %s by session %s sent at %.3f s was shown version %d by the %s, after version %d at %.3f s",
		e.Op, e.Key, e.Session, e.Sent.Seconds(), e.Value, orUnknown(e.Role), was.number, was.at.Seconds())
	if len(m.wrongs.examples) < maxExamples {
		m.wrongs.examples = append(m.wrongs.examples, text)
	}
	m.wrongs.groups.add(caught{
		op: e.Op, id: e.Key, node: e.Node, corr: e.Correlation(), at: e.At, weight: float64(was.number - e.Value), text: func() string { return text },
	})
}

// Verdict fails if a session went back in time.
func (m *monotonicReads) Verdict() Verdict {
	doubt := ""
	switch {
	case m.asked == 0:
		doubt = "no session read the same thing twice"
	case m.full:
		doubt = "sessions read more than " + many(maxSighted, "thing")
	}
	if m.back > 0 {
		m.wrongs.say(fmt.Sprintf("%d of %s went back to an older version within a session", m.back, many(m.asked, "repeated read")))
	}
	return m.wrongs.verdict(m.Name(), doubt, many(m.asked, "repeated read")+" within sessions, none went back")
}
