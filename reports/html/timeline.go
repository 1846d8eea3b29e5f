package html

import (
	"math"
	"slices"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// A layout is the measures of a chart in user units, which are pixels at the
// width it is made for.
type layout struct {
	name        string
	width       float64
	left, right float64 // margins
	marks       int     // at most so many on the time axis
	points      int     // at most so many in a series
}

func wide() layout {
	return layout{name: "wide", width: 1040, left: 50, right: 16, marks: 12, points: 1200}
}

func narrow() layout {
	return layout{name: "narrow", width: 344, left: 46, right: 8, marks: 5, points: 400}
}

const (
	laneHeight    = 19.0
	rateHeight    = 150.0
	latencyHeight = 120.0
	titleHeight   = 22.0
	axisHeight    = 22.0
)

// A timeline draws one drill: phases and faults above, the rates below them,
// then the latencies, all over the same time.
type timeline struct {
	drawing
	layout
	d   *drill
	x   scale
	top float64 // of what is drawn next
}

// timelineFigure is the main chart.
func timelineFigure(id string, d *drill, title, desc string) figure {
	draw := func(l layout) drawing {
		t := &timeline{layout: l, d: d, x: scale{from: 0, to: d.end, low: l.left, high: l.width - l.right}}
		t.ID, t.Title, t.Desc, t.W = id+"-"+l.name, title, desc, l.width
		t.Low, t.High, t.End = t.x.low, t.x.high, d.end
		t.draw()
		return t.drawing
	}
	return figure{Wide: draw(wide()), Narrow: draw(narrow())}
}

func (t *timeline) draw() {
	lanes := titleHeight + t.lane()*float64(len(t.d.faults))
	for _, rec := range t.d.recoveries {
		lanes += t.lane()
		if rec.Lost > 0 {
			lanes += t.lane()
		}
	}
	if t.d.idle() {
		t.drawIdle(lanes + 6)
		return
	}
	legend := t.legendHeight()
	rateTop := lanes + legend
	latencyTop := rateTop + rateHeight + legend + 8
	bottom := latencyTop + latencyHeight
	heatTop := bottom + legend + 8
	if len(t.d.heat.Bounds) > 0 {
		bottom = heatTop + heatHeight
	}
	t.H = bottom + axisHeight + 4

	t.phases(bottom)
	t.shades(titleHeight, bottom)
	t.top = titleHeight
	t.faultLanes()
	t.lossLanes()
	t.recoveryLanes()
	t.rates(rateTop)
	t.latencies(latencyTop)
	t.heat(heatTop)
	t.timeAxis(bottom)
	if t.slim() {
		t.moments(rateTop, rateTop+rateHeight)
		t.moments(latencyTop, latencyTop+latencyHeight)
		t.moments(heatTop, bottom)
	} else {
		t.moments(t.top, bottom)
	}
	t.momentLabels(bottom)
	t.now(bottom)
}

// slim reports whether there is no room for labels beside what they name.
func (l layout) slim() bool { return l.width < 600 }

// lane is the height of a bar with its label: beside it, or above it.
func (l layout) lane() float64 {
	if l.slim() {
		return 2*laneHeight - 8
	}
	return laneHeight
}

// label writes what the lane at t.top is about, beside its bar or above it,
// and moves on to the next one.
func (t *timeline) label(x, x2 float64, said, class string) {
	if t.slim() {
		t.text(t.x.low, t.top+11, clip(said, t.x.high-t.x.low), "start", class)
	} else {
		t.beside(x, x2, t.top+13.5, said, class, t.x.low, t.x.high)
	}
	t.top += t.lane()
}

// barTop is where the bar of the lane at t.top begins.
func (t *timeline) barTop() float64 { return t.top + t.lane() - laneHeight + 4 }

// legendHeight is the room above a panel for its title and legend: two lines
// where they do not fit on one.
func (t *timeline) legendHeight() float64 {
	if t.slim() {
		return 2*titleHeight - 4
	}
	return titleHeight + 6
}

// phases draws bands with their names on top.
func (t *timeline) phases(bottom float64) {
	for i, p := range t.d.phases {
		class, name := "phase", p.name
		switch {
		case !p.scored:
			class, name = "phase-unscored", p.name+" (not scored)"
		case i%2 == 1:
			class = "phase-odd"
		}
		x, x2 := t.x.at(p.from), t.x.at(p.to)
		t.rect(x, 0, x2-x, bottom, class)
		if textWidth(name) > x2-x-8 {
			name = p.name
		}
		t.text(x+5, 15, clip(name, x2-x-8), "start", "label")
	}
}

// shades tints the whole height while a fault is in effect.
func (t *timeline) shades(top, bottom float64) {
	for _, f := range t.d.faults {
		if f.planned {
			continue
		}
		x := t.x.at(f.from)
		t.rect(x, top, t.x.at(f.to)-x, bottom-top, "shade")
	}
}

func (t *timeline) faultLanes() {
	for _, f := range t.d.faults {
		x, x2 := t.x.at(f.from), t.x.at(f.to)
		t.bar(x, t.barTop()+1, x2-x, 9, f.ink())
		said := f.Verb + " " + f.Target
		switch {
		case t.d.live && f.To < 0:
			said += ", " + goingOn(f)
		case f.Open:
			said += ", may still be in place"
		case f.To < 0:
			said += ", not seen gone"
		default:
			said += ", " + format.Duration(f.To-f.From)
		}
		t.label(x, x2, said, "label")
	}
}

// lossLanes shows when the writes that are gone had been acknowledged.
func (t *timeline) lossLanes() {
	for _, rec := range t.d.recoveries {
		if rec.Lost == 0 {
			continue
		}
		from := rec.t0 - rec.Point/1000
		x, x2 := t.x.at(from), t.x.at(from+rec.LossWindow/1000)
		t.bar(x, t.barTop(), x2-x, 11, "bad")
		said := format.Count(rec.Lost) + " acknowledged writes lost"
		if !t.slim() {
			said += ", the oldest " + format.Duration(rec.Point) + " before T0"
		}
		t.label(x, x2, said, "bad-text")
	}
}

// recoveryLanes shows each recovery as a bar from T0 with its limit.
func (t *timeline) recoveryLanes() {
	for _, rec := range t.d.recoveries {
		end := t.recoveryBar(rec, t.barTop(), 11)
		said, class := recoveryWords(rec)
		if !t.slim() {
			if end+6+textWidth(said) <= t.x.high { // else what is said stands on that side
				t.moment(rec, t.top+13.5)
			}
			t.line(t.x.at(rec.t0), titleHeight, t.x.at(rec.t0), t.top+laneHeight, "t0")
		}
		t.label(t.x.at(rec.t0), end, said, class)
	}
}

// moment names T0 to the left of the bar that begins there.
func (t *timeline) moment(rec recovery, y float64) {
	x := t.x.at(rec.t0)
	clock := "T0 " + format.Clock(rec.t0*1000)
	for _, f := range t.d.faults {
		said := f.Target + " " + format.Past(f.Verb) + ", " + clock
		if f.Name == rec.Event && textWidth(said) < x-t.x.low-6 {
			t.text(x-6, y, said, "end", "strong")
			return
		}
	}
	if textWidth(clock) < x-t.x.low-6 {
		t.text(x-6, y, clock, "end", "strong")
	}
}

// recoveryBar draws the time to recover: up to the limit, and in another
// colour beyond. It returns where bar or limit ends, whichever is later.
func (t *timeline) recoveryBar(rec recovery, y, h float64) float64 {
	steady := t.d.until
	if rec.Steady >= 0 {
		steady = rec.t0 + rec.Steady/1000
	}
	x, x2 := t.x.at(rec.t0), t.x.at(steady)
	if rec.limit < 0 {
		t.bar(x, y, x2-x, h, "good")
		return x2
	}
	limit := t.x.at(rec.t0 + rec.limit)
	switch rec.outcome {
	case check.Fail:
		t.bar(x, y, x2-x, h, "bad")
	case check.Inconclusive:
		t.bar(x, y, x2-x, h, "unclear")
	default:
		t.bar(x, y, x2-x, h, "good")
	}
	t.line(limit, y-3, limit, y+h+3, "limit")
	return max(x2, limit)
}

// moments draws what is marked, such as T0, and recoveries with their limits from
// one height to another.
func (t *timeline) moments(top, bottom float64) {
	for _, i := range t.d.instants() {
		x := t.x.at(i.at)
		t.line(x, top, x, bottom, "t0")
	}
	for _, rec := range t.d.recoveries {
		if rec.limit >= 0 && rec.t0+rec.limit < t.d.end {
			limit := t.x.at(rec.t0 + rec.limit)
			t.line(limit, top, limit, bottom, "limit")
		}
		if rec.Steady >= 0 && !rec.Censored {
			steady := t.x.at(rec.t0 + rec.Steady/1000)
			t.line(steady, top, steady, bottom, "recovered")
		}
	}
}

// momentLabels names the moments on the time axis.
func (t *timeline) momentLabels(bottom float64) {
	for _, m := range t.marked() {
		t.text(m.x, bottom+axisHeight-6, m.name, "middle", "strong")
	}
}

// A markLabel is the name of a moment below the time axis.
type markLabel struct {
	x, half float64 // its middle, and half of its width
	name    string
}

// marked are the names of the moments: inside the picture, and without those that
// would cover one before them.
func (t *timeline) marked() []markLabel {
	var list []markLabel
	for _, i := range t.d.instants() {
		half := textWidth(i.name) / 2
		l := markLabel{min(max(t.x.at(i.at), half), t.width-half), half, i.name}
		if !slices.ContainsFunc(list, func(o markLabel) bool { return math.Abs(o.x-l.x) < o.half+l.half+6 }) {
			list = append(list, l)
		}
	}
	return list
}

// rates draws what was offered and what came of it.
func (t *timeline) rates(top float64) {
	y := scale{from: 0, to: niceCeil(t.d.peak()), low: top + rateHeight, high: top}
	for _, v := range []float64{0, y.to / 2, y.to} {
		t.line(t.x.low, y.at(v), t.x.high, y.at(v), "grid")
		t.text(t.x.low-6, y.at(v)+4, format.Limit("", v), "end", "label")
	}
	offered, ok, bad := t.d.rates(t.points)
	t.path(area(ok, t.d.until, t.x, y), "ok-area")
	t.path(area(bad, t.d.until, t.x, y), "bad-area")
	t.path(steps(ok, t.d.until, t.x, y), "ok-line")
	t.path(steps(positive(bad), t.d.until, t.x, y), "bad-line")
	t.path(steps(offered, t.d.until, t.x, y), "offered")
	keys := []key{{"offered", "offered"}, {"ok-line", "ok"}, {"bad-line", "errors"}}
	if said := t.errorLimits(y); said != "" {
		keys = append(keys, key{"limit", said})
	}
	t.legend(top, "Operations per second", keys)
}

// latencies draws the percentiles on a logarithmic scale, with the limits of
// the phases.
func (t *timeline) latencies(top float64) {
	p50, p99 := t.d.latencies(t.points)
	values := []float64{}
	for _, s := range t.d.seconds {
		values = append(values, s.P50, s.P99)
	}
	limited := false
	for _, l := range t.d.limits {
		if l.metric != "errors" {
			values, limited = append(values, l.value), true
		}
	}
	from, to := decades(values...)
	y := scale{from: from, to: to, low: top + latencyHeight, high: top, log: true}
	for v := from; v <= to*1.01; v *= 10 {
		t.line(t.x.low, y.at(v), t.x.high, y.at(v), "grid")
		t.text(t.x.low-6, y.at(v)+4, format.Limit(format.Milliseconds, v), "end", "label")
	}
	t.path(line(p50, t.x, y), "p50")
	t.path(line(p99, t.x, y), "p99")
	t.latencyLimits(y)
	keys := []key{{"p50", "p50"}, {"p99", "p99"}}
	if len(t.d.recoveries) > 0 || limited {
		keys = append(keys, key{"limit", "limit"})
	}
	t.legend(top, "Latency of ok, log scale", keys)
}

// A key is one entry of a legend: how it is drawn, and its name.
type key struct{ class, name string }

// legend writes the title of a panel and its legend above it.
func (t *timeline) legend(top float64, title string, keys []key) {
	x, y := t.x.low, top-8
	if t.slim() {
		t.text(x, y-titleHeight+6, title, "start", "strong")
	} else {
		t.text(x, y, title, "start", "strong")
		x += textWidth(title) + 28
	}
	for _, k := range keys {
		t.line(x, y-4, x+18, y-4, k.class)
		t.text(x+23, y, k.name, "start", "label")
		x += 23 + textWidth(k.name) + 16
	}
}

// timeAxis writes the time since the drill began.
func (t *timeline) timeAxis(y float64) {
	t.line(t.x.low, y, t.x.high, y, "axis")
	step := timeStep(t.d.end, t.marks)
	for at := 0.0; at <= t.d.end; at += step {
		x := t.x.at(at)
		t.line(x, y, x, y+4, "axis")
		label, anchor := format.Clock(at*1000), "middle"
		if x+textWidth(label)/2 > t.width {
			anchor = "end"
		}
		if !t.nearMoment(x) {
			t.text(x, y+axisHeight-6, label, anchor, "label")
		}
	}
}

// nearMoment reports whether the label of a time at x would cover that of a moment.
func (t *timeline) nearMoment(x float64) bool {
	return slices.ContainsFunc(t.marked(), func(m markLabel) bool { return math.Abs(x-m.x) < max(52, m.half+22) })
}
