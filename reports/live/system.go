package live

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports/history"
)

// The words for what was seen.
const (
	wordUp      = "up"
	wordDown    = "DOWN"
	wordUnknown = "unknown"
	primary     = "primary"
	unlocked    = "unlocked" // text of an agent: no node holds the leader lock
)

// A system is what the probes of a run have seen of its nodes. It asks nothing
// itself: of caches and brokers it knows what the instances say that work with
// them.
type system struct {
	instances []string                   // of the service and its workers, in the order of the topology
	up        map[string]bool            // whether an instance answered last
	views     map[string]map[string]bool // what works, by instance that says so
	databases map[string]string          // node to what it was last seen as
	poolers   map[string]string          // node to what it was last seen as
	route     string                     // where the poolers lead
	agents    map[string]bool            // node to whether its agent misses a leader
	elections bool                       // there was no leader since there was a primary
}

func newSystem() *system {
	return &system{
		up:        map[string]bool{},
		views:     map[string]map[string]bool{},
		databases: map[string]string{},
		poolers:   map[string]string{},
		agents:    map[string]bool{},
	}
}

// take learns which instances there are.
func (s *system) take(t history.Topology) {
	s.instances = nil
	for _, n := range t.Nodes {
		if n.Role == "app" || n.Role == "worker" {
			s.instances = append(s.instances, n.Name)
		}
	}
}

// observe takes an observation of a probe, and returns what changed by it.
func (s *system) observe(e *history.Event) []string {
	switch e.Op {
	case history.ProbeDatabase:
		return s.database(e)
	case history.ProbeRoute:
		return s.pooler(e)
	case history.ProbeAgent:
		s.agents[e.Node] = e.Kind != history.Fail && e.Text == unlocked
		s.elections = s.elections || s.agents[e.Node]
	case history.ProbeCounter:
		return s.instance(e)
	}
	return nil
}

func (s *system) database(e *history.Event) []string {
	seen := e.Role
	if e.Kind == history.Fail {
		seen = wordDown
	}
	was := s.databases[e.Node]
	s.databases[e.Node] = seen
	if seen == primary {
		s.elections = false
	}
	return turned(e.Node, was, seen)
}

func (s *system) pooler(e *history.Event) []string {
	seen, route := wordUp, fmt.Sprintf("%s timeline %d", e.Role, e.Timeline)
	switch {
	case e.Kind != history.Fail && e.Role != primary:
		seen = "up, leads to a " + e.Role
	case e.Kind == history.Fail && e.Class == history.ClassUnreached:
		seen, route = wordDown, wordDown
	case e.Kind == history.Fail:
		seen, route = "up, no database", wordDown
	}
	s.poolers[e.Node] = seen
	was := s.route
	s.route = route
	if was == "" || was == route {
		return nil
	}
	return []string{"route to the database: " + route}
}

// instance takes a number that an instance counts about itself, or that it did
// not answer; some of the numbers say whether something else works.
func (s *system) instance(e *history.Event) []string {
	was, known := s.up[e.Node]
	up := e.Kind != history.Fail
	s.up[e.Node] = up
	var changes []string
	if known {
		changes = turned(e.Node, upOr(was), upOr(up))
	}
	if !up {
		for _, by := range s.views {
			delete(by, e.Node)
		}
		return changes
	}
	name, isView := strings.CutSuffix(e.Target, history.SuffixUp)
	if !isView {
		return changes
	}
	if s.views[name] == nil {
		s.views[name] = map[string]bool{}
	}
	before := s.view(name)
	s.views[name][e.Node] = e.Value > 0
	if before == wordUnknown {
		return changes
	}
	return append(changes, turned(name, before, s.view(name))...)
}

// view is what the instances say of something that they work with.
func (s *system) view(name string) string {
	by, up := s.views[name], 0
	for _, well := range by {
		if well {
			up++
		}
	}
	switch {
	case len(by) == 0:
		return wordUnknown
	case up == 0:
		return wordDown
	case up < len(by):
		return fmt.Sprintf("up for %d of %d", up, len(by))
	}
	return wordUp
}

// line is the whole system in one line, in the order in which a request passes
// it. What nothing was seen of is left out.
func (s *system) line() string {
	var parts []string
	if len(s.up) > 0 {
		parts = append(parts, s.instanceCount())
	}
	for _, n := range slices.Sorted(maps.Keys(s.poolers)) {
		name := n
		if name == "" {
			name = "route"
		}
		parts = append(parts, name+" "+s.poolers[n])
	}
	for _, n := range slices.Sorted(maps.Keys(s.databases)) {
		parts = append(parts, n+" "+s.databases[n])
	}
	if what := s.election(); what != "" {
		parts = append(parts, what)
	}
	for _, name := range slices.Sorted(maps.Keys(s.views)) {
		parts = append(parts, name+" "+s.view(name))
	}
	return strings.Join(parts, "  ")
}

// instanceCount says how many instances answer, and which do not. One that
// nothing was seen of yet does not.
func (s *system) instanceCount() string {
	all := s.instances
	if len(all) == 0 {
		all = slices.Sorted(maps.Keys(s.up))
	}
	var down []string
	for _, n := range all {
		if !s.up[n] {
			down = append(down, n)
		}
	}
	text := fmt.Sprintf("app %d/%d", len(all)-len(down), len(all))
	if len(down) > 0 {
		text += " (" + strings.Join(down, ", ") + " " + wordDown + ")"
	}
	return text
}

// election says how far the databases are with a new primary, nothing while
// there is one or nobody could elect one.
func (s *system) election() string {
	if len(s.agents) == 0 || len(s.databases) == 0 {
		return ""
	}
	for _, seen := range s.databases {
		if seen == primary {
			return ""
		}
	}
	for _, without := range s.agents {
		if without {
			return "no primary, electing"
		}
	}
	if s.elections {
		return "no primary, promoting"
	}
	return "no primary"
}

// turned is the line about what is seen as something else than before, if it is.
func turned(name, was, is string) []string {
	if was == "" || was == is {
		return nil
	}
	return []string{fmt.Sprintf("%s is %s (was %s)", name, is, was)}
}

func upOr(up bool) string {
	if up {
		return wordUp
	}
	return wordDown
}
