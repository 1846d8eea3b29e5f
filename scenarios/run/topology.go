package run

import "github.com/proofload/proofload/reports/history"

// recordTopology writes down what the system is made of, so that whoever reads
// the history can draw it.
func (r *Rig) recordTopology() {
	shape := r.Env.Topology()
	t := history.Topology{Nodes: []history.TopologyNode{}, Links: []history.TopologyLink{}}
	for _, n := range shape.Nodes {
		t.Nodes = append(t.Nodes, history.TopologyNode{Name: n.Name, Role: string(n.Role), Zone: n.Zone})
	}
	for _, l := range shape.Links {
		t.Links = append(t.Links, history.TopologyLink{Name: l.Name, From: l.From, To: l.To, Carries: string(l.Carries)})
	}
	if e, err := t.Event(); err == nil { // plain text can always be encoded
		r.Recorder.Record(e)
	}
}
