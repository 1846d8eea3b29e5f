package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// timeoutsHold checks that the system always says something: no request that
// reached it waits until its client gives up, however soon that is. One that does
// shows a timeout that is missing, or longer than the patience of those that wait.
type timeoutsHold struct {
	bound    time.Duration
	sent     int
	answered int
	hung     int
	worst    time.Duration
	wrongs   wrongs
}

// Name returns "timeouts-hold".
func (*timeoutsHold) Name() string { return nameTimeouts }

// Observe takes operations that were sent.
func (t *timeoutsHold) Observe(e *history.Event) {
	if !completed(e) || e.Sent == 0 || e.Class == history.ClassShed {
		return
	}
	t.sent++
	t.answered += one(e.Kind == history.OK || e.Status > 0)
	waited := e.At - e.Sent
	if waited <= t.bound && !gaveUp(e) {
		return
	}
	t.hung++
	t.worst = max(t.worst, waited)
	text := fmt.Sprintf("%s sent at %.3f s had no answer for %s", e.Op, e.Sent.Seconds(), span(waited))
	if e.Class != "" {
		text += " (" + e.Class + ")"
	}
	if len(t.wrongs.examples) < maxExamples {
		t.wrongs.examples = append(t.wrongs.examples, text)
	}
	t.wrongs.groups.add(caught{
		op: e.Op, id: e.ID, node: e.Node, corr: e.Correlation(), at: e.At, weight: float64(waited), text: func() string { return text },
	})
}

// gaveUp reports whether the client of an operation had no answer when it stopped
// waiting.
func gaveUp(e *history.Event) bool {
	return e.Class == history.ClassTimeout || e.Class == history.ClassHeaderTimeout
}

// Verdict fails if the system left a request without an answer for too long.
func (t *timeoutsHold) Verdict() Verdict {
	if t.hung > 0 {
		rest := fmt.Sprintf(" (limit %s)", span(t.bound))
		if t.worst <= t.bound {
			rest = " and had no answer"
		}
		t.wrongs.say(fmt.Sprintf("%d of %s waited for up to %s%s", t.hung, many(t.sent, "operation"), span(t.worst), rest))
	}
	doubt := ""
	switch {
	case t.sent == 0:
		doubt = "no operation was sent"
	case t.answered == 0:
		doubt = "no operation was answered"
	}
	asked := were(t.sent, "operation") + " each answered"
	if t.answered < t.sent {
		was := map[bool]string{true: "was", false: "were"}[t.answered == 1]
		asked = fmt.Sprintf("%s of %s %s answered, each", count(t.answered), many(t.sent, "operation"), was)
	}
	return t.wrongs.verdict(t.Name(), doubt, asked+" within "+span(t.bound))
}
