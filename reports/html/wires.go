package html

import (
	"math"

	"github.com/proofload/proofload/reports/check"
)

// wire draws a connection between two nodes: straight, or around the boxes that
// would hide a part of it and make it look like two others. The way around leads
// along the edge of the column, then between two rows.
func (p *picture) wire(from, to check.Node, at func(check.Node) (x, y float64), number int, class string) {
	x, y := at(from)
	x2, y2 := at(to)
	if !p.hides(from, to, at) {
		p.line(x, y, x2, y2, class)
		return
	}
	side := 1.0
	if x2 < x || x2 == x && x+p.column > p.left+p.span {
		side = -1
	}
	lane := 3 * float64(number%3-1) // those that take the same way are told apart
	edge := min(p.left+p.span-2, max(p.left+2, x+side*p.column/2+lane))
	gap := y2 - (boxHeight+boxGap)/2 + lane/1.5
	if y2 < y {
		gap = y2 + (boxHeight+boxGap)/2 + lane/1.5
	}
	p.path("M"+px(x)+" "+px(y)+"H"+px(edge)+"V"+px(gap)+"H"+px(x2+lane)+"V"+px(y2), class)
}

// hides reports whether a box of another node is in the way between two.
func (p *picture) hides(from, to check.Node, at func(check.Node) (x, y float64)) bool {
	x, y := at(from)
	x2, y2 := at(to)
	const points = 60
	for _, n := range p.nodes {
		if n.Name == from.Name || n.Name == to.Name {
			continue
		}
		boxX, boxY := at(n)
		for i := 1; i < points; i++ {
			share := float64(i) / points
			if math.Abs(x+share*(x2-x)-boxX) < p.column/2-6 && math.Abs(y+share*(y2-y)-boxY) < boxHeight/2 {
				return true
			}
		}
	}
	return false
}
