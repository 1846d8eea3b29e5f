package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// maxMissed bounds the reads that are kept until it is known whether what they
// missed is lost.
const maxMissed = 100_000

// ownWrites checks that a client finds what it has written: a read of a session
// that was sent after a write of that session had been acknowledged must find
// it.
//
// A write that is lost is not found either, but that is a loss, and counted as
// one. Versions are compared on one timeline: after a failover that lost writes of
// others they are counted anew.
type ownWrites struct {
	course     *course
	durability *durability
	asked      int
	missed     []missedWrite // reads that did not find what was written
	older      []missedWrite // reads that were shown an older version
	more       int           // not kept, of either
	versions   map[sessionKey]made
	latest     int // timeline
}

// made is the version that a write of a session has made.
type made struct {
	version

	id       string // of the write
	timeline int
}

// A missedWrite is a read that did not find a write of its own session.
type missedWrite struct {
	id, op, node, corr, session string
	sent, at                    time.Duration

	key        string // of what was read, if a version was asked for
	shown      int64
	wanted     int64
	wantedFrom time.Duration
}

type sessionKey struct{ session, key string }

func newOwnWrites(c *course, d *durability) *ownWrites {
	return &ownWrites{course: c, durability: d, versions: map[sessionKey]made{}}
}

// Name returns "read-your-writes".
func (*ownWrites) Name() string { return nameOwnWrites }

// Observe takes the operations of sessions.
func (o *ownWrites) Observe(e *history.Event) {
	if e.By != history.ByLoad || e.Session == "" || e.Kind == history.Invoke {
		return
	}
	key := sessionKey{e.Session, e.Key}
	o.latest = max(o.latest, e.Timeline)
	switch {
	case e.Write:
		o.make(key, e)
	case o.isOwn(e):
		o.asked++
		if absent(e) {
			o.missed = o.keep(o.missed, missedWrite{id: e.Key}, e)
		}
	case sees(e):
		o.observeVersion(key, e)
	}
}

// make takes the version that an acknowledged write says it has made.
func (o *ownWrites) make(key sessionKey, e *history.Event) {
	if e.Kind != history.OK || e.Value == 0 || len(o.versions) == maxSighted {
		return
	}
	was, now := o.versions[key], made{version{e.Value, e.At}, e.ID, cmp.Or(e.Timeline, o.latest)}
	if now.timeline > was.timeline || now.timeline == was.timeline && now.number > was.number {
		now.id = strings.Clone(e.ID)
		o.versions[key] = now
	}
}

// isOwn reports whether a read asks for a write of its own session that had been
// acknowledged before.
func (o *ownWrites) isOwn(e *history.Event) bool {
	w := o.durability.writes[e.Key]
	return w != nil && w.acknowledged() && w.acked <= e.Sent && o.durability.words.of(w.session) == e.Session
}

// keep adds a read that is judged once it is known what is lost.
func (o *ownWrites) keep(list []missedWrite, m missedWrite, e *history.Event) []missedWrite {
	if len(o.missed)+len(o.older) == maxMissed {
		o.more++
		return list
	}
	m.op, m.node, m.corr, m.session, m.sent, m.at = e.Op, e.Node, e.Correlation(), e.Session, e.Sent, e.At
	return append(list, m)
}

// observeVersion takes a read of something of which the session was told a
// version when it changed it.
func (o *ownWrites) observeVersion(key sessionKey, e *history.Event) {
	was, ok := o.versions[key]
	if !ok || was.at > e.Sent || was.timeline != 0 && cmp.Or(e.Timeline, o.latest) > was.timeline {
		return
	}
	o.asked++
	if e.Value < was.number {
		o.older = o.keep(o.older, missedWrite{id: was.id, key: e.Key, shown: e.Value, wanted: was.number, wantedFrom: was.at}, e)
	}
}

// kept returns the reads whose write is not lost. The others were asked for
// nothing.
func (o *ownWrites) kept(list []missedWrite) []missedWrite {
	return slices.DeleteFunc(slices.Clone(list), func(m missedWrite) bool { return o.durability.isLost(m.id) })
}

// blame adds a read that did not find what its session had written.
func (o *ownWrites) blame(w *wrongs, m missedWrite, weight time.Duration, text string) {
	if len(w.examples) < maxExamples {
		w.examples = append(w.examples, text)
	}
	w.groups.add(caught{
		op: m.op, id: cmp.Or(m.key, m.id), node: m.node, corr: m.corr, at: m.at, weight: float64(weight), text: func() string { return text },
	})
}

// Verdict fails if a session did not find what it had written.
func (o *ownWrites) Verdict() Verdict {
	d := o.durability
	if d.blown != "" {
		return Verdict{Check: o.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	var w wrongs
	missed, older := o.kept(o.missed), o.kept(o.older)
	asked := o.asked - (len(o.missed) - len(missed)) - (len(o.older) - len(older))
	for _, m := range missed {
		late := m.sent - d.writes[m.id].acked
		o.blame(&w, m, late, fmt.Sprintf("%s of %s by session %s, sent %s after its write was acknowledged, did not find it", m.op, m.id, m.session, span(late)))
	}
	if n := len(missed) + o.more; n > 0 {
		w.say(fmt.Sprintf("%d of %s did not find what their session had written", n, many(asked, "read")))
	}
	for _, m := range older {
		o.blame(&w, m, 0, fmt.Sprintf("%s of %s by session %s sent at %.3f s was shown version %d, and the session had made version %d at %.3f s",
			m.op, m.key, m.session, m.sent.Seconds(), m.shown, m.wanted, m.wantedFrom.Seconds()))
	}
	if n := len(older); n > 0 {
		w.say(were(n, "read") + " shown an older version than their session had made")
	}
	doubt := ""
	if asked == 0 {
		doubt = "no session read what it had written"
	}
	return w.verdict(o.Name(), doubt, many(asked, "read")+" of what the same session had written, each found it")
}
