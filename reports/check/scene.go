package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports/history"
)

// maxJournal is how many entries of a journal are kept: a run with more is one
// that nobody reads line by line.
const maxJournal = 500

// A Topology is what the system was made of, and what its nodes were seen to
// be.
type Topology struct {
	Nodes []Node                 `json:"nodes"`
	Links []history.TopologyLink `json:"links"`
}

// A Node is one node of the system under test.
type Node struct {
	Name   string      `json:"name"`
	Role   string      `json:"role"` // what it does, for example "postgres"
	Zone   string      `json:"zone"` // where it is, empty if that is not known
	States []NodeState `json:"states,omitempty"`
}

// A NodeState is what a probe saw of a node from a moment on.
type NodeState struct {
	At    float64 `json:"at_ms"` // since the run began
	State string  `json:"state"` // "primary", "replica", another role, or "down"
}

// StateDown is the state of a node that did not answer its probe.
const StateDown = "down"

// A JournalEntry is one line of the journal of a run, for people.
type JournalEntry struct {
	At    float64 `json:"at_ms"` // since the run began
	Drill int     `json:"drill"` // 0 before the first
	What  string  `json:"what"`  // drill, phase, fault, entry, database, note, audit, stop, error, or what the run calls it
	Text  string  `json:"text"`
}

// What entries are that say why operations were not good.
const (
	JournalError  = "error"           // the text of an operation's error, the first of each class
	JournalMisfit = history.RunMisfit // the workload and the system do not fit
)

// A scene keeps what happened beside the load: what the nodes were seen to be,
// and the events that a person would write down. It decides nothing.
type scene struct {
	fuse
	course   *course
	topology Topology
	journal  []JournalEntry
	left     int // entries that were not kept
	phases   map[opDrill]bool
	classes  map[opKey]bool // errors of which there is a text, by op and class

	positions map[string]position // of the databases, as last seen, by node
}

func newScene(c *course) *scene {
	return &scene{course: c, phases: map[opDrill]bool{}, classes: map[opKey]bool{}, positions: map[string]position{}}
}

func (s *scene) observe(e *history.Event) {
	switch e.By {
	case history.ByRun:
		s.progress(e)
	case history.ByFault:
		s.fault(e)
	case history.ByProbe:
		s.probe(e)
	case history.ByLoad:
		s.phase(e)
		s.failure(e)
	case history.ByAudit:
		if e.Op == history.AuditDone {
			text := "the final reads are complete"
			if e.Kind == history.Fail {
				text = "the final reads are not complete: " + e.Text
			}
			s.note(e, "audit", text)
		}
	}
}

func (s *scene) note(e *history.Event, what, text string) {
	if len(s.journal) == maxJournal {
		s.left++
		return
	}
	drill := 0
	if e.Drill > 0 || s.course.current > 0 {
		drill = s.course.number(e)
	}
	s.journal = append(s.journal, JournalEntry{At: ms(e.At), Drill: drill, What: what, Text: text})
}

// progress notes the course of the run. What this version does not know, such as
// an answer to a gate, is noted as it says it.
func (s *scene) progress(e *history.Event) {
	if t, ok := history.TopologyOf(e); ok {
		s.take(t)
		return
	}
	switch e.Op {
	case history.RunDrill:
		s.note(e, "drill", fmt.Sprintf("drill %d begins", e.Drill))
	case history.RunPhase:
		s.phase(e)
	case history.RunLoadEnd:
		s.note(e, "drill", "the load is over")
	case history.RunDrillEnd:
		s.note(e, "drill", "the drill is over")
	case history.RunAbort:
		s.note(e, "stop", e.Text)
	case history.RunCut:
		s.note(e, "phase", e.Text)
	case history.RunGenerator, history.RunTopology:
	default:
		if e.Text != "" {
			s.note(e, e.Op, e.Text)
		}
	}
}

// phase notes the first operation that was scheduled in a phase.
func (s *scene) phase(e *history.Event) {
	if e.Phase == "" {
		return
	}
	key := opDrill{opKey{e.Phase, ""}, s.course.number(e)}
	if s.phases[key] {
		return
	}
	s.phases[key] = true
	began := *e
	if from, _, ok := s.course.span(key.drill, e.Phase); ok {
		began.At = from
	}
	s.note(&began, "phase", "phase "+e.Phase+" begins")
}

// failure notes what was said of the first error of its class of an operation.
func (s *scene) failure(e *history.Event) {
	if key := (opKey{e.Op, e.Class}); completed(e) && e.Text != "" && !s.classes[key] {
		s.classes[key] = true
		s.note(e, JournalError, e.Op+": "+e.Class+": "+e.Text)
	}
}

func (s *scene) fault(e *history.Event) {
	name := strings.TrimSpace(e.Verb + " " + e.Target)
	if e.ID != "" && e.ID != name {
		name += " (" + e.ID + ")"
	}
	switch e.Op {
	case history.FaultInject:
		s.note(e, "fault", name)
		if breaks(e.Verb) {
			s.stand(e)
		}
	case history.FaultSettled:
		s.note(e, "fault", name+" seen in effect: "+e.Text)
	case history.FaultRecover:
		s.note(e, "fault", name+": mending it")
	case history.FaultRecovered:
		s.note(e, "fault", name+" seen to be gone: "+e.Text)
	case history.FaultFailed:
		s.note(e, "fault", name+" failed: "+e.Text)
	}
}

// take takes the nodes that the run says there are.
func (s *scene) take(t history.Topology) {
	s.topology.Links = t.Links
	for _, n := range t.Nodes {
		known := s.node(n.Name)
		known.Role, known.Zone = n.Role, n.Zone
	}
}

func (s *scene) node(name string) *Node {
	i := slices.IndexFunc(s.topology.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		i = len(s.topology.Nodes)
		s.topology.Nodes = append(s.topology.Nodes, Node{Name: name})
	}
	return &s.topology.Nodes[i]
}

// probe keeps what a node was seen to be, where that changed.
func (s *scene) probe(e *history.Event) {
	if e.Op != history.ProbeDatabase || e.Node == "" {
		return
	}
	s.follow(e)
	n := s.node(e.Node)
	if n.Role == "" {
		n.Role = "postgres"
	}
	state := e.Role
	if e.Kind == history.Fail {
		state = StateDown
	}
	if last := len(n.States) - 1; last >= 0 && n.States[last].State == state {
		return
	}
	if len(n.States) < maxJournal {
		n.States = append(n.States, NodeState{At: ms(e.At), State: state})
	}
}

// entries is the journal in the order of its times.
func (s *scene) entries() []JournalEntry {
	slices.SortStableFunc(s.journal, func(a, b JournalEntry) int { return cmp.Compare(a.At, b.At) })
	if s.left > 0 {
		last := s.journal[len(s.journal)-1]
		return append(s.journal, JournalEntry{At: last.At, Drill: last.Drill, What: "note", Text: fmt.Sprintf("and %d more entries", s.left)})
	}
	return s.journal
}
