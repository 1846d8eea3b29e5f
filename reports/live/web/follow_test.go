package web

import (
	stdhtml "html"
	"net/http"
	"regexp"
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

// TestPolicyKnowsTheScriptOfReports says that the page lets the script of the
// report run that it opens out of its memory, and no other one that is inside.
func TestPolicyKnowsTheScriptOfReports(t *testing.T) {
	s := open(t, Config{})
	f := NewFeed(about(), spec(), atSix)
	s.Begin(f)
	if err := s.Finish(t.Context(), f, reportstest.ThreeSeconds(), "runs/r1/report.html"); err != nil {
		t.Fatal(err)
	}
	_, report := do(t, http.MethodGet, s.URL()+"report", nil)
	own := regexp.MustCompile(`script-src ('sha256-[^']+')`).FindStringSubmatch(stdhtml.UnescapeString(report))
	if own == nil {
		t.Fatal("the report's own policy names no script")
	}
	for _, path := range []string{"", "report"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self' "+own[1]+";") {
			t.Errorf("%q is under %q, want 'self' and %s as its scripts", path, got, own[1])
		}
	}
}
