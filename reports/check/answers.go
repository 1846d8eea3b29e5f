package check

import (
	"fmt"
	"net/http"

	"github.com/proofload/proofload/reports/history"
)

// answersRight checks that no answer is wrong. To fail is one thing, and may
// happen now and then; to say that all is well and show something else than was
// asked for, or to deny what was acknowledged a moment ago when it is asked for
// again, must not happen once.
//
// Who may do what is not judged here.
type answersRight struct {
	answers int
	wrong   int // that say they are a success
	denied  int // of what had been acknowledged
	wrongs  wrongs
}

// Name returns "answers-right".
func (*answersRight) Name() string { return nameAnswers }

// Observe takes operations that were answered.
func (a *answersRight) Observe(e *history.Event) {
	if !completed(e) || e.Status == 0 && e.Kind != history.OK || e.Promise == history.PromiseRefused {
		return
	}
	a.answers++
	switch {
	case e.Kind == history.OK:
	case e.Class == history.ClassBadBody:
		a.wrong++
		a.blame(e, "which says something else than was asked for")
	case e.Promise == history.PromiseRepeated && denies(e.Status):
		a.denied++
		a.blame(e, "though the same request had been acknowledged before")
	}
}

// denies reports whether an answer is a definite refusal of what was asked for,
// and not of it being asked for now or by this client.
func denies(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (a *answersRight) blame(e *history.Event, why string) {
	text := fmt.Sprintf("%s of %s sent at %.3f s was answered with %d, %s", e.Op, orUnknown(e.Key), e.Sent.Seconds(), e.Status, why)
	if len(a.wrongs.examples) < maxExamples {
		a.wrongs.examples = append(a.wrongs.examples, text)
	}
	a.wrongs.groups.add(caught{op: e.Op, id: e.Key, node: e.Node, corr: e.Correlation(), at: e.At, text: func() string { return text }})
}

// Verdict fails if an answer was wrong.
func (a *answersRight) Verdict() Verdict {
	if a.wrong > 0 {
		a.wrongs.say(fmt.Sprintf("%d of %s promise success and say something else than was asked for", a.wrong, many(a.answers, "answer")))
	}
	if a.denied > 0 {
		a.wrongs.say(were(a.denied, "request") + " refused that had been acknowledged before")
	}
	doubt := ""
	if a.answers == 0 {
		doubt = "nothing was answered"
	}
	return a.wrongs.verdict(a.Name(), doubt, "none of "+many(a.answers, "answer")+" was wrong")
}
