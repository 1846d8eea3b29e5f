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
		{4500, 1, "database", "pg-1: no answer; before: primary on timeline 1"},
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

// TestSceneSaysWhereTheDatabasesWere has the journal say what is known of the log
// when the primary is lost, and what the nodes become.
func TestSceneSaysWhereTheDatabasesWere(t *testing.T) {
	seen := func(s float64, node, role string, timeline int, wal int64) history.Event {
		e := primary(s, node, timeline)
		e.Role, e.Value = role, wal
		return e
	}
	lost := history.Event{At: at(4), By: history.ByFault, Op: history.FaultInject, ID: "lost", Verb: "lose", Target: "pg-1", Drill: 1}
	gone := history.Event{At: at(4.5), By: history.ByProbe, Kind: history.Fail, Op: history.ProbeDatabase, Node: "pg-1", Text: "refused"}
	start := history.Event{At: at(9), By: history.ByFault, Op: history.FaultInject, ID: "start-1", Verb: "start", Target: "pg-1", Drill: 1}
	c := newCourse(nil)
	s := newScene(c)
	for _, e := range join(
		drillNo(1, 1), seen(3.7, "pg-1", "primary", 1, 0x1_05A2F118), seen(3.8, "pg-2", "replica", 1, 0x1_05A2F100), seen(3.9, "pg-3", "replica", 1, 0x1_05A2F118),
		lost, gone, seen(4.6, "pg-2", "replica", 1, 0x1_05A2F118), seen(6, "pg-2", "primary", 2, 0x1_05A30000), seen(6.2, "pg-3", "replica", 2, 0x1_05A30000),
		start, seen(9.5, "pg-1", "replica", 2, 0x1_05A31000),
	) {
		c.observe(&e)
		s.observe(&e)
	}
	want := []JournalEntry{
		{1000, 1, "drill", "drill 1 begins"},
		{4000, 1, "fault", "lose pg-1 (lost)"},
		{4000, 1, "database", "as last seen, at most 300 ms before: pg-1 primary on timeline 1 at 1/5A2F118; " +
			"pg-2 replica on timeline 1 at 1/5A2F100, 24 bytes behind; pg-3 replica on timeline 1 at 1/5A2F118"},
		{4500, 1, "database", "pg-1: no answer; before: primary on timeline 1 at 1/5A2F118"},
		{6000, 1, "database", "pg-2: primary on timeline 2 at 1/5A30000; before: replica on timeline 1 at 1/5A2F118"},
		{6200, 1, "database", "pg-3: replica on timeline 2 at 1/5A30000; before: replica on timeline 1 at 1/5A2F118"},
		{9000, 1, "fault", "start pg-1 (start-1)"},
		{9500, 1, "database", "pg-1: replica on timeline 2 at 1/5A31000; before: no answer"},
	}
	if diff := cmp.Diff(want, s.entries()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

// TestSceneOfNodesThatComeAndGo keeps room for the rest of the journal.
func TestSceneOfNodesThatComeAndGo(t *testing.T) {
	s := newScene(newCourse(nil))
	for i := range 3 * maxJournal {
		e := primary(float64(i), "pg-1", i)
		s.observe(&e)
	}
	if n := len(s.entries()); n != maxJournal/2 {
		t.Errorf("%d entries", n)
	}
}
