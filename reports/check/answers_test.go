package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

// contradicted is an answer that promises success, and its body does not.
func contradicted(e history.Event) history.Event {
	e.Kind, e.Class = history.Fail, history.ClassBadBody
	return e
}

func TestAnswersRight(t *testing.T) {
	const repeated = history.PromiseRepeated
	refused := func(e history.Event) history.Event {
		e.Kind, e.Class = history.Fail, "status_4xx"
		return e
	}
	unknown := contradicted(done(1, history.Info, "a"))
	unknown.Status = 201
	runHandTests(t, "answers-right", []handTest{
		{"right", join(replied(1, "", "", 200), replied(2, "", repeated, 200), replied(2, "", "", 503)), false, Pass, "none of 3 answers was wrong"},
		{"wrong", join(replied(1, "", "", 200), contradicted(replied(2, "", "", 200))), false, Fail, "1 of 2 answers promise success and say something else than was asked for"},
		{"wrong, of a write", join(invoke(1, "a"), unknown), false, Fail, "1 of 1 answer promise success and say something else than was asked for"},
		{"refused", join(refused(replied(1, "", "", 404)), refused(replied(2, "", "", 422))), false, Pass, "none of 2 answers was wrong"},
		{"refused when repeated", join(replied(1, "", "", 200), refused(replied(2, "", repeated, 409))), false, Fail, "1 request was refused that had been acknowledged before"},
		{"too many requests", join(replied(1, "", "", 200), refused(replied(2, "", repeated, 429)), replied(2, "", repeated, 503)), false, Pass, "none of 3 answers was wrong"},
		{"let in is for others", join(contradicted(replied(2, "", history.PromiseRefused, 201)), replied(2, "", "", 200)), false, Pass, "none of 1 answer was wrong"},
		{"no answer", join(invoke(1, "a"), done(2, history.Info, "a")), false, Inconclusive, "nothing was answered"},
	})
}
