package check

import (
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

func TestRefusalsHold(t *testing.T) {
	const refused = history.PromiseRefused
	two := history.Limited(2, time.Second)
	broken := join(faultStep(1, history.FaultInject), faultStep(5, history.FaultRecovered))
	runHandTests(t, "refusals-hold", []handTest{
		{"refused", join(replied(1, "", refused, 403), replied(2, "", refused, 401)), false, Pass, "2 operations were refused as they have to be, 0 of them while something was broken"},
		{"refused while something was broken", join(broken, replied(2, "", refused, 403), replied(9, "", refused, 403)), false, Pass, "2 operations were refused as they have to be, 1 of them while something was broken"},
		{"not asked while something was broken", join(broken, replied(9, "", refused, 403)), false, Inconclusive, "nothing was asked for, while something was broken, that had to be refused"},
		{"let in", join(replied(1, "", refused, 403), replied(2, "", refused, 200)), false, Fail, "1 operation was done that had to be refused"},
		{"no answer is no refusal", join(replied(1, "", refused, 503), replied(1, "", refused, 0)), false, Inconclusive, "nothing was asked for that had to be refused"},
		{"without a promise", join(replied(1, "", "", 200), replied(1, "", history.PromiseStrong, 200)), false, Inconclusive, "nothing was asked for that had to be refused"},
		{"within the limit, at the turn of a second", join(replied(1.8, "s", two, 200), replied(1.9, "s", two, 200), replied(2.1, "s", two, 200), replied(2.2, "s", two, 200), replied(2.3, "s", two, 429)), false, Pass, "1 operation was refused as they have to be, 0 of them while something was broken"},
		{"beyond the limit", join(replied(1.1, "s", two, 200), replied(1.2, "s", two, 200), replied(1.3, "s", two, 200), replied(1.4, "s", two, 200), replied(1.5, "s", two, 200), replied(1.6, "s", two, 429)), false, Fail, "1 operation was done beyond the limit of their session"},
		{"each session has a limit of its own", join(replied(1.1, "s", two, 200), replied(1.2, "s", two, 200), replied(1.3, "s", two, 200), replied(1.4, "s", two, 200), replied(1.5, "t", two, 200), replied(1.6, "t", two, 429)), false, Pass, "1 operation was refused as they have to be, 0 of them while something was broken"},
		{"never pressed", join(replied(1.1, "s", two, 200)), false, Inconclusive, "nothing was asked for that had to be refused"},
	})
}
