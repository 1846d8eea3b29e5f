package html

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

const (
	heatHeight = 110.0
	heatLevels = 5
)

// heat draws how many operations took how long, below the percentiles and over
// the same time: what a percentile hides, such as two groups of clients, shows
// here.
func (t *timeline) heat(top float64) {
	h := t.d.heat
	rows := len(h.Bounds)
	if rows == 0 {
		return
	}
	rowHeight := heatHeight / float64(rows)
	columns := t.columns()
	levels := make([]strings.Builder, heatLevels)
	most := 1
	for _, c := range columns {
		most = max(most, slices.Max(c))
	}
	for row := range rows {
		y := top + heatHeight - float64(row+1)*rowHeight
		for i := 0; i < len(columns); {
			level, from := heatLevel(columns[i][row], most), i
			for i < len(columns) && heatLevel(columns[i][row], most) == level {
				i++
			}
			if level < 0 {
				continue
			}
			x, x2 := t.heatX(from, len(columns)), t.heatX(i, len(columns))
			fmt.Fprintf(&levels[level], "M%s %sH%sV%sH%sZ", px(x), px(y), px(x2), px(y+rowHeight), px(x))
		}
	}
	for i := range levels {
		t.path(levels[i].String(), fmt.Sprintf("heat-%d", i+1))
	}
	for row, b := range h.Bounds {
		if decade := math.Log10(b); math.Abs(decade-math.Round(decade)) > 1e-6 {
			continue
		}
		y := top + heatHeight - float64(row+1)*rowHeight
		t.line(t.x.low, y, t.x.high, y, "grid")
		t.text(t.x.low-6, y+4, format.Limit(format.Milliseconds, b), "end", "label")
	}
	t.heatLegend(top, most)
}

// columns is the heat in no more columns than the chart has room for.
func (t *timeline) columns() [][]int {
	counts := t.d.heat.Counts
	most := int(t.x.high-t.x.low) / 4
	each := (len(counts) + most - 1) / most
	if each <= 1 {
		return counts
	}
	var merged [][]int
	for chunk := range slices.Chunk(counts, each) {
		sum := make([]int, len(chunk[0]))
		for _, c := range chunk {
			for row := range min(len(sum), len(c)) {
				sum[row] += c[row]
			}
		}
		merged = append(merged, sum)
	}
	return merged
}

// heatX is where a column begins.
func (t *timeline) heatX(i, of int) float64 {
	h := t.d.heat
	span := h.Step * float64(len(h.Counts))
	return t.x.at(h.From - t.d.began + span*float64(i)/float64(of))
}

// heatLevel is how dark a number of operations is drawn, on a logarithmic
// scale: one among thousands must still be seen. It is negative for none.
func heatLevel(n, most int) int {
	switch {
	case n <= 0:
		return -1
	case most <= 1:
		return heatLevels - 1
	}
	return min(heatLevels-1, int(float64(heatLevels)*math.Log(float64(n)+0.5)/math.Log(float64(most)+1)))
}

func (t *timeline) heatLegend(top float64, most int) {
	x, y := t.x.low, top-8
	title := "How many operations took how long"
	if t.slim() {
		t.text(x, y-titleHeight+6, title, "start", "strong")
	} else {
		t.text(x, y, title, "start", "strong")
		x += 1.2*textWidth(title) + 20 // it is bold
	}
	t.text(x, y, "one", "start", "label")
	x += textWidth("one") + 6
	for i := range heatLevels {
		t.rect(x, y-10, 14, 11, fmt.Sprintf("heat-%d", i+1))
		x += 15
	}
	t.text(x+6, y, format.Count(most), "start", "label")
}

// heatOf is the heat of one drill; it has no rows if there is none.
func heatOf(heats []check.Heat, drill int) check.Heat {
	for _, h := range heats {
		if h.Drill == drill && sound(h) {
			return h
		}
	}
	return check.Heat{}
}

// sound reports whether a heat is as its format says: it may come from a file.
func sound(h check.Heat) bool {
	return h.Step > 0 && len(h.Bounds) > 0 && len(h.Counts) > 0 &&
		!slices.ContainsFunc(h.Counts, func(c []int) bool { return len(c) != len(h.Bounds) })
}
