package check

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

func TestSceneKeepsWhatNodesWereAndWhatHappened(t *testing.T) {
	shape, err := history.Topology{
		Nodes: []history.TopologyNode{{Name: "api-1", Role: "app", Zone: "a"}, {Name: "pg-1", Role: "postgres", Zone: "b"}},
		Links: []history.TopologyLink{{Name: "replication:pg-1", From: "pg-1", To: "*", Carries: "replication"}},
	}.Event()
	if err != nil {
		t.Fatal(err)
	}
	gone := primary(4.5, "pg-1", 1)
	gone.Kind, gone.Role = history.Fail, ""
	lost := history.Event{At: at(4), By: history.ByFault, Op: history.FaultInject, ID: "primary-lost", Verb: "lose", Target: "pg-1", Drill: 1}
	seen := lost
	seen.At, seen.Op, seen.Text = at(4.25), history.FaultSettled, "supervisor: exited"
	gate := history.Event{At: at(3), By: history.ByRun, Op: "gate", Text: "approved by ann", Drill: 1}
	op := done(1.5, history.OK, "a")
	op.Phase, op.Drill, op.Sched = "steady", 1, at(1.2)

	c := newCourse([]Phase{{Name: "steady", For: 10 * time.Second}})
	s := newScene(c)
	for _, e := range join(shape, drillNo(1, 1), primary(1, "pg-1", 1), op, op, primary(2, "pg-1", 1), gate, lost, seen, gone) {
		c.observe(&e)
		s.observe(&e)
	}
	want := Topology{
		Nodes: []Node{
			{Name: "api-1", Role: "app", Zone: "a"},
			{Name: "pg-1", Role: "postgres", Zone: "b", States: []NodeState{{1000, "primary"}, {4500, "down"}}},
		},
		Links: []history.TopologyLink{{Name: "replication:pg-1", From: "pg-1", To: "*", Carries: "replication"}},
	}
	if diff := cmp.Diff(want, s.topology); diff != "" {
		t.Errorf("topology (-want +got):\n%s", diff)
	}
	entries := []JournalEntry{
		{1000, 1, "drill", "drill 1 begins"},
		{1000, 1, "phase", "phase steady begins"},
		{3000, 1, "gate", "approved by ann"},
		{4000, 1, "fault", "lose pg-1 (primary-lost)"},
		{4250, 1, "fault", "lose pg-1 (primary-lost) seen in effect: supervisor: exited"},
	}
	if diff := cmp.Diff(entries, s.entries()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestSceneBoundsItsJournal(t *testing.T) {
	s := newScene(newCourse(nil))
	for range maxJournal + 7 {
		s.observe(&history.Event{By: history.ByRun, Op: history.RunNote, Text: "again"})
	}
	list := s.entries()
	if n := len(list); n != maxJournal+1 || list[n-1].Text != "and 7 more entries" {
		t.Errorf("%d entries, the last %q", n, list[len(list)-1].Text)
	}
}
