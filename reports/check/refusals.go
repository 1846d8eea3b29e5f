package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// refusals checks that what a client may not do is refused, also while something
// is broken: a limiter, or a check of who may do what, that lets everybody in
// when it cannot ask is worse than one that keeps everybody out.
//
// Two promises are looked at. An operation that has to be refused must not
// succeed, and of those that are limited a session must not succeed with more in
// any stretch than twice what it may: who counts by the clock's minutes lets so
// many through at the turn of one.
type refusals struct {
	faults  *faults
	refused int // that had to be, and were
	during  int // of these, while something was broken
	done    int // that had to be refused, and succeeded
	limited map[string]*quota
	over    int // beyond a limit
	pressed int // refused for being over a limit
	wrongs  wrongs
}

// A quota is what a session has had of what it may.
type quota struct{ sent []time.Duration } // of what succeeded in the latest stretch

// maxQuotas bounds the sessions that are followed.
const maxQuotas = 100_000

func newRefusals(f *faults) *refusals {
	return &refusals{faults: f, limited: map[string]*quota{}}
}

// Name returns "refusals-hold".
func (*refusals) Name() string { return nameRefusals }

// Observe takes the answers to operations that may be, or have to be, refused.
func (r *refusals) Observe(e *history.Event) {
	if e.By != history.ByLoad || e.Kind == history.Invoke || e.Status == 0 || e.Promise == "" {
		return
	}
	most, per, limited := history.LimitOf(e.Promise)
	success := e.Status >= 200 && e.Status <= 299
	switch {
	case limited && success:
		r.spend(e, most, per)
	case limited && e.Status >= 400 && e.Status <= 499:
		r.pressed++
		r.during += one(r.faults.anyAt(e.At))
	case e.Promise != history.PromiseRefused:
	case success:
		r.done++
		r.blame(e, "and had to be refused")
	case e.Status >= 400 && e.Status <= 499:
		r.refused++
		r.during += one(r.faults.anyAt(e.At))
	}
}

// spend counts what succeeded of a session. Only what was sent and answered
// within one stretch counts: when it was done in between is not known.
func (r *refusals) spend(e *history.Event, most int, per time.Duration) {
	key := e.Session + " " + e.Promise
	q := r.limited[key]
	if q == nil {
		if len(r.limited) == maxQuotas {
			return
		}
		q = &quota{}
		r.limited[key] = q
	}
	kept := q.sent[:0]
	for _, at := range q.sent {
		if at >= e.At-per {
			kept = append(kept, at)
		}
	}
	q.sent = kept
	if e.Sent >= e.At-per {
		q.sent = append(q.sent, e.Sent)
	}
	if len(q.sent) > 2*most {
		r.over++
		r.blame(e, fmt.Sprintf("as one of %d in %s, of which it may have %d", len(q.sent), span(per), most))
	}
}

func (r *refusals) blame(e *history.Event, why string) {
	text := fmt.Sprintf("%s sent at %.3f s was answered with %d, %s", e.Op, e.Sent.Seconds(), e.Status, why)
	if len(r.wrongs.examples) < maxExamples {
		r.wrongs.examples = append(r.wrongs.examples, text)
	}
	r.wrongs.groups.add(caught{op: e.Op, id: e.ID, node: e.Node, corr: e.Correlation(), at: e.At, text: func() string { return text }})
}

// anyAt reports whether something was broken at a moment, as far as is known by
// then.
func (fs *faults) anyAt(at time.Duration) bool {
	for _, f := range fs.all {
		if f.breaks() && f.t0 != unseen && f.t0 <= at && (f.ended() == unseen || f.ended() >= at) {
			return true
		}
	}
	return false
}

// Verdict fails if something succeeded that had to be refused.
func (r *refusals) Verdict() Verdict {
	doubt := ""
	broken := 0
	for _, f := range r.faults.all {
		broken += one(f.breaks() && f.t0 != unseen)
	}
	switch held := r.refused + r.pressed; {
	case r.faults.blown != "":
		doubt = r.faults.blown
	case held == 0:
		doubt = "nothing was asked for that had to be refused"
	case broken > 0 && r.during == 0:
		doubt = "nothing was asked for, while something was broken, that had to be refused"
	}
	if r.done > 0 {
		r.wrongs.say(were(r.done, "operation") + " done that had to be refused")
	}
	if r.over > 0 {
		r.wrongs.say(were(r.over, "operation") + " done beyond the limit of their session")
	}
	return r.wrongs.verdict(r.Name(), doubt, fmt.Sprintf("%s refused as they have to be, %d of them while something was broken", were(r.refused+r.pressed, "operation"), r.during))
}
