package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// TestPageShowsAnOpenGate: whoever opens the page while a gate is open sees what
// the run waits for, and since when, and not that the gate is planned.
func TestPageShowsAnOpenGate(t *testing.T) {
	s := open(t, Config{})
	gated := spec()
	gated.Events = append(gated.Events, check.Entry{Name: "gate-1", Verb: "gate", Target: "Start it?", Phase: "steady", At: 2 * time.Second, For: time.Minute})
	f := NewFeed(about(), gated, atSix)
	s.Begin(f)
	defer f.Close()
	sees := func(want string, there bool) {
		t.Helper()
		if _, page := do(t, http.MethodGet, s.URL(), nil); strings.Contains(page, want) != there {
			t.Errorf("%q is in the page: %v, want %v", want, !there, there)
		}
	}
	f.Observe(&history.Event{At: 1, By: history.ByRun, Kind: history.Info, Op: history.RunDrill, Drill: 1})
	f.Observe(&history.Event{At: 2100 * time.Millisecond, By: history.ByRun, Kind: history.Info, Op: history.RunHold, ID: "gate-1", Drill: 1})
	sees("An answer is waited for: Start it?", true)
	sees("waits for an answer", true)
	sees("since 0:02, for ", true)
	sees("planned for 0:02", false)
	f.Observe(&history.Event{At: 5 * time.Second, By: history.ByRun, Kind: history.Info, Op: history.RunGoOn, ID: "gate-1", Drill: 1})
	sees("waits for an answer", false)
	sees("An answer is waited for", false)
}
