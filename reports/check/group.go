package check

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// firstCases is how many of the first cases of a group are kept.
const firstCases = 3

// A caught is one thing that a checker found wrong.
type caught struct {
	op, id, node, corr string
	at                 time.Duration
	weight             float64       // how bad it is, beside others of its group
	text               func() string // made only for the cases that are shown
}

// groups join what was found wrong by operation. Their memory does not grow
// with the number of cases.
type groups struct{ byOp map[string]*group }

type group struct {
	count       int
	since, last time.Duration
	byNode      map[string]int
	first       []caught // in the order of time
	worst       caught
}

func (g *groups) add(c caught) {
	if g.byOp == nil {
		g.byOp = map[string]*group{}
	}
	at := g.byOp[c.op]
	if at == nil {
		at = &group{since: c.at, byNode: map[string]int{}, worst: c}
		g.byOp[c.op] = at
	}
	at.count++
	at.since, at.last = min(at.since, c.at), max(at.last, c.at)
	if c.node != "" {
		at.byNode[c.node]++
	}
	if c.weight > at.worst.weight {
		at.worst = c
	}
	i, _ := slices.BinarySearchFunc(at.first, c, func(a, b caught) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
	})
	if i < firstCases {
		at.first = slices.Insert(at.first, i, c)
		at.first = at.first[:min(len(at.first), firstCases)]
	}
}

// list returns the groups, the largest first.
func (g *groups) list() []Group {
	var list []Group
	for op, at := range g.byOp {
		out := Group{Op: op, Count: at.count, Since: ms(at.since), Until: ms(at.last)}
		if len(at.byNode) > 0 {
			out.ByNode = maps.Clone(at.byNode)
		}
		worst := at.worst
		varies := worst.weight > at.first[0].weight
		for _, c := range at.first {
			same := c.id == worst.id && c.at == worst.at && c.corr == worst.corr
			out.Cases = append(out.Cases, c.shown(same && varies))
			varies = varies && !same
		}
		if varies {
			out.Cases = append(out.Cases, worst.shown(true))
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Op, b.Op))
	})
	return list
}

func (c caught) shown(worst bool) Case {
	return Case{At: ms(c.at), ID: c.id, Node: c.node, Correlation: c.corr, Worst: worst, Text: c.text()}
}
