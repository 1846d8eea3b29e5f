package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestObservedWrites(t *testing.T) {
	saw := func(status int) history.Event {
		e := sawOf(4, "", "b", "primary", 1, 0)
		e.Status = status
		return e
	}
	unknown := join(wrote(1, "a"), invoke(2, "b"), done(3, history.Info, "b"), stored("a", 1, 1))
	runHandTests(t, "observed-writes", []handTest{
		{"seen and gone", join(unknown, saw(200)), false, Fail, "1 write was observed, then lost: a client was shown what is not there"},
		{"seen and there", join(unknown, saw(200), stored("b", 1, 1)), false, Pass, "1 write was read by clients, none is gone"},
		{"asked for and not found", join(unknown, saw(404)), false, Inconclusive, "no write was read by a client"},
		{"acknowledged is for others", join(wrote(1, "b"), saw(200)), false, Pass, "1 write was read by clients, none is gone"},
		{"not read at the end", join(unknown, saw(200)), true, Inconclusive, "the final reads were not made"},
	})
}
