//go:build integration

package html_test

import (
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// TestShortAndLong opens the reports of three seconds and of four hours: both
// have charts that fill their frame, and the time axis says how long it was.
func TestShortAndLong(t *testing.T) {
	results := map[string]*reports.Result{"three-seconds": reportstest.ThreeSeconds(), "four-hours": long(4 * 3600)}
	address, b := serve(t, results), newBrowser(t)
	for name := range results {
		for _, l := range []look{{width: 1440, height: 900, script: true}, {width: 360, height: 740, script: true}} {
			if said := b.open(address+"/"+name, l); len(said) > 0 {
				t.Errorf("%s %s: the console says %q", name, l, said)
			}
			var got struct {
				Page, Window int
				Lines        float64 // how much of the chart's width its lines take, 0 to 1
				Marks        []string
			}
			b.evaluate(`(() => {
				const svg = [...document.querySelectorAll("svg[data-end]")].find(e => e.getClientRects().length)
				const line = svg.querySelector("path.p99").getBBox(), room = svg.dataset.high - svg.dataset.low
				return {page: document.documentElement.scrollWidth, window: innerWidth, lines: line.width / room,
					marks: [...svg.querySelectorAll("text.label")].map(e => e.textContent).filter(s => /^\d+:\d\d/.test(s))}
			})()`, &got)
			if got.Page > got.Window || got.Lines < 0.5 || got.Lines > 1.01 {
				t.Errorf("%s %s: %+v", name, l, got)
			}
			if len(got.Marks) < 2 || len(got.Marks) > 14 {
				t.Errorf("%s %s: the marks of the time axis are %q", name, l, got.Marks)
			}
			picture(t, b, name+" "+l.String())
		}
	}
}
