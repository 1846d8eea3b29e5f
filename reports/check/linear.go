package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// The bounds of the search, which is exponential where many writes overlap that
// move different amounts. It must come to the same end on every machine, so that
// steps are counted and not time.
const (
	maxStrongReads = 1_000_000  // kept in all
	maxSteps       = 200_000    // until the search has come to a single situation
	maxAllSteps    = 20_000_000 // of all accounts, beyond
	stepsEach      = 32         // for each beginning and each end of an operation

	fileLinearity = "linearizability.html" // the picture of the first account that is not
)

// linearizable checks that the balance and the version of each account, as strong
// reads were shown them, can be explained by the writes taking effect one after
// another, each at some moment between its sending and its answer.
//
// A write of unknown outcome is settled from the store first: it happened if it
// is there. When it happened is settled from the reads, which count the changes
// of an account. Accounts of which a write is lost are left to those who count
// losses. What the final reads found an account to have moved by closes it.
type linearizable struct {
	course     *course
	durability *durability
	counters   *counterBounds // what the final reads found
	reads      map[accountKey][]strongRead
	words      words
	kept       int
	full       bool
}

type accountKey struct {
	drill int
	key   string
}

type strongRead struct {
	sent, at         time.Duration
	balance, version int64
	seq              int64  // see [history.Event.Seq]
	op, node         uint32 // see linearizable.words
}

func newLinearizable(c *course, d *durability) *linearizable {
	return &linearizable{course: c, durability: d, counters: newCounterBounds(c, d), reads: map[accountKey][]strongRead{}}
}

// Name returns "linearizable".
func (*linearizable) Name() string { return nameLinearizable }

// Observe keeps the reads that have a strong promise, and what the final reads
// found.
func (l *linearizable) Observe(e *history.Event) {
	l.counters.Observe(e)
	if e.Promise != history.PromiseStrong || !sees(e) {
		return
	}
	if l.kept == maxStrongReads {
		l.full = true
		return
	}
	l.kept++
	key := accountKey{l.course.number(e), e.Key}
	l.reads[key] = append(l.reads[key], strongRead{e.Sent, e.At, e.Amount, e.Value, e.Seq, l.words.number(e.Op), l.words.number(e.Node)})
}

// accounts returns what happened to each account that was read twice, and how
// many of them cannot be judged because of what became of their writes.
func (l *linearizable) accounts() (list []*account, lossy int) {
	byKey := map[accountKey]*account{}
	for key, reads := range l.reads {
		if len(reads) > 1 {
			byKey[key] = &account{accountKey: key, reads: reads}
		}
	}
	d := l.durability
	for id, w := range d.writes {
		happened := w.acknowledged() || w.indeterminate() && w.found()
		spoils := d.lost(w) || d.observedThenLost(w) || w.unexpected() || w.altered() || w.duplicated() || w.amount == 0 && happened
		from, to := byKey[accountKey{w.number(), d.words.of(w.key)}], byKey[accountKey{w.number(), d.words.of(w.peer)}]
		if happened || spoils {
			from.add(id, w, -w.amount, spoils)
			to.add(id, w, w.amount, spoils)
		} else if w.indeterminate() {
			from.leaveOpen()
			to.leaveOpen()
		}
	}
	for _, a := range byKey {
		if a.spoilt {
			lossy++
			continue
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *account) int { return cmp.Or(a.drill-b.drill, cmp.Compare(a.key, b.key)) })
	return list, lossy
}

// linearity is what was found of all accounts.
type linearity struct {
	wrongs          wrongs
	picture         []byte
	accounts        int // that were written to, and of which two reads were judged
	illegal         int
	reads, unjudged int
}

// Verdict fails if what was read of an account cannot be explained.
func (l *linearizable) Verdict() Verdict {
	doubt := cmp.Or(l.durability.blown, l.course.anyUnread())
	if doubt != "" {
		return Verdict{Check: l.Name(), Outcome: Inconclusive, Reason: "the outcome of writes cannot be settled: " + doubt}
	}
	accounts, lossy := l.accounts()
	var f linearity
	left := patience{maxSteps, maxAllSteps}
	for i, a := range accounts {
		a.sort()
		l.judge(&f, a, &left)
		accounts[i] = nil // there may be much of it
	}
	if f.illegal > 0 {
		f.wrongs.say(were(f.illegal, "account") + " not linearizable: no order of the writes explains what was read")
	}
	switch {
	case f.unjudged > 0:
		doubt = fmt.Sprintf("the search was given up at %s of %d: too many writes overlap", many(f.unjudged, "strong read"), f.reads+f.unjudged)
	case f.accounts == 0 && lossy > 0:
		doubt = "writes of every account that was read are lost, doubled or unexpected"
	case f.accounts == 0:
		doubt = "no account that was written to was read strongly twice"
	case l.full:
		doubt = "there were more than " + many(maxStrongReads, "strong read")
	}
	v := f.wrongs.verdict(l.Name(), doubt, fmt.Sprintf("%s linearizable, by %s", were(f.accounts, "account"), many(f.reads, "strong read")))
	if f.picture != nil {
		v.Pictures = map[string][]byte{fileLinearity: f.picture}
	}
	return v
}

// judge adds what is found of one account.
func (l *linearizable) judge(f *linearity, a *account, left *patience) {
	e := a.judge(left)
	if c := l.counters; e.text == "" && len(a.moves) > 0 && !a.open && c.whole[a.drill] && c.unread == "" {
		e.text, e.read = a.close(c.found[a.drill][a.key]), a.reads[len(a.reads)-1]
	}
	f.unjudged += e.unjudged
	if e.text != "" {
		f.illegal++
		l.blame(&f.wrongs, a, e)
		if f.picture == nil {
			f.picture = e.window.draw()
		}
		return
	}
	if len(a.moves) > 0 {
		f.accounts += one(e.judged > 1)
		f.reads += e.judged
	}
}

func (l *linearizable) blame(w *wrongs, a *account, f explanation) {
	text := fmt.Sprintf("%s in drill %d: %s", a.key, a.drill, f.text)
	if len(w.examples) < maxExamples {
		w.examples = append(w.examples, text)
	}
	r := f.read
	corr := (&history.Event{Drill: a.drill, Seq: r.seq}).Correlation()
	w.groups.add(caught{
		op: l.words.of(r.op), id: a.key, node: l.words.of(r.node), corr: corr, at: r.at, text: func() string { return text },
	})
}
