package html

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
	"github.com/proofload/proofload/reports/history"
)

const (
	boxHeight = 38.0
	boxGap    = 14.0
	maxNodes  = 60 // of a picture; more are boxes that nobody can read
)

// A scene is what the system looked like at one moment.
type scene struct {
	title string
	at    float64 // ms since the run began
}

// pictureHeading says which moments a picture shows: that of the failure by its
// time, since a fault takes effect, and is noticed, some time after T0.
func pictureHeading(moments []scene) string {
	if len(moments) < 2 {
		return "The system"
	}
	_, when, _ := strings.Cut(moments[1].title, ", ")
	return "The system before the failure, at " + when + ", and afterwards"
}

// scenes are the moments that a picture of a drill shows: before the fault,
// while it was in effect, and when clients were served again, or the end if they
// were served all the time. Without a fault there is one, the end.
func scenes(d *drill) []scene {
	if len(d.recoveries) > 0 {
		rec := d.first()
		said, failure := "Fault in effect", rec.Injected+max(rec.Propagated, 0)+500
		if noticed := rec.Injected + rec.Noticed; rec.Noticed > 0 && noticed > failure {
			said, failure = "Failure noticed", noticed
		}
		list := []scene{{"Before", rec.Injected - 1}, {said + ", T0 +" + format.Duration(failure-rec.Injected), failure}}
		switch {
		case d.idle(): // nobody was there to be served
			return append(list, scene{"At the end of the drill", 1000 * (d.began + d.end)})
		case rec.Steady >= 0 && !rec.Censored && rec.Injected+rec.Steady <= failure: // they hardly noticed
			return append(list, scene{"At the end of the drill", 1000 * (d.began + d.end)})
		case rec.Steady >= 0 && !rec.Censored:
			return append(list, scene{"Clients served again, T0 +" + format.Duration(rec.Steady), rec.Injected + rec.Steady})
		}
		return append(list, scene{"At the end of the drill, not recovered", 1000 * (d.began + d.end)})
	}
	if len(d.faults) > 0 {
		f := d.faults[0]
		at := max(f.From, f.Settled) + 500
		return []scene{
			{"Before", f.From - 1},
			{"Fault in effect, " + format.Clock(at-1000*d.began), at},
			{"At the end of the drill", 1000 * (d.began + d.end)},
		}
	}
	return []scene{{"At the end", 1000 * (d.began + d.end)}}
}

// first is the earliest of the recoveries of a drill that has any.
func (d *drill) first() recovery {
	return slices.MinFunc(d.recoveries, func(a, b recovery) int { return cmp.Compare(a.Injected, b.Injected) })
}

// topologyFigure draws the nodes in their zones at each moment of a drill.
func topologyFigure(r *reports.Result, d *drill) figure {
	return pictureFigure(r, d, scenes(d), wide(), narrow())
}

// pictureFigure draws the nodes in their zones at each of some moments.
func pictureFigure(r *reports.Result, d *drill, moments []scene, broad, slim layout) figure {
	draw := func(l layout) drawing {
		p := &picture{layout: l, nodes: pictured(r.Topology), links: r.Topology.Links, faults: d.faults}
		p.ID, p.W, p.Title = "topology-"+l.name, l.width, "The system before, at and after the failure"
		if len(moments) == 1 {
			p.Title = "The system"
		}
		p.lay(moments)
		return p.drawing
	}
	return figure{Wide: draw(broad), Narrow: draw(slim)}
}

// pictured are the nodes that are drawn: all but the link proxies, which stand
// between the others.
func pictured(t check.Topology) []check.Node {
	nodes := slices.DeleteFunc(slices.Clone(t.Nodes), func(n check.Node) bool { return n.Role == "links" })
	return nodes[:min(maxNodes, len(nodes))]
}

// A picture draws nodes as boxes: a column each zone, a row each role.
type picture struct {
	drawing
	layout
	nodes  []check.Node
	links  []history.TopologyLink
	faults []span
	zones  []string
	rows   map[string]int // of a node, by its name
	depth  int            // how many rows there are

	left, span, column float64 // of the moment that is drawn: where it begins, its width, that of a zone
}

// lay draws the moments beside each other, or below each other where it is
// narrow.
func (p *picture) lay(moments []scene) {
	p.place()
	each, gap := p.width, 0.0
	if !p.slim() && len(moments) > 1 {
		gap = 26
		each = (p.width - gap*float64(len(moments)-1)) / float64(len(moments))
	}
	height := 52 + float64(p.depth)*(boxHeight+boxGap) + 24
	x, y := 0.0, 0.0
	for _, m := range moments {
		p.scene(m, x, y, min(each, 420))
		if p.slim() {
			y += height
			continue
		}
		x += each + gap
	}
	p.H = max(y, height)
}

// place gives every node a row: nodes of one role are in the same rows in all
// zones.
func (p *picture) place() {
	p.rows = map[string]int{}
	for _, n := range p.nodes {
		if !slices.Contains(p.zones, n.Zone) {
			p.zones = append(p.zones, n.Zone)
		}
	}
	slices.Sort(p.zones)
	roles := []string{"lb", "app", "worker", "pgbouncer", "router", "postgres", "redis", "rabbitmq"}
	for _, n := range p.nodes {
		if !slices.Contains(roles, n.Role) {
			roles = append(roles, n.Role)
		}
	}
	for _, role := range roles {
		most, filled := 0, map[string]int{}
		for _, n := range p.nodes {
			if n.Role != role {
				continue
			}
			p.rows[n.Name] = p.depth + filled[n.Zone]
			filled[n.Zone]++
			most = max(most, filled[n.Zone])
		}
		p.depth += most
	}
}

