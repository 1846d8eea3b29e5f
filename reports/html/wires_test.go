package html

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// TestWiresPassNoOtherNode draws systems by chance: no connection may pass
// behind a node that is not one of its ends.
func TestWiresPassNoOtherNode(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		roles := []string{"lb", "app", "worker", "pgbouncer", "postgres", "redis", "rabbitmq", "etcd"}
		zones := []string{"a", "b", "c"}
		p := &picture{layout: wide()}
		for i := range 3 + random.IntN(12) {
			p.nodes = append(p.nodes, check.Node{
				Name: fmt.Sprint("n", i), Role: roles[random.IntN(len(roles))], Zone: zones[random.IntN(len(zones))],
			})
		}
		for i := range p.nodes {
			to := random.IntN(len(p.nodes))
			p.links = append(p.links, history.TopologyLink{Name: fmt.Sprint("l", i), From: p.nodes[i].Name, To: p.nodes[to].Name})
		}
		p.lay([]scene{{"Before", 0}})
		centres := map[string]point{}
		for _, s := range p.Shapes {
			if s.Kind == "text" && strings.HasPrefix(s.Text, "n") {
				centres[s.Text] = point{number(t, s.X), number(t, s.Y) + 3}
			}
		}
		for _, s := range p.Shapes {
			if s.Class == "link" {
				crossed(t, seed, p, centres, corners(t, s))
			}
		}
	}
}

// crossed reports the nodes that a wire passes and does not end at.
func crossed(t *testing.T, seed uint64, p *picture, centres map[string]point, way []point) {
	t.Helper()
	first, last := way[0], way[len(way)-1]
	for name, c := range centres {
		inside := func(at point) bool {
			return math.Abs(at.t-c.t) < p.column/2-6.5 && math.Abs(at.v-c.v) < boxHeight/2-0.5
		}
		if inside(first) || inside(last) {
			continue
		}
		for i := 1; i < len(way); i++ {
			for step := range 101 {
				share := float64(step) / 100
				at := point{way[i-1].t + share*(way[i].t-way[i-1].t), way[i-1].v + share*(way[i].v-way[i-1].v)}
				if inside(at) {
					t.Errorf("seed %d: the wire %v passes %s at %v", seed, way, name, at)
					return
				}
			}
		}
	}
}

// corners are the points of a wire.
func corners(t *testing.T, s shape) []point {
	t.Helper()
	if s.Kind == "line" {
		return []point{{number(t, s.X), number(t, s.Y)}, {number(t, s.X2), number(t, s.Y2)}}
	}
	var way []point
	for _, m := range regexp.MustCompile(`M([\d.]+) ([\d.]+)|([HV])(-?[\d.]+)`).FindAllStringSubmatch(s.D, -1) {
		switch m[3] {
		case "H":
			way = append(way, point{number(t, m[4]), way[len(way)-1].v})
		case "V":
			way = append(way, point{way[len(way)-1].t, number(t, m[4])})
		default:
			way = append(way, point{number(t, m[1]), number(t, m[2])})
		}
	}
	return way
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
