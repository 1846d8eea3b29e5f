package html

import "strings"

// pictureInk returns the ink of what a picture of the system, a heat map or
// the curves of the percentiles are made of.
func pictureInk(class string) ink {
	switch class {
	case "node":
		return ink{class: class, fill: "#ffffff", stroke: "#9aa3ad", width: 1}
	case "node-primary":
		return ink{class: class, fill: "#e3edf6", stroke: "#1f4e79", width: 2.5}
	case "node-bad":
		return ink{class: class, fill: "#fdf1ef", stroke: "#c0271c", width: 2, dash: "4 2"}
	case "node-text":
		return ink{class: class, fill: dark, size: textSize + 1, bold: true}
	case "planned":
		return ink{class: class, fill: "#ffffff", stroke: "#8d7bb5", width: 1, dash: "3 2"}
	case "now":
		return ink{class: class, fill: none, stroke: muted, width: 1}
	case "link":
		return ink{class: class, fill: none, stroke: "#9aa3ad", width: 1.25}
	case "link-bad":
		return ink{class: class, fill: none, stroke: "#c0271c", width: 2, dash: "4 3"}
	}
	if fill, ok := heatInks()[class]; ok {
		return ink{class: class, fill: fill, stroke: none}
	}
	if number, ok := strings.CutPrefix(class, "curve-"); ok {
		return curveInk(class, number)
	}
	return stepInk(class)
}

// heatInks are the colours of a heat map, from few to many.
func heatInks() map[string]string {
	return map[string]string{"heat-1": "#cfe0ef", "heat-2": "#9dbfdc", "heat-3": "#6598c4", "heat-4": "#3570a5", "heat-5": "#123f6b"}
}

// curveInk returns the ink of a curve. Curves differ in their dashes, too.
func curveInk(class, number string) ink {
	k := ink{class: class, fill: none, width: 1.75, stroke: muted}
	switch number {
	case "1":
		k.stroke = "#1f4e79"
	case "2":
		k.stroke, k.dash = "#b35900", "7 3"
	case "3":
		k.stroke, k.dash = "#1a7f4b", "2 3"
	case "4":
		k.stroke, k.dash = "#7d4ea8", "9 3 2 3"
	case "5":
		k.stroke, k.dash = "#5c6470", "4 4"
	}
	return k
}
