//go:build integration

package html_test

import (
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// faint lists the texts of a page, outside of charts, that stand out from their
// ground by less than the 4.5 that WCAG wants of small text.
const faint = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number)
	const light = c => rgb(c).slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
	const ground = e => {
		for (; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor
			if ((rgb(c)[3] ?? 1) > 0) return c
		}
		return "rgb(255, 255, 255)"
	}
	return [...document.querySelectorAll("body *")].filter(e => {
		const box = e.getBoundingClientRect()
		return !e.closest("svg, script, style") && box.width > 1 && box.height > 1 && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
	}).map(e => {
		const [a, b] = [light(getComputedStyle(e).color), light(ground(e))]
		return [e.innerText.slice(0, 60), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]
	}).filter(([, contrast]) => contrast < 4.5).map(([text, contrast]) => contrast.toFixed(1) + " " + text)
})()`

// TestEveryTextCanBeRead opens reports of all kinds on light and on dark screens.
func TestEveryTextCanBeRead(t *testing.T) {
	results := map[string]*reports.Result{}
	for _, example := range reportstest.Examples() {
		results[example.Name] = example.Result
	}
	address, b := serve(t, results), newBrowser(t)
	for name := range results {
		for _, dark := range []bool{false, true} {
			l := look{width: 1440, height: 900, dark: dark}
			b.open(address+"/"+name, l)
			var got []string
			b.evaluate(faint, &got)
			for _, text := range got {
				t.Errorf("%s %s: a contrast of %s", name, l, text)
			}
		}
	}
}
