package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/reportstest"
)

// TestPageFollowsASuite shows one run after the other, and the next drill of
// one that has several.
func TestPageFollowsASuite(t *testing.T) {
	s := open(t, Config{})
	first := NewFeed(about(), spec(), atSix)
	s.Begin(first)
	play(first)
	result := reportstest.Pass()
	if err := s.Finish(t.Context(), first, result, "runs/r1/report.html"); err != nil {
		t.Fatal(err)
	}
	sees := func(wants ...string) {
		t.Helper()
		_, page := do(t, http.MethodGet, s.URL(), nil)
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("no %q in the page", want)
			}
		}
	}
	sees("PASS", "Open the report", "runs/r1/report.html")
	if code, report := do(t, http.MethodGet, s.URL()+"report", nil); code != http.StatusOK || !strings.Contains(report, "Reproduce</h2>") {
		t.Errorf("report: status %d", code)
	}

	next := about()
	next.Run, next.Scenario.Name = "r2", "sim-next"
	repeated := spec()
	repeated.Drills = 2
	second := NewFeed(next, repeated, func() time.Duration { return time.Second })
	s.Begin(second)
	second.Say("waiting for pg-1")
	sees("PREPARING", "waiting for pg-1", "sim-next", "Runs that are over", "<b>"+result.Verdict+"</b> "+result.Scenario.Name)

	second.Close()

	again := NewFeed(next, repeated, func() time.Duration { return 22 * time.Second })
	s.Begin(again)
	defer again.Close()
	play(again)
	again.Observe(&history.Event{At: 11 * time.Second, By: history.ByRun, Op: history.RunLoadEnd, Drill: 1})
	sees("SETTLING", "The load is over")
	again.Observe(&history.Event{At: 20 * time.Second, By: history.ByRun, Op: history.RunDrill, Drill: 2})
	sees("RUNNING", "Drill 2 of 2", "0:02 of 0:10", "kill postgres.primary, planned for 0:05")
}
