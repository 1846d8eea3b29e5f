package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// JournalDatabase is what an entry is that says what a database was seen to be.
const JournalDatabase = "database"

// A position is where a database node was seen to be.
type position struct {
	at       time.Duration
	role     string // empty if it did not answer
	timeline int
	wal      int64 // what a primary has written, or a replica replayed; 0 if that is not known
}

func positionOf(e *history.Event) position {
	if e.Kind == history.Fail {
		return position{at: e.At}
	}
	return position{at: e.At, role: e.Role, timeline: e.Timeline, wal: e.Value}
}

// String says it as an administrator of Postgres does.
func (p position) String() string {
	if p.role == "" {
		return "no answer"
	}
	said := p.role
	if p.timeline > 0 {
		said += fmt.Sprintf(" on timeline %d", p.timeline)
	}
	if p.wal > 0 {
		said += " at " + lsn(p.wal)
	}
	return said
}

// lsn writes a position in the log as Postgres does.
func lsn(at int64) string { return fmt.Sprintf("%X/%X", uint64(at)>>32, uint32(at)) } //nolint:gosec // both halves of it

// follow notes where a database became something else. Nodes that come and go
// all the time must not crowd out the rest of the journal.
func (s *scene) follow(e *history.Event) {
	now := positionOf(e)
	before, known := s.positions[e.Node]
	changed := known && (now.role != before.role || now.timeline != before.timeline)
	if changed && len(s.journal) < maxJournal/2 {
		s.note(e, JournalDatabase, fmt.Sprintf("%s: %s; before: %s", e.Node, now, before))
	}
	s.positions[e.Node] = now
}

// stand notes where the databases were last seen before something is broken, and
// how far the replicas were behind: that is what can be lost.
func (s *scene) stand(e *history.Event) {
	var said []string
	var primary position
	for _, p := range s.positions {
		if p.role == "primary" && p.wal > primary.wal {
			primary = p
		}
	}
	if primary.wal == 0 || len(s.positions) < 2 {
		return
	}
	oldest := e.At
	for _, node := range slices.Sorted(maps.Keys(s.positions)) {
		p := s.positions[node]
		oldest = min(oldest, p.at)
		text := node + " " + p.String()
		if behind := primary.wal - p.wal; p.role != "" && p.role != "primary" && behind > 0 {
			text += ", " + many(behind, "byte") + " behind"
		}
		said = append(said, text)
	}
	s.note(e, JournalDatabase, fmt.Sprintf("as last seen, at most %s before: %s", span(e.At-oldest), strings.Join(said, "; ")))
}
