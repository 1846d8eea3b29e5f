package html

import (
	"fmt"
	"math"
	"slices"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

const maxStrips = 40 // rows of a chart with one row a drill; the tables have them all

// drillsFigure draws the rates of all drills one below the other, over the
// same time, so that the odd one is seen.
func drillsFigure(ds []drill) figure {
	draw := func(l layout) drawing {
		end, peak := 0.0, 0.0
		for _, d := range ds {
			end, peak = max(end, d.end), max(peak, d.peak())
		}
		x := scale{from: 0, to: end, low: 16, high: l.width - l.right}
		s := drawing{
			ID: "drills-" + l.name, W: l.width, Title: "Operations per second in every drill",
			Desc: fmt.Sprintf("%d drills one below the other: operations that were ok and errors, with the fault and the recovery.", len(ds)),
		}
		const panel = 46.0
		rowHeight := panel + 15 + l.lane()
		top := 0.0
		for _, d := range ds[:min(maxStrips, len(ds))] {
			t := &timeline{drawing: s, layout: l, d: &d, x: x}
			t.row(top, panel, peak)
			s = t.drawing
			top += rowHeight
		}
		t := &timeline{drawing: s, layout: l, d: &drill{end: end}, x: x}
		t.timeAxis(top)
		s = t.drawing
		s.H = top + axisHeight + 2
		return s
	}
	return figure{Wide: draw(wide()), Narrow: draw(narrow())}
}

// row draws one drill of drillsFigure.
func (t *timeline) row(top, panel, peak float64) {
	name := fmt.Sprintf("Drill %d", t.d.number)
	t.text(t.x.low, top+16, name, "start", "strong")
	base := top + 5 + t.lane() + panel
	y := scale{from: 0, to: niceCeil(peak), low: base, high: base - panel}
	t.rect(t.x.low, y.high, t.x.at(t.d.end)-t.x.low, panel, "phase")
	for _, f := range t.d.faults {
		x := t.x.at(f.from)
		t.rect(x, y.high, t.x.at(f.to)-x, panel, "shade")
	}
	_, ok, bad := t.d.rates(t.points / 2)
	t.path(area(ok, t.d.end, t.x, y), "ok-area")
	t.path(area(bad, t.d.end, t.x, y), "bad-area")
	for _, rec := range t.d.recoveries {
		end := t.recoveryBar(rec, y.high-15, 9)
		x := t.x.at(rec.t0)
		t.line(x, y.high-17, x, y.low, "t0")
		said, class := recoveryWords(rec)
		if t.slim() {
			left := t.x.low + textWidth(name) + 10
			t.text(left, top+16, clip(said, t.x.high-left), "start", class)
			continue
		}
		t.beside(x, end, y.high-6.5, said, class, t.x.low+60, t.x.high)
	}
}

// anatomyFigure draws the recoveries of one event as strips over the time
// since T0, each cut where something was seen.
func anatomyFigure(r *reports.Result, id, event string, recs []check.Recovery) figure {
	draw := func(l layout) drawing {
		a := &anatomy{layout: l, r: r, recs: recs}
		a.ID, a.W = id+"-"+l.name, l.width
		a.Title = "Anatomy of the recovery from " + event
		for _, rec := range recs {
			a.Desc += fmt.Sprintf("Drill %d: %s. ", rec.Drill, format.Anatomy(r, rec))
		}
		a.draw()
		return a.drawing
	}
	return figure{Wide: draw(wide()), Narrow: draw(narrow())}
}

// An anatomy draws recoveries as strips.
type anatomy struct {
	drawing
	layout
	r    *reports.Result
	recs []check.Recovery
	x    scale
}

func (a *anatomy) draw() {
	longest := 0.0
	limit := -1.0
	for _, rec := range a.recs {
		limit, _ = recoveryLimit(a.r, rec)
		longest = max(longest, rec.Steady, limit)
		if rec.Steady < 0 {
			for _, m := range format.Marks(rec) {
				longest = max(longest, m.At)
			}
		}
	}
	rows := a.recs[:min(maxStrips, len(a.recs))]
	gutter, tail, height, top := 60.0, 130.0, 30.0, 46.0
	for _, rec := range rows {
		said, _ := a.said(rec)
		tail = max(tail, 16+1.35*textWidth(said)) // it is bold
	}
	if a.slim() {
		gutter, tail, height, top = 8, 8, 46, 84
	}
	a.x = scale{from: 0, to: max(1, longest), low: gutter, high: a.width - tail}
	bottom := top + height*float64(len(rows))
	a.H = bottom + axisHeight + 4
	a.key()
	for i, rec := range rows {
		a.strip(rec, top+height*float64(i), height)
	}
	a.axis(bottom)
	if limit >= 0 {
		x := a.x.at(limit)
		a.line(x, top-8, x, bottom, "limit")
		anchor := "middle"
		if x > a.width-tail-40 {
			anchor = "end"
		}
		a.text(x, top-12, "limit "+format.Limit(format.Milliseconds, limit), anchor, "limit-text")
	}
}

// key explains the colours of the steps.
func (a *anatomy) key() {
	x, y := a.x.low, 2.0
	for i, name := range stepNames() {
		if width := 18 + textWidth("until "+name); x > a.x.low && x+width > a.width-8 {
			x, y = a.x.low, y+18
		}
		a.bar(x, y, 12, 12, fmt.Sprintf("step-%d", i+1))
		a.text(x+17, y+10, "until "+name, "start", "label")
		x += 17 + textWidth("until "+name) + 16
	}
}

func stepNames() []string {
	return []string{"noticed", "promoted", "rerouted", "first ok", format.Steady}
}

// said words how long a recovery took, and what that means for its limit.
func (a *anatomy) said(rec check.Recovery) (said, class string) {
	said = format.Duration(rec.Steady)
	switch {
	case rec.Steady < 0:
		said = "not seen"
	case rec.Censored:
		said = "> " + said
	}
	switch _, outcome := recoveryLimit(a.r, rec); outcome {
	case check.Pass:
		return said, "strong"
	case check.Inconclusive:
		return said + " " + format.OutcomeWord(outcome), "strong"
	default:
		return said + " " + format.OutcomeWord(outcome), "bad-text"
	}
}

// strip draws one recovery, its name before it and its length behind it, or
// both above it where it is narrow.
func (a *anatomy) strip(rec check.Recovery, top, height float64) {
	y := top + height - 24
	name := fmt.Sprintf("drill %d", rec.Drill)
	said, class := a.said(rec)
	from := 0.0
	for _, m := range format.Marks(rec) {
		if rec.Steady >= 0 && m.At > rec.Steady {
			break // no part of the recovery; the table has it
		}
		a.step(m, from, y)
		from = m.At
	}
	if a.slim() {
		a.text(a.x.low, y-5, name, "start", "label")
		a.text(a.x.low+textWidth(name)+6, y-5, said, "start", class)
		return
	}
	a.text(a.x.low-8, y+13, name, "end", "label")
	a.text(a.x.high+12, y+13, said, "start", class)
}

// step draws the stretch that ends with a mark, with its time if it fits.
func (a *anatomy) step(m format.Mark, from, y float64) {
	n := slices.Index(stepNames(), m.Name) + 1
	if n == 0 {
		n = len(stepNames())
	}
	x, x2 := a.x.at(from), a.x.at(m.At)
	a.rect(x, y, x2-x-1, 18, fmt.Sprintf("step-%d", n))
	label := "+" + format.Duration(m.At)
	if textWidth(label) > x2-x-6 {
		return
	}
	class := "inside-dark"
	if n > 3 {
		class = "inside"
	}
	a.text(x2-5, y+13, label, "end", class)
}

// axis writes the time since T0.
func (a *anatomy) axis(y float64) {
	a.line(a.x.low, y, a.x.high, y, "axis")
	marks := a.marks
	step := timeStep(a.x.to/1000, marks) * 1000
	if a.x.to < 2000 {
		step = niceCeil(a.x.to / float64(marks))
	}
	for i := range int(math.Floor(a.x.to/step)) + 1 {
		at := float64(i) * step
		x := a.x.at(at)
		a.line(x, y, x, y+4, "axis")
		label := "T0"
		if i > 0 {
			label = "+" + format.Limit(format.Milliseconds, at)
		}
		anchor := "middle"
		if x+textWidth(label)/2 > a.width {
			anchor = "end"
		}
		a.text(x, y+axisHeight-6, label, anchor, "label")
	}
}

// meter draws a measured value against its limit, for a cell of a table.
func meter(o check.ObjectiveResult) *drawing {
	top := max(o.Value, o.Limit)
	if !format.Measured(o) || top <= 0 || o.Value < 0 {
		return nil
	}
	const width, height = 120.0, 14.0
	x := scale{from: 0, to: top * 1.15, low: 0, high: width}
	d := &drawing{W: width, H: height}
	d.bar(0, 4, width, 6, "track")
	class := map[check.Outcome]string{check.Pass: "good", check.Fail: "bad"}[o.Outcome]
	if class == "" {
		class = "unclear"
	}
	if o.Value > 0 {
		d.bar(0, 4, x.at(o.Value), 6, class)
	}
	at := max(0.75, x.at(o.Limit))
	d.line(at, 0, at, height, "meter-limit")
	return d
}
