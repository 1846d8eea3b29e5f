package reportstest

import (
	"fmt"
	"math"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// scene adds to a failover what the nodes were seen to be, what happened, and
// how the latencies went.
func scene(r *reports.Result, drills []drill) {
	states := map[string][]check.NodeState{}
	for i, d := range drills {
		began := 1000 * drillEvery * float64(i)
		t0 := began + lossAt + d.jitter
		old, next := fmt.Sprintf("pg-%d", 1+i%2), fmt.Sprintf("pg-%d", 1+(i+1)%2)
		if i == 0 {
			states[old] = []check.NodeState{{At: 200, State: "primary"}}
			states[next] = []check.NodeState{{At: 210, State: "replica"}}
			states["pg-3"] = []check.NodeState{{At: 220, State: "replica"}}
		}
		states[old] = append(states[old], check.NodeState{At: t0 + 130, State: check.StateDown}, check.NodeState{At: t0 + 54_000, State: "replica"})
		states[next] = append(states[next], check.NodeState{At: t0 + d.promoted, State: "primary"})
		r.Journal = append(r.Journal, entries(i+1, began, t0)...)
		r.Heat = append(r.Heat, heat(r, i+1))
	}
	r.Topology = topology(states)
}

// topology is the shape of stack/ledger.
func topology(states map[string][]check.NodeState) check.Topology {
	t := check.Topology{Links: []history.TopologyLink{
		{Name: "app->pgbouncer", From: "api-1", To: "pgbouncer", Carries: "sql"},
		{Name: "app2->pgbouncer", From: "api-2", To: "pgbouncer", Carries: "sql"},
		{Name: "app->redis", From: "api-1", To: "redis", Carries: "cache"},
		{Name: "replication:pg-1", From: "pg-1", To: "*", Carries: "replication"},
		{Name: "replication:pg-2", From: "pg-2", To: "*", Carries: "replication"},
		{Name: "replication:pg-3", From: "pg-3", To: "*", Carries: "replication"},
	}}
	for _, n := range []check.Node{
		{Name: "lb", Role: "lb", Zone: "a"},
		{Name: "api-1", Role: "app", Zone: "a"},
		{Name: "api-2", Role: "app", Zone: "b"},
		{Name: "worker-1", Role: "worker", Zone: "c"},
		{Name: "pgbouncer", Role: "pgbouncer", Zone: "a"},
		{Name: "pg-1", Role: "postgres", Zone: "a"},
		{Name: "pg-2", Role: "postgres", Zone: "b"},
		{Name: "pg-3", Role: "postgres", Zone: "c"},
		{Name: "redis", Role: "redis", Zone: "b"},
		{Name: "rabbitmq", Role: "rabbitmq", Zone: "c"},
		{Name: "etcd", Role: "etcd", Zone: "c"},
	} {
		n.States = states[n.Name]
		t.Nodes = append(t.Nodes, n)
	}
	return t
}

func entries(number int, began, t0 float64) []check.JournalEntry {
	list := []check.JournalEntry{{At: began, Drill: number, What: "drill", Text: fmt.Sprintf("drill %d begins", number)}}
	for _, p := range phases() {
		list = append(list, check.JournalEntry{At: began + 1000*float64(p.start), Drill: number, What: "phase", Text: "phase " + p.name + " begins"})
		if p.name == "failover" {
			list = append(list,
				check.JournalEntry{At: t0 - 2010, Drill: number, What: "fault", Text: "stall link:replication (stall-1)"},
				check.JournalEntry{At: t0, Drill: number, What: "fault", Text: "lose postgres.primary (primary-lost)"},
				check.JournalEntry{At: t0 + 120, Drill: number, What: "fault", Text: "lose postgres.primary (primary-lost) seen in effect: pg-1 refused SQL"},
				check.JournalEntry{At: t0 + 53_900, Drill: number, What: "fault", Text: "lose postgres.primary (primary-lost) seen to be gone: pg-1 streams from pg-2"})
		}
	}
	return append(list, check.JournalEntry{At: began + 1000*drillSeconds, Drill: number, What: "audit", Text: "the final reads are complete"})
}

// heat spreads the operations of every second of a drill around its median, and
// some of them up to its 99th percentile.
func heat(r *reports.Result, number int) check.Heat {
	h := check.Heat{Drill: number, From: -1, Step: 1, Bounds: bounds()}
	for _, s := range r.Series {
		if s.Drill != number {
			continue
		}
		if h.From < 0 {
			h.From = s.At
		}
		h.Counts = append(h.Counts, spread(s, h.Bounds))
	}
	return h
}

func bounds() []float64 {
	return []float64{
		1.5, 2.2, 3.3, 4.7, 6.8, 10, 15, 22, 33, 47, 68, 100, 150, 220, 330, 470, 680, 1000, 1500, 2200, 3300, 4700, 6800,
	}
}

func spread(s check.Second, bounds []float64) []int {
	counts := make([]int, len(bounds))
	total := 0.0
	weights := make([]float64, len(bounds))
	for i, b := range bounds {
		away := math.Log(b / s.P50)
		if away < 0 {
			away *= -3
		}
		if b <= 1.5*s.P99 {
			weights[i] = math.Exp(-1.6 * away)
			total += weights[i]
		}
	}
	for i := range bounds {
		counts[i] = int(math.Round(float64(s.OK) * weights[i] / max(total, 1e-9)))
	}
	return counts
}
