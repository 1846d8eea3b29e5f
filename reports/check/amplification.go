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

	made map[int64]int64 // by window
}

func newAmplification(c *course, fs *faults, bound float64) *amplification {
	a := &amplification{course: c, faults: fs, bound: bound, sent: map[int64]int64{}, drill: map[int64]int{}, scored: map[int64]bool{}}
	for _, name := range []string{history.CounterRequests, history.CounterAttempts} {
		a.levels = append(a.levels, &level{newCounters(name), map[int64]int64{}})
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
		l.made[int64(e.At/attemptWindow)] += l.observe(e)
	}
}

// Verdict fails if operations caused more attempts than allowed.
func (a *amplification) Verdict() Verdict {
	var w wrongs
	doubt, pass := "no node was asked how many attempts it made", ""
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
	var made, sent int64
	seen := false
	for _, w := range slices.Sorted(maps.Keys(a.sent)) {
		from := time.Duration(w) * attemptWindow
		if a.sent[w] < fewAnswers || !a.scored[w] {
			continue
		}
		broken, any := a.faults.firstIn(a.drill[w])
		if !any || from+attemptWindow <= broken {
			made += l.made[w]
			sent += a.sent[w]
			continue
		}
		seen = true
		if ratio := float64(l.made[w]) / float64(a.sent[w]); ratio > worst {
			worst, at = ratio, from
		}
	}
	if sent == 0 || made == 0 || !seen {
		return 0, 0, 0, false
	}
	return float64(made) / float64(sent), worst, at, true
}
