package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// The bounds of the search, which is exponential where a history is illegal and
// many writes overlap. It must come to the same end on every machine, so that
// steps are counted and not time.
const (
	maxStrongReads = 1_000_000 // kept in all
	maxSteps       = 200_000   // of one search
	maxAllSteps    = 5_000_000 // of all of them

	fileLinearity = "linearizability.html" // the picture of the first account that is not
)

// linearizable checks that the balance and the version of each account, as strong
// reads were shown them, can be explained by the writes taking effect one after
// another, each at some moment between its sending and its answer.
//
// A write of unknown outcome is settled from the store first: it happened if it
// is there. When it happened is settled from the reads, which count the changes
// of an account. Accounts of which a write is lost are left to those who count
// losses.
type linearizable struct {
	course     *course
	durability *durability
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
	return &linearizable{course: c, durability: d, reads: map[accountKey][]strongRead{}}
}

// Name returns "linearizable".
func (*linearizable) Name() string { return nameLinearizable }

// Observe keeps the reads that have a strong promise.
func (l *linearizable) Observe(e *history.Event) {
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
		if !happened && !spoils {
			continue
		}
		byKey[accountKey{w.number(), d.words.of(w.key)}].add(id, w, -w.amount, spoils)
		byKey[accountKey{w.number(), d.words.of(w.peer)}].add(id, w, w.amount, spoils)
	}
	for _, a := range byKey {
		switch {
		case a.spoilt:
			lossy++
		case len(a.moves)+len(a.pending) > 0:
			a.sort()
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *account) int { return cmp.Or(a.drill-b.drill, cmp.Compare(a.key, b.key)) })
	return list, lossy
}

// Verdict fails if what was read of an account cannot be explained.
func (l *linearizable) Verdict() Verdict {
	doubt := cmp.Or(l.durability.blown, l.course.anyUnread())
	if doubt != "" {
		return Verdict{Check: l.Name(), Outcome: Inconclusive, Reason: "the outcome of writes cannot be settled: " + doubt}
	}
	accounts, lossy := l.accounts()
	var w wrongs
	var picture []byte
	judged, unknown, illegal, steps := 0, 0, 0, maxAllSteps
	for _, a := range accounts {
		found := a.judge(&steps)
		switch {
		case found.unknown:
			unknown++
		case found.text == "":
			judged++
		default:
			illegal++
			l.blame(&w, a, found)
			if picture == nil {
				picture = found.draw()
			}
		}
	}
	if illegal > 0 {
		w.say(were(illegal, "account") + " not linearizable: no order of the writes explains what was read")
	}
	switch {
	case unknown > 0:
		doubt = fmt.Sprintf("the search was given up for %s of %d: too many writes overlap", many(unknown, "account"), len(accounts))
	case judged == 0 && lossy > 0:
		doubt = "writes of every account that was read are lost, doubled or unexpected"
	case judged == 0:
		doubt = "no account that was written to was read strongly twice"
	case l.full:
		doubt = "there were more than " + many(maxStrongReads, "strong read")
	}
	v := w.verdict(l.Name(), doubt, fmt.Sprintf("%s linearizable, by %s", were(judged, "account"), many(l.kept, "strong read")))
	if picture != nil {
		v.Pictures = map[string][]byte{fileLinearity: picture}
	}
	return v
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
