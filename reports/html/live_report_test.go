//go:build integration

package html_test

import (
	"context"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/live/web"
	"github.com/proofload/proofload/reports/reportstest"
)

// TestReportOpenedFromTheLivePage opens the report of a run that is over from the
// page that followed it, whose server is gone by then. Its script works there,
// too, under the policies of both.
func TestReportOpenedFromTheLivePage(t *testing.T) {
	result := reportstest.ThreeSeconds()
	s, err := web.Open(web.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.WithoutCancel(t.Context())) })
	feed := web.NewFeed(reports.Result{Run: result.Run, Scenario: result.Scenario}, check.Spec{Drills: 1}, func() time.Duration { return 3 * time.Second })
	s.Begin(feed)
	if err := s.Finish(t.Context(), feed, result, "report.html"); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	b.open(s.URL(), look{width: 1440, height: 900, script: true})
	arrived := false
	for range 1000 { // until the text of the report is there
		b.settle()
		if arrived {
			break
		}
		b.evaluate(`document.getElementById("report")?.protocol === "blob:"`, &arrived)
	}
	s.Close(t.Context())
	// In this tab, which is the one that is listened to.
	b.evaluate(`(() => {
		const link = document.getElementById("report")
		link.removeAttribute("target")
		link.click()
		return true
	})()`, new(bool))
	select {
	case <-b.load:
	case <-time.After(time.Minute):
		t.Fatal("the report was not loaded")
	}
	var got struct {
		Protocol, Verdict string
		Readouts          int
	}
	b.evaluate(`({protocol: location.protocol, verdict: document.querySelector(".verdict").innerText,
		readouts: [...document.querySelectorAll(".readout")].filter(e => e.getClientRects().length).length})`, &got)
	if got.Protocol != "blob:" || got.Verdict != "PASS" || got.Readouts != 1 {
		t.Errorf("%+v, want the report of a pass with one chart that can be read", got)
	}
	for _, line := range b.heard() {
		t.Errorf("the console says %s", line)
	}
}
