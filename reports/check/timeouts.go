package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// timeoutsHold checks that the system always says something: no request that
// reached it waits until its client gives up. One that does shows a timeout that
// is missing, or longer than the patience of those that wait.
type timeoutsHold struct {
	bound  time.Duration
	sent   int
	hung   int
	worst  time.Duration
	wrongs wrongs
}

// Name returns "timeouts-hold".
func (*timeoutsHold) Name() string { return nameTimeouts }

// Observe takes operations that were sent.
func (t *timeoutsHold) Observe(e *history.Event) {
	if !completed(e) || e.Sent == 0 || e.Class == history.ClassShed {
		return
	}
	t.sent++
	waited := e.At - e.Sent
	if waited <= t.bound {
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

// Verdict fails if the system left a request without an answer for too long.
func (t *timeoutsHold) Verdict() Verdict {
	if t.hung > 0 {
		t.wrongs.say(fmt.Sprintf("%d of %s waited for up to %s (limit %s)", t.hung, many(t.sent, "operation"), span(t.worst), span(t.bound)))
	}
	doubt := ""
	if t.sent == 0 {
		doubt = "no operation was sent"
	}
	return t.wrongs.verdict(t.Name(), doubt, fmt.Sprintf("%s each answered within %s", were(t.sent, "operation"), span(t.bound)))
}