// scene draws one moment into a column of the given width.
func (p *picture) scene(m scene, left, top, width float64) {
	p.text(left, top+14, clip(m.title, width), "start", "strong")
	column := width / float64(max(1, len(p.zones)))
	p.left, p.span, p.column = left, width, column
	for i, zone := range p.zones {
		x := left + column*float64(i)
		p.rect(x+1, top+24, column-2, 24+float64(p.depth)*(boxHeight+boxGap), "phase")
		if zone != "" {
			p.text(x+column/2, top+40, clip("zone "+zone, column-8), "middle", "label")
		}
	}
	at := func(n check.Node) (x, y float64) {
		return left + column*(float64(slices.Index(p.zones, n.Zone))+0.5), top + 50 + float64(p.rows[n.Name])*(boxHeight+boxGap) + boxHeight/2
	}
	for _, hurt := range []bool{false, true} { // those that a fault acts on above the others
		for i, l := range p.links {
			p.link(l, m, at, hurt, i)
		}
	}
	said := []string{}
	for _, n := range p.nodes {
		x, y := at(n)
		state, class := p.state(n, m.at)
		p.bar(x-column/2+6, y-boxHeight/2, column-12, boxHeight, class)
		ink := "node-text"
		if class == "node-bad" {
			ink = "bad-text"
		}
		p.text(x, y-3, clip(n.Name, column-16), "middle", ink)
		p.text(x, y+12, clip(state, column-16), "middle", "label")
		said = append(said, n.Name+" "+state)
	}
	p.Desc += m.title + ": " + strings.Join(said, ", ") + ". "
}

// link draws a connection. One that replicates comes from the primary of the
// moment only.
func (p *picture) link(l history.TopologyLink, m scene, at func(check.Node) (float64, float64), hurt bool, number int) {
	acted := slices.ContainsFunc(p.faults, func(f span) bool { return during(f, m.at) && actsOn(f.Target, l) })
	if acted != hurt {
		return
	}
	from := slices.IndexFunc(p.nodes, func(n check.Node) bool { return n.Name == l.From })
	if from < 0 {
		return
	}
	source := p.nodes[from]
	if state, _ := p.state(source, m.at); l.Carries == "replication" && state != "primary" && !acted {
		return
	} else if l.Carries == "replication" && probed(source, m.at) != "primary" {
		return
	}
	class := "link"
	if acted {
		class = "link-bad"
	}
	for _, n := range p.nodes {
		if n.Name == source.Name || n.Name != l.To && (l.To != "*" || n.Role != source.Role) {
			continue
		}
		p.wire(source, n, at, number, class)
	}
}

// actsOn reports whether a link is among a fault's targets: by its name, or by
// what all links of its kind carry.
func actsOn(target string, l history.TopologyLink) bool {
	for name := range strings.SplitSeq(target, ",") {
		kind, all := strings.CutPrefix(name, "link:")
		if name == l.Name || kind == l.Name || all && kind == l.Carries {
			return true
		}
	}
	return false
}

// during reports whether a fault was in effect at a moment.
func during(f span, at float64) bool { return f.From <= at && (f.To < 0 || at < f.To) }

// probed is what a node was last seen to be.
func probed(n check.Node, at float64) string {
	state := ""
	for _, s := range n.States {
		if s.At <= at {
			state = s.State
		}
	}
	return state
}

// state words what a node was at a moment, and names its colours: what a fault
// did to it outweighs what a probe saw last.
func (p *picture) state(n check.Node, at float64) (said, class string) {
	seen := probed(n, at)
	for _, f := range p.faults {
		hit := slices.Contains(strings.Split(f.Target, ","), n.Name) || f.Target == "zone:"+n.Zone || f.Target == n.Role+".primary" && p.wasPrimary(n, f.From)
		if !hit || f.Verb == "start" || f.Verb == "heal" || !during(f, at) {
			continue
		}
		return format.Past(f.Verb), "node-bad"
	}
	switch seen {
	case check.StateDown:
		return "down", "node-bad"
	case "primary":
		return seen, "node-primary"
	}
	return cmp.Or(seen, roleWords(n.Role), "not seen"), "node"
}

// roleWords says what a node with a role does.
func roleWords(role string) string {
	words := map[string]string{
		"lb": "load balancer", "app": "service", "pgbouncer": "pooler", "redis": "cache", "rabbitmq": "broker",
		"postgres": "database", "etcd": "consensus",
	}
	return cmp.Or(words[role], role)
}

func (p *picture) wasPrimary(n check.Node, at float64) bool { return probed(n, at) == "primary" }

// topologyCaption says which drill is drawn, and how to read it.
func topologyCaption(d *drill, of int) string {
	said := "A column is a zone. The primary has a thick border; red is what a fault acts on or what did not answer."
	if len(d.recoveries) > 0 {
		said = "T0 is " + format.Clock(1000*d.first().t0) + " of the drill. " + said
	}
	if of > 1 {
		said = fmt.Sprintf("Drill %d of %d. ", d.number, of) + said
	}
	return said
}
