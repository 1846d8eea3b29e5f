package html

import (
	"fmt"
	"math"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

const maxCurves = 6 // of the phases; more lines than that are a tangle

// A curve is the latencies of one phase by percentile.
type curve struct {
	name   string
	points []point // t is the number of nines: 2 is the 99th percentile
}

// curves are the latencies of the phases that had answers, the scored ones
// first.
func curves(r *reports.Result) []curve {
	var list []curve
	for _, scored := range []bool{true, false} {
		for _, w := range r.Windows {
			if w.Op == "" && w.Score == scored && w.OK > 0 && len(list) < maxCurves {
				list = append(list, curve{name: w.Phase, points: percentiles(w)})
			}
		}
	}
	return list
}

// percentiles are the points of a curve: from the histogram if there is one,
// else from what the window says. Percentiles that so few operations do not
// have are left out.
func percentiles(w check.Window) []point {
	h, err := hdrhistogram.Decode([]byte(w.HDR))
	known := map[float64]float64{50: w.P50, 90: w.P90, 95: w.P95, 99: w.P99, 99.9: w.P999}
	var points []point
	for _, q := range []float64{0, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 99.999} {
		if q > 50 && float64(w.OK)*(1-q/100) < 1 {
			break
		}
		v, ok := known[q]
		if w.HDR != "" && err == nil {
			v, ok = float64(h.ValueAtQuantile(q))/1000, true
		}
		if ok && v > 0 {
			points = append(points, point{nines(q), v})
		}
	}
	return points
}

// nines is where a percentile stands: 90 is 1, 99 is 2.
func nines(q float64) float64 { return -math.Log10(1 - q/100) }

// percentileFigure draws the curves; id is one of its own on the page.
func percentileFigure(id, title string, cs []curve) figure {
	draw := func(l layout) drawing {
		p := &percentileChart{layout: l, curves: cs}
		p.ID, p.W, p.H = id+"-"+l.name, l.width, 290
		p.Title = title
		p.draw()
		return p.drawing
	}
	return figure{Wide: draw(wide()), Narrow: draw(narrow())}
}

type percentileChart struct {
	drawing
	layout
	curves []curve
}

func (p *percentileChart) draw() {
	var values []float64
	last := nines(99)
	for _, c := range p.curves {
		for _, at := range c.points {
			values, last = append(values, at.v), max(last, at.t)
		}
	}
	from, to := decades(values...)
	top, bottom := 34.0, p.H-axisHeight
	if p.slim() {
		top = 12 + 18*float64(len(p.curves))
	}
	x := scale{from: 0, to: last, low: p.left, high: p.width - p.right - 8}
	y := scale{from: from, to: to, low: bottom, high: top, log: true}
	for v := from; v <= to*1.01; v *= 10 {
		p.line(x.low, y.at(v), x.high, y.at(v), "grid")
		p.text(x.low-6, y.at(v)+4, format.Limit(format.Milliseconds, v), "end", "label")
	}
	for _, q := range []float64{50, 90, 99, 99.9, 99.99, 99.999} {
		if nines(q) > last+0.01 {
			continue
		}
		at := x.at(nines(q))
		p.line(at, top, at, bottom, "grid")
		p.text(at, bottom+16, fmt.Sprintf("p%g", q), "middle", "label")
	}
	p.line(x.low, bottom, x.high, bottom, "axis")
	keyX, keyY := x.low, 14.0
	for i, c := range p.curves {
		class := fmt.Sprintf("curve-%d", i+1)
		var data strings.Builder
		var said []string
		for j, at := range c.points {
			command := "L"
			if j == 0 {
				command = "M"
			}
			data.WriteString(command + px(x.at(at.t)) + " " + px(y.at(at.v)))
			said = append(said, format.Duration(at.v))
		}
		p.path(data.String(), class)
		p.Desc += c.name + ": " + strings.Join(said, ", ") + ". "
		p.line(keyX, keyY-4, keyX+22, keyY-4, class)
		p.text(keyX+28, keyY, clip(c.name, 180), "start", "label")
		if p.slim() {
			keyY += 18
			continue
		}
		keyX += 28 + min(180, textWidth(c.name)) + 22
	}
}
