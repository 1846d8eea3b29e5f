package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestTimeoutsHold(t *testing.T) {
	took := func(s float64, kind history.Kind, class string) history.Event {
		return history.Event{At: at(1 + s), Sched: at(0.5), Sent: at(1), By: history.ByLoad, Kind: kind, Class: class, Op: "pay"}
	}
	runHandTests(t, "timeouts-hold", []handTest{
		{"answered", join(took(4.8, history.OK, "")), false, Pass, "1 operation was each answered within 4.9 s"},
		{"hung", join(took(5, history.Info, "timeout"), took(1, history.OK, "")), false, Fail, "1 of 2 operations waited for up to 5 s (limit 4.9 s)"},
		{"slow success", join(took(5, history.OK, "")), false, Fail, "1 of 1 operation waited for up to 5 s (limit 4.9 s)"},
		{"clients that give up early", join(took(2, history.Info, "timeout"), took(1, history.OK, "")), false, Fail, "1 of 2 operations waited for up to 2 s and had no answer"},
		{"early and late", join(took(2, history.Fail, "header_timeout"), took(5, history.OK, "")), false, Fail, "2 of 2 operations waited for up to 5 s (limit 4.9 s)"},
		{"cut off at once", join(took(0.2, history.Info, "reset"), took(1, history.OK, "")), false, Pass, "1 of 2 operations was answered, each within 4.9 s"},
		{"none answered", join(took(0.2, history.Info, "reset")), false, Inconclusive, "no operation was answered"},
		{"never sent", join(history.Event{At: at(9), By: history.ByLoad, Kind: history.Fail, Class: "shed"}), false, Inconclusive, "no operation was sent"},
	})
}
