//go:build integration

package html_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/live/web"
)

// liveRun follows a run that goes on, and whose page is drawn anew all the time.
func liveRun(t *testing.T, answer func(id string, goOn bool) error) *web.Server {
	t.Helper()
	s, err := web.Open(web.Config{Answer: answer, Stop: func() { t.Error("the run is stopped") }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.WithoutCancel(t.Context())) })
	began := time.Now()
	feed := web.NewFeed(reports.Result{Run: "r1", Scenario: reports.Source{Name: "sim-failover"}, Target: "sim/ledger"}, check.Spec{
		Drills:     1,
		Phases:     []check.Phase{{Name: "steady", For: 10 * time.Minute, From: 10, To: 10, Score: true}},
		Events:     []check.Entry{{Name: "primary-lost", Verb: "kill", Target: "postgres.primary", Phase: "steady", At: 9 * time.Minute}},
		Objectives: []check.Objective{{Subject: "steady", Metric: "p99", Op: "<=", Limit: 250}},
	}, func() time.Duration { return 6*time.Second + time.Since(began) })
	s.Begin(feed)
	t.Cleanup(feed.Close)
	feed.Observe(&history.Event{At: 1, By: history.ByRun, Op: history.RunDrill, Drill: 1})
	for i := range 60 {
		sched := time.Duration(i) * 100 * time.Millisecond
		feed.Observe(&history.Event{
			At: sched + 5*time.Millisecond, By: history.ByLoad, Kind: history.OK, Op: "read-account", Drill: 1,
			Phase: "steady", Sched: sched, Sent: sched + time.Millisecond,
		})
	}
	if err := s.Ask([]html.Question{{ID: "gate-1", Text: "Start the outage?", Until: "Until 0:30."}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestKeyboardReachesAllOfALiveRun goes through the page of a run that goes on,
// and answers its gate without a mouse.
func TestKeyboardReachesAllOfALiveRun(t *testing.T) {
	answers := make(chan string, 2)
	s := liveRun(t, func(id string, goOn bool) error {
		if goOn {
			id += " continue"
		}
		answers <- id
		return nil
	})
	b := newBrowser(t)
	l := look{width: 1440, height: 900, script: true}
	b.open(s.URL(), l)
	shown := false
	for range 1000 { // until what was fed is drawn
		b.settle()
		if shown {
			break
		}
		b.evaluate(`["s-objectives", "s-faults", "s-numbers"].every(id => document.getElementById(id))`, &shown)
	}
	reached := b.walk("live", l)
	var all []string
	b.evaluate(reachable, &all)
	if diff := cmp.Diff(all, reached); diff != "" {
		t.Errorf("(-to be reached +reached):\n%s", diff)
	}
	for _, want := range []string{"button Continue", "button Abort and mend", "button Stop the run and mend", "div h-objectives", "div h-faults", "div h-numbers"} {
		if !slices.ContainsFunc(reached, func(name string) bool { return strings.HasSuffix(name, want) }) {
			t.Errorf("no %q among %q", want, reached)
		}
	}
	for range reached { // from the end of the page on to its beginning
		b.tabKey()
		var f focus
		b.evaluate(focused, &f)
		if strings.HasSuffix(f.Name, "button Continue") {
			b.enter()
			break
		}
	}
	select {
	case got := <-answers:
		if got != "gate-1 continue" {
			t.Errorf("answered with %s", got)
		}
	case <-time.After(time.Minute):
		t.Error("the enter key does not answer")
	}
}
