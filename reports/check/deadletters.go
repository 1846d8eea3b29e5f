package check

import (
	"fmt"

	"github.com/proofload/proofload/reports/history"
)

// deadLetters checks that what the workers gave up is kept, with the reason: that
// there are as many dead letters as workers say they have given up, and that each
// says why.
type deadLetters struct {
	course   *course
	counts   *counters
	kept     map[int]int // dead letters by drill
	whole    map[int]bool
	unread   string
	nameless wrongs
	silent   int // that say no reason
}

func newDeadLetters(c *course) *deadLetters {
	return &deadLetters{course: c, counts: newCounters(history.CounterDead), kept: map[int]int{}, whole: map[int]bool{}}
}

// Name returns "dead-letters".
func (*deadLetters) Name() string { return nameDeadLetters }

// Observe takes dead letters, and what workers count.
func (l *deadLetters) Observe(e *history.Event) {
	l.counts.observe(e)
	if e.By != history.ByAudit || e.Op != history.AuditDead {
		return
	}
	drill := l.course.number(e)
	switch {
	case e.Kind == history.Fail:
		l.unread = "the dead letters could not be read: " + e.Text
	case e.ID == "":
		l.whole[drill] = true
		l.kept[drill] = max(l.kept[drill], int(e.Count))
	case e.Text == "":
		l.silent++
		id, queue := e.ID, e.Target
		text := fmt.Sprintf("%s died in %s and does not say why", id, queue)
		if len(l.nameless.examples) < maxExamples {
			l.nameless.examples = append(l.nameless.examples, text)
		}
		l.nameless.groups.add(caught{op: queue, id: id, at: e.At, text: func() string { return text }})
	}
}

// Verdict fails if a message was given up and is nowhere, or does not say why.
func (l *deadLetters) Verdict() Verdict {
	w := l.nameless
	if l.silent > 0 {
		w.say(were(l.silent, "dead letter") + " without a reason")
	}
	doubt := ""
	most := 0
	for _, d := range l.course.list() {
		most = max(most, l.kept[d.number])
		if !l.whole[d.number] && doubt == "" {
			doubt = fmt.Sprintf("the dead letters were not read in drill %d", d.number)
		}
	}
	if l.unread != "" {
		doubt = l.unread
	}
	given := l.counts.total()
	if len(l.course.list()) > 0 && doubt == "" && given > int64(most) {
		w.say(fmt.Sprintf("%s given up and %s kept: the others are nowhere", were(given, "message"), were(most, "dead letter")))
	}
	if doubt == "" && l.counts.samples == 0 {
		doubt = "no worker was asked how much it has given up"
	}
	return w.verdict(l.Name(), doubt, fmt.Sprintf("%s given up, %s kept, each with a reason", were(given, "message"), were(most, "dead letter")))
}
