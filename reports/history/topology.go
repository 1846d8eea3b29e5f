package history

import "encoding/json"

// RunTopology is the Op of the event by [ByRun] that says what the system is
// made of: Text is JSON of a [Topology].
const RunTopology = "topology"

// A Topology is the shape of the system under test, which does not change
// during a run.
type Topology struct {
	Nodes []TopologyNode `json:"nodes"`
	Links []TopologyLink `json:"links"`
}

// A TopologyNode is one node of the system.
type TopologyNode struct {
	Name string `json:"name"`
	Role string `json:"role"` // what it does, for example "postgres"
	Zone string `json:"zone"` // where it is, empty if that is not known
}

// A TopologyLink is a connection that a fault can act on.
type TopologyLink struct {
	Name    string `json:"name"`
	From    string `json:"from"` // a node, or "*" if several connect through it
	To      string `json:"to"`
	Carries string `json:"carries"` // for example "replication"
}

// Event returns the event that records t.
func (t Topology) Event() (Event, error) {
	text, err := json.Marshal(t)
	return Event{Kind: Info, By: ByRun, Op: RunTopology, Text: string(text)}, err
}

// TopologyOf reads the topology of an event, and whether it has one.
func TopologyOf(e *Event) (Topology, bool) {
	if e.By != ByRun || e.Op != RunTopology {
		return Topology{}, false
	}
	var t Topology
	err := json.Unmarshal([]byte(e.Text), &t)
	return t, err == nil
}
