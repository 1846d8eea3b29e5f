package check

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGroups joins cases that come in any order: the first three in the order of
// time, and the worst.
func TestGroups(t *testing.T) {
	var g groups
	for i, s := range []float64{5, 9, 1, 7, 3, 8} {
		id := fmt.Sprintf("w-%g", s)
		g.add(caught{op: "pay", id: id, node: fmt.Sprintf("api-%d", 1+i%2), at: at(s), weight: s, text: func() string { return "lost " + id }})
	}
	g.add(caught{op: "look", id: "r", corr: "proofload-1-7", at: at(2), text: func() string { return "stale" }})
	want := []Group{
		{
			Op: "pay", Count: 6, Since: 1000, Until: 9000, ByNode: map[string]int{"api-1": 3, "api-2": 3},
			Cases: []Case{
				{At: 1000, ID: "w-1", Node: "api-1", Text: "lost w-1"},
				{At: 3000, ID: "w-3", Node: "api-1", Text: "lost w-3"},
				{At: 5000, ID: "w-5", Node: "api-1", Text: "lost w-5"},
				{At: 9000, ID: "w-9", Node: "api-2", Worst: true, Text: "lost w-9"},
			},
		},
		{Op: "look", Count: 1, Since: 2000, Until: 2000, Cases: []Case{{At: 2000, ID: "r", Correlation: "proofload-1-7", Text: "stale"}}},
	}
	if diff := cmp.Diff(want, g.list()); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// TestWorstIsAmongTheFirst shows no case twice.
func TestWorstIsAmongTheFirst(t *testing.T) {
	var g groups
	for i, weight := range []float64{1, 8, 2, 3} {
		g.add(caught{op: "pay", id: strconv.Itoa(i), at: time.Duration(i), weight: weight, text: func() string { return "" }})
	}
	cases := g.list()[0].Cases
	if len(cases) != 3 || !cases[1].Worst || cases[0].Worst || cases[2].Worst {
		t.Errorf("cases %+v, want the second of three to be the worst", cases)
	}
}
