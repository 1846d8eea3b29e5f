package html

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A drawing is one SVG. A chart is drawn twice: wide, and narrow for phones,
// where text of a wide one would be too small to read.
type drawing struct {
	ID, Title, Desc string
	W, H            float64
	Shapes          []shape

	Low, High, End float64 // of a time axis that can be read: coordinates of its ends, and s at its end
}

// A figure is a chart in both widths.
type figure struct {
	Wide, Narrow drawing
}

// A shape is one SVG element.
type shape struct {
	Kind                     string // rect, line, path or text
	X, Y, W, H, X2, Y2       string
	D, Text, Anchor          string
	Class                    string
	Fill, Stroke, Dash       string
	StrokeWidth, Opacity     string
	FontSize, FontWeight, RX string
}

// An ink is how a kind of thing looks. Class names it for the style sheet,
// which may change its colours; the rest is for where there is none.
type ink struct {
	class         string
	fill, stroke  string
	width         float64
	dash, opacity string
	size          float64 // of text
	bold          bool
}

const (
	textSize  = 11.0
	charWidth = 6.5 // of the widest of the fonts that a reader may have
)

// The colours that are seen where no style sheet is.
const (
	dark  = "#1b1e23"
	muted = "#5c6470"
	rule  = "#e1e4e8"
	none  = "none"
)

// inkFor returns the ink of a class.
func inkFor(class string) ink {
	switch class {
	case "axis":
		return ink{class: class, fill: none, stroke: "#9aa3ad", width: 1}
	case "grid":
		return ink{class: class, fill: none, stroke: rule, width: 1}
	case "label":
		return ink{class: class, fill: muted, size: textSize}
	case "strong":
		return ink{class: class, fill: dark, size: textSize + 1, bold: true}
	case "good-text":
		return ink{class: class, fill: "#167343", size: textSize + 1, bold: true}
	case "bad-text":
		return ink{class: class, fill: "#c0271c", size: textSize + 1, bold: true}
	case "limit-text":
		return ink{class: class, fill: "#9a4d00", size: textSize}
	case "inside":
		return ink{class: class, fill: "#ffffff", size: textSize - 1}
	case "inside-dark":
		return ink{class: class, fill: dark, size: textSize - 1}
	}
	return areaInk(class)
}

// areaInk returns the ink of bands, bars and areas.
func areaInk(class string) ink {
	switch class {
	case "phase":
		return ink{class: class, fill: "#f5f6f7", stroke: none}
	case "phase-odd":
		return ink{class: class, fill: "#eceef1", stroke: none}
	case "phase-unscored":
		return ink{class: class, fill: "#fbfbfb", stroke: none}
	case "shade":
		return ink{class: class, fill: "#7d6bb0", stroke: none, opacity: "0.07"}
	case "fault":
		return ink{class: class, fill: "#8d7bb5", stroke: none}
	case "ok-area":
		return ink{class: class, fill: "#bcd3e8", stroke: none}
	case "bad-area":
		return ink{class: class, fill: "#dd7b71", stroke: none, opacity: "0.75"}
	case "good":
		return ink{class: class, fill: "#1a7f4b", stroke: none}
	case "unclear":
		return ink{class: class, fill: "#b07a00", stroke: none}
	case "bad":
		return ink{class: class, fill: "#c0271c", stroke: none}
	case "track":
		return ink{class: class, fill: "#e8eaed", stroke: none}
	}
	return lineInk(class)
}

// lineInk returns the ink of a line of a chart.
func lineInk(class string) ink {
	switch class {
	case "ok-line":
		return ink{class: class, fill: none, stroke: "#2f6fab", width: 1.25}
	case "bad-line":
		return ink{class: class, fill: none, stroke: "#c0271c", width: 1.25}
	case "offered":
		return ink{class: class, fill: none, stroke: muted, width: 1.25, dash: "4 3"}
	case "p50":
		return ink{class: class, fill: none, stroke: "#5288b8", width: 1.5}
	case "p99":
		return ink{class: class, fill: none, stroke: "#1f4e79", width: 1.5}
	case "limit":
		return ink{class: class, fill: none, stroke: "#b35900", width: 1.5, dash: "5 3"}
	case "t0":
		return ink{class: class, fill: none, stroke: dark, width: 1.5}
	case "recovered":
		return ink{class: class, fill: none, stroke: "#1a7f4b", width: 1.5}
	case "meter-limit":
		return ink{class: class, fill: none, stroke: dark, width: 1.5}
	}
	return pictureInk(class)
}

// stepInk returns the ink of one step of a recovery: from light to dark, in
// the order of the steps.
func stepInk(class string) ink {
	fill := map[string]string{
		"step-1": "#cfdbe7", "step-2": "#a9c1d8", "step-3": "#7fa3c6", "step-4": "#47769f", "step-5": "#28587f",
	}[class]
	if fill == "" {
		fill = dark
	}
	return ink{class: class, fill: fill, stroke: none}
}

func (d *drawing) add(s shape, class string) {
	k := inkFor(class)
	s.Class, s.Fill, s.Stroke, s.Dash, s.Opacity = k.class, k.fill, k.stroke, k.dash, k.opacity
	if k.width > 0 {
		s.StrokeWidth = px(k.width)
	}
	if s.Kind == "text" {
		s.FontSize = px(k.size)
		if k.bold {
			s.FontWeight = "600"
		}
	}
	d.Shapes = append(d.Shapes, s)
}

// rect draws a rectangle, at least a hair wide so that it is seen.
func (d *drawing) rect(x, y, w, h float64, class string) {
	d.add(shape{Kind: "rect", X: px(x), Y: px(y), W: px(max(1, w)), H: px(max(0, h))}, class)
}

// bar draws a rectangle with rounded corners.
func (d *drawing) bar(x, y, w, h float64, class string) {
	d.add(shape{Kind: "rect", X: px(x), Y: px(y), W: px(max(2, w)), H: px(max(0, h)), RX: "2"}, class)
}

func (d *drawing) line(x, y, x2, y2 float64, class string) {
	d.add(shape{Kind: "line", X: px(x), Y: px(y), X2: px(x2), Y2: px(y2)}, class)
}

func (d *drawing) path(data, class string) {
	if data != "" {
		d.add(shape{Kind: "path", D: data}, class)
	}
}

// text writes s with its baseline at y. Anchor is start, middle or end.
func (d *drawing) text(x, y float64, s, anchor, class string) {
	d.add(shape{Kind: "text", X: px(x), Y: px(y), Text: s, Anchor: anchor}, class)
}

// beside writes s to the right of a stretch from x to x2, or to its left, or
// else at the edge, wherever it fits between left and right.
func (d *drawing) beside(x, x2, y float64, s, class string, left, right float64) {
	w := textWidth(s)
	switch {
	case x2+6+w <= right:
		d.text(x2+6, y, s, "start", class)
	case x-6-w >= left:
		d.text(x-6, y, s, "end", class)
	default:
		d.text(right, y, s, "end", class)
	}
}

// textWidth estimates the width of s in a label.
func textWidth(s string) float64 { return charWidth * float64(utf8.RuneCountInString(s)) }

// clip shortens s to a width.
func clip(s string, width float64) string {
	if textWidth(s) <= width {
		return s
	}
	keep := int(width/charWidth) - 1
	if keep < 1 {
		return ""
	}
	return strings.TrimSpace(string([]rune(s)[:keep])) + "…"
}

// px writes a coordinate.
func px(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "0"
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
