//go:build integration

package html_test

import (
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// paperWidth is that of A4 in pixels of a page, between the margins that Chromium
// leaves.
const paperWidth = 717

// cutOff lists what of a page cannot be seen on paper: what reaches beyond the page,
// what is in an area that would have to be scrolled, and what would have to be
// opened.
const cutOff = `(() => {
	const text = e => e.textContent.trim().replace(/\s+/g, " ").slice(0, 60)
	const outside = [...document.querySelectorAll("body *")].filter(e => {
		const box = e.getBoundingClientRect()
		return !e.closest(".quiet, svg") && e.localName !== "br" && box.width > 1 && (box.right > innerWidth + 1 || box.left < -1)
	}).map(e => "beyond the page: " + e.localName + " " + text(e))
	const scrolled = [...document.querySelectorAll("body *")].filter(e => {
		const {overflowX, overflowY} = getComputedStyle(e)
		return !e.closest(".quiet, svg") && (overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1 || overflowY !== "visible" && e.scrollHeight > e.clientHeight + 1)
	}).map(e => "to be scrolled: " + e.localName + " " + text(e))
	const closed = [...document.querySelectorAll("details:not(.closer) > :not(summary)")]
		.filter(e => !e.checkVisibility({contentVisibilityAuto: true}) || e.getBoundingClientRect().height < 2)
		.map(e => "to be opened: " + text(e))
	return [...outside, ...scrolled, ...closed]
})()`

// TestNothingIsCutOffOnPaper looks at all kinds of reports as they are printed.
func TestNothingIsCutOffOnPaper(t *testing.T) {
	results := recorded(t)
	for _, example := range reportstest.Examples() {
		results[example.Name] = example.Result
	}
	address, b := serve(t, results), newBrowser(t)
	for name := range results {
		b.open(address+"/"+name, look{width: paperWidth, height: 1000, script: true})
		b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"})
		var got []string
		b.evaluate(cutOff, &got)
		for _, said := range got {
			t.Errorf("%s on paper: %s", name, said)
		}
		picture(t, b, name+" on paper of A4")
		b.call("Emulation.setEmulatedMedia", map[string]any{"media": ""})
	}
}

// TestComparisonUnderAStrictPolicy opens the page of a comparison as Jenkins shows
// it, where style sheets inside of pages are forbidden: it looks as it should, and
// the browser has nothing to say.
func TestComparisonUnderAStrictPolicy(t *testing.T) {
	alike := recorded(t)["gate-passed"]
	address, b := serve(t, map[string]*reports.Result{"alike": alike}), newBrowser(t)
	for _, l := range []look{{width: 1440, height: 900}, {width: 360, height: 740, dark: true}} {
		for _, line := range b.open(address+"/strict/compare/alike", l) {
			t.Errorf("%s: the console says %s", l, line)
		}
		var got struct {
			Verdict       string
			Rows, Charts  int
			Drawn, Styled bool
		}
		b.evaluate(`(() => {
			const shown = s => [...document.querySelectorAll(s)].filter(e => e.getClientRects().length)
			return {verdict: shown(".verdict")[0].innerText, rows: shown(".differences tbody tr").length, charts: shown("figure svg").length,
				drawn: shown("figure svg path, figure svg polyline").some(e => e.getAttribute("stroke")),
				styled: getComputedStyle(document.body).maxWidth !== "none"}
		})()`, &got)
		if got.Verdict != "NOT WORSE" || got.Rows != len(alike.Comparison.Differences) || got.Charts == 0 || !got.Drawn || !got.Styled {
			t.Errorf("%s: %+v", l, got)
		}
	}
}
