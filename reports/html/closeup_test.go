//go:build integration

package html_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/proofload/proofload/reports/reportstest"
)

// evaluateLater runs an expression that promises a value and stores that.
func (b *browser) evaluateLater(expression string, value any) {
	b.t.Helper()
	answer := b.call("Runtime.evaluate", map[string]any{"expression": expression + ".then(JSON.stringify)", "awaitPromise": true})
	result, _ := answer["result"].(map[string]any)
	text, ok := result["value"].(string)
	if !ok {
		b.t.Fatalf("%s: %v", expression, answer)
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		b.t.Fatalf("%s: %v", text, err)
	}
}

// TestCloseUp looks at a part of the main chart, with the mouse and with the
// keyboard, and hides a series.
func TestCloseUp(t *testing.T) {
	results := recorded(t)
	results["three-seconds"], results["four-hours"] = reportstest.ThreeSeconds(), long(4*3600)
	address, b := serve(t, results), newBrowser(t)
	for name := range results {
		for _, l := range []look{{width: 1440, height: 900, script: true}, {width: 360, height: 740, script: true, dark: true}} {
			if l.dark && name != "drill-failed" {
				continue
			}
			b.open(address+"/"+name, l)
			var got struct {
				Closed, Open             int // pictures of uPlot
				Page, Window             int
				Dragged, In, All, Series string
				Ink                      int // pixels that are not empty
			}
			b.evaluateLater(`(async () => {
				const closer = document.querySelector(".closer"), settled = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)))
				const said = () => closer.querySelector("[role=status]").textContent, button = name => [...closer.querySelectorAll("button")].find(e => e.textContent === name)
				const plots = () => closer.querySelectorAll(".uplot canvas").length
				const got = {closed: plots()}
				const svg = [...document.querySelectorAll("svg[data-end]")].find(e => e.getClientRects().length), box = svg.getBoundingClientRect()
				const at = (type, share) => svg.dispatchEvent(new PointerEvent(type, {bubbles: true, button: 0, clientX: box.left + share * box.width, clientY: box.top + 50}))
				at("pointerdown", 0.4); at("pointermove", 0.6); at("pointerup", 0.6)
				await settled()
				got.open = plots(); got.dragged = said()
				button("All").click()
				got.all = said()
				button("Zoom in").click()
				await settled()
				got.in = said()
				const th = closer.querySelectorAll(".u-legend th")[2]
				th.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}))
				got.series = th.getAttribute("aria-pressed")
				await settled()
				const c = closer.querySelector("canvas"), pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data
				got.ink = pixels.filter((v, i) => i % 4 === 3 && v > 0).length
				got.page = document.documentElement.scrollWidth; got.window = innerWidth
				return got
			})()`, &got)
			wrong := got.Closed != 0 || got.Open < 1 || got.Ink < 1000 || got.Page > got.Window || got.Series != "false"
			for _, said := range []string{got.Dragged, got.In, got.All} {
				wrong = wrong || !regexp.MustCompile(`^Shown: [\d:]+:\d\d to [\d:]+:\d\d of [\d:]+:\d\d\.$`).MatchString(said)
			}
			if wrong || name != "three-seconds" && (got.Dragged == got.All || got.In == got.All) {
				t.Errorf("%s %s: %+v", name, l, got)
			}
			b.mu.Lock()
			for _, line := range b.said {
				t.Errorf("%s %s: the console says %s", name, l, line)
			}
			b.mu.Unlock()
			picture(t, b, "close-up "+name+" "+l.String())
		}
	}
}
