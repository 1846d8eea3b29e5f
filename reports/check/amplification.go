package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// attemptWindow is the stretch over which attempts are compared with what
// clients asked for. It is long beside the pace at which nodes are asked.
const attemptWindow = 5 * time.Second

// amplification checks that operations do not cause many more attempts further
// down when something is broken: retries that multiply keep a system down. It
// compares, window by window, what nodes counted with what clients sent, and the
// worst of them with what it is in calm.
type amplification struct {
	course *course
	faults *faults
	bound  float64
	levels []*level
	sent   map[int64]int64 // operations by window
	drill  map[int64]int   // of each window
	scored map[int64]bool
}

// A level is one kind of attempt.
type level struct {
	*counters

	made map[int64]float64 // by window
}

// add spreads attempts evenly over the time in which they were made: a node that
// was not asked for a while has not made all of them at its end.
func (l *level) add(grown int64, from, to time.Duration) {
	first, last := int64(from/attemptWindow), int64(to/attemptWindow)
	for w := first; w <= last && grown > 0; w++ {
		share := 1.0
		if to > from {
			begin, end := max(from, time.Duration(w)*attemptWindow), min(to, time.Duration(w+1)*attemptWindow)
			share = float64(end-begin) / float64(to-from)
		}
		l.made[w] += share * float64(grown)
	}
}

func newAmplification(c *course, fs *faults, bound float64) *amplification {
	a := &amplification{course: c, faults: fs, bound: bound, sent: map[int64]int64{}, drill: map[int64]int{}, scored: map[int64]bool{}}
	for _, name := range []string{history.CounterRequests, history.CounterAttempts} {
		a.levels = append(a.levels, &level{newCounters(name), map[int64]float64{}})
	}
	return a
}

// Name returns "retry-amplification".
func (*amplification) Name() string { return nameAmplification }

// Observe takes operations, and what nodes count.
func (a *amplification) Observe(e *history.Event) {
	if completed(e) && e.Class != history.ClassShed {
		w := int64(e.Sent / attemptWindow)
		p, _ := a.course.phase(e.Phase)
		a.sent[w]++
		a.drill[w] = a.course.number(e)
		a.scored[w] = p.Score
		return
	}
	for _, l := range a.levels {
		grown, since := l.observe(e)
		l.add(grown, since, e.At)
	}
}

// Verdict fails if operations caused more attempts than allowed.
func (a *amplification) Verdict() Verdict {
	var w wrongs
	doubt := "no node was asked how many attempts it made"
	pass := ""
	for _, l := range a.levels {
		if l.samples == 0 {
			continue
		}
		calm, worst, at, ok := a.compare(l)
		if !ok {
			doubt = "there was no calm stretch to compare with, or none in which something was broken"
			continue
		}
		if pass != "" {
			pass += ", "
		}
		pass += fmt.Sprintf("at most %s times as many %s an operation as in calm", digits(worst/calm), l.name)
		if worst/calm > a.bound {
			text := fmt.Sprintf("an operation caused %s %s at %s, %s times as many as in calm (limit %s)",
				digits(worst), l.name, span(at), digits(worst/calm), digits(a.bound))
			w.say(text)
			w.groups.add(caught{op: l.name, at: at, weight: worst, text: func() string { return text }})
		}
	}
	if pass != "" {
		doubt = ""
	}
	return w.verdict(a.Name(), doubt, pass)
}

// compare returns how many attempts an operation caused in calm, and in the worst
// window afterwards.
func (a *amplification) compare(l *level) (calm, worst float64, at time.Duration, ok bool) {
	var made float64
	var sent int64
	seen := false
	for _, w := range slices.Sorted(maps.Keys(a.sent)) {
		from := time.Duration(w) * attemptWindow
		if a.sent[w] < fewAnswers || !a.scored[w] {
			continue
		}
		broken, faulty := a.faults.firstIn(a.drill[w])
		if !faulty || from+attemptWindow <= broken {
			made += l.made[w]
			sent += a.sent[w]
			continue
		}
		seen = true
		if ratio := l.made[w] / float64(a.sent[w]); ratio > worst {
			worst, at = ratio, from
		}
	}
	if sent == 0 || made == 0 || !seen {
		return 0, 0, 0, false
	}
	return made / float64(sent), worst, at, true
}
