package check

import (
	"fmt"
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
// one.
type ownWrites struct {
	course     *course
	durability *durability
	asked      int
	missed     []missedWrite
	more       int // not kept
	versions   map[sessionKey]version
	older      staleReads
}

// A missedWrite is a read that did not find a write of its own session.
type missedWrite struct {
	id, op, node, corr, session string
	sent, at                    time.Duration
}

type sessionKey struct{ session, key string }

func newOwnWrites(c *course, d *durability) *ownWrites {
	return &ownWrites{course: c, durability: d, versions: map[sessionKey]version{}}
}

// Name returns "read-your-writes".
func (*ownWrites) Name() string { return nameOwnWrites }

// Observe takes the operations of sessions.
func (o *ownWrites) Observe(e *history.Event) {
	if e.By != history.ByLoad || e.Session == "" || e.Kind == history.Invoke {
		return
	}
	key := sessionKey{e.Session, e.Key}
	switch {
	case e.Write:
		if e.Kind == history.OK && e.Value > o.versions[key].number && len(o.versions) < maxSighted {
			o.versions[key] = version{e.Value, e.At}
		}
	case o.isOwn(e):
		o.asked++
		if absent(e) {
			o.miss(e)
		}
	case sees(e):
		o.observeVersion(key, e)
	}
}

// isOwn reports whether a read asks for a write of its own session that had been
// acknowledged before.
func (o *ownWrites) isOwn(e *history.Event) bool {
	w := o.durability.writes[e.Key]
	return w != nil && w.acknowledged() && w.acked <= e.Sent && o.durability.words.of(w.session) == e.Session
}

func (o *ownWrites) miss(e *history.Event) {
	if len(o.missed) == maxMissed {
		o.more++
		return
	}
	o.missed = append(o.missed, missedWrite{
		id: e.Key, op: e.Op, node: e.Node, corr: e.Correlation(), session: e.Session, sent: e.Sent, at: e.At,
	})
}

// observeVersion takes a read of something of which the session was told a
// version when it changed it.
func (o *ownWrites) observeVersion(key sessionKey, e *history.Event) {
	made, ok := o.versions[key]
	if !ok || made.at > e.Sent {
		return
	}
	o.asked++
	if e.Value >= made.number {
		return
	}
	text := fmt.Sprintf("%s of %s by session %s sent at %.3f s was shown version %d, and the session had made version %d at %.3f s",
		e.Op, e.Key, e.Session, e.Sent.Seconds(), e.Value, made.number, made.at.Seconds())
	o.older.count++
	if len(o.older.examples) < maxExamples {
		o.older.examples = append(o.older.examples, text)
	}
	o.older.wrongs.groups.add(caught{op: e.Op, id: e.Key, node: e.Node, corr: e.Correlation(), at: e.At, text: func() string { return text }})
}

// Verdict fails if a session did not find what it had written.
func (o *ownWrites) Verdict() Verdict {
	d := o.durability
	if d.blown != "" {
		return Verdict{Check: o.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	w := o.older.wrongs
	n := o.more
	for _, m := range o.missed {
		made := d.writes[m.id]
		if d.lost(made) {
			continue
		}
		n++
		late := m.sent - made.acked
		text := fmt.Sprintf("%s of %s by session %s, sent %s after its write was acknowledged, did not find it", m.op, m.id, m.session, span(late))
		if len(w.examples) < maxExamples {
			w.examples = append(w.examples, text)
		}
		w.groups.add(caught{op: m.op, id: m.id, node: m.node, corr: m.corr, at: m.at, weight: float64(late), text: func() string { return text }})
	}
	if n > 0 {
		w.say(fmt.Sprintf("%d of %s did not find what their session had written", n, many(o.asked, "read")))
	}
	if o.older.count > 0 {
		w.say(were(o.older.count, "read")+" shown an older version than their session had made", o.older.examples...)
	}
	doubt := ""
	if o.asked == 0 {
		doubt = "no session read what it had written"
	}
	return w.verdict(o.Name(), doubt, many(o.asked, "read")+" of what the same session had written, each found it")
}
