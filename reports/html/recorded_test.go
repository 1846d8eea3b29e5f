//go:build integration

package html_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/reportstest"
	"github.com/proofload/proofload/scenarios/run"
)

// strict is the content security policy that Jenkins sends.
const strict = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"

// A seen is what is visible of a report.
type seen struct {
	Page     int    `json:"page"` // width that the content takes
	Window   int    `json:"window"`
	Verdict  string `json:"verdict"`
	Sentence string `json:"sentence"`
	Size     int    `json:"size"`   // of the verdict, in pixels
	Bottom   int    `json:"bottom"` // of the verdict

	Contrast float64  `json:"contrast"` // of the verdict
	Missed   []string `json:"missed"`   // visible text of the objectives that are not met
	Lowest   int      `json:"lowest"`   // bottom of the first of these
	Moment   int      `json:"moment"`   // bottom of what says when it failed, 0 if nothing does
	Marks    int      `json:"marks"`    // of that moment in charts
	Charts   int      `json:"charts"`   // that are shown
	Cut      []string `json:"cut"`      // texts of charts that do not fit into their chart
	Readouts int      `json:"readouts"` // that the script shows, one for each chart
	Closer   int      `json:"closer"`   // details that it makes, with a close-up in them
	Stops    int      `json:"stops"`    // charts that it lets the keyboard reach
	Words    []string `json:"words"`    // of everything else
}

// looking is what collects a seen.
const looking = `(() => {
	const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden"
	const all = s => [...document.querySelectorAll(s)].filter(shown)
	const rgb = c => c.match(/[\d.]+/g).map(Number)
	const light = c => rgb(c).slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
	const verdict = document.querySelector(".verdict"), box = verdict.getBoundingClientRect()
	const ground = getComputedStyle(document.body).backgroundColor
	const [a, b] = [light(getComputedStyle(verdict).color), light(rgb(ground)[3] === 0 ? "rgb(255,255,255)" : ground)]
	const missed = all(".objectives tr.bad, .objectives tr.unclear")
	const moments = all(".moment").filter(e => /T0 is \d+:\d\d, when |(began|worst) at \d+:\d\d/.test(e.innerText)), marks = all("svg text").filter(e => /^(T0|fault|worst) /.test(e.textContent) || e.textContent.includes("T0"))
	return {
		page: document.documentElement.scrollWidth, window: innerWidth,
		verdict: verdict.innerText, sentence: all(".sentence").map(e => e.innerText).join(" "),
		size: Math.round(parseFloat(getComputedStyle(verdict).fontSize)), bottom: Math.round(box.bottom),
		contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
		missed: missed.map(e => e.innerText.replace(/\s+/g, " ")), lowest: missed.length ? Math.round(missed[0].getBoundingClientRect().bottom) : 0,
		moment: moments.length ? Math.round(moments[0].getBoundingClientRect().bottom) : 0, marks: marks.length,
		charts: all("figure svg").length, cut: all("figure svg text").filter(e => {
			const t = e.getBoundingClientRect(), chart = e.ownerSVGElement.getBoundingClientRect()
			return t.left < chart.left - 1 || t.right > chart.right + 1
		}).map(e => e.textContent),
		readouts: all(".readout").length, closer: all("details.closer").length, stops: all("svg[data-end][tabindex='0']").length,
		words: all("h1, h2, h3, p, pre, dt, dd, li, th, td, figcaption, summary, svg text")
			.filter(e => !e.closest(".readout, .closer")).map(e => e.textContent),
	}
})()`

// recorded judges the recorded runs again, as the check command does, by name.
func recorded(t *testing.T) map[string]*reports.Result {
	t.Helper()
	results := map[string]*reports.Result{}
	for _, name := range reportstest.Recorded() {
		dir := reports.Directory{Path: filepath.Join(t.TempDir(), name)}
		if err := os.CopyFS(dir.Path, reportstest.Run(name)); err != nil {
			t.Fatal(err)
		}
		m, err := dir.ReadManifest()
		if err != nil {
			t.Fatal(err)
		}
		r, err := run.Review(dir, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		results[name] = r
	}
	return results
}

// serve offers the reports of results: /NAME as a file that holds everything,
// and /strict/NAME as Jenkins does it.
func serve(t *testing.T, results map[string]*reports.Result) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		name, linked := strings.CutPrefix(request.URL.Path, "/strict/")
		name = strings.TrimPrefix(name, "/")
		if linked {
			w.Header().Set("Content-Security-Policy", strict)
		}
		var page bytes.Buffer
		var err error
		compared, ofTwo := strings.CutPrefix(name, "compare/")
		switch r := results[name]; {
		case strings.HasSuffix(name, html.StyleFile):
			w.Header().Set("Content-Type", "text/css; charset=utf-8")
			err = html.WriteStyle(&page, nil)
		case ofTwo && linked:
			err = html.WriteComparisonLinked(&page, results[compared].Comparison)
		case ofTwo:
			err = html.WriteComparison(&page, results[compared].Comparison)
		case r == nil:
			w.WriteHeader(http.StatusNoContent) // the icon that browsers ask for
			return
		case linked:
			err = html.WriteLinked(&page, r)
		default:
			err = html.Write(&page, r)
		}
		if err != nil {
			t.Error(err)
		}
		if _, err := w.Write(page.Bytes()); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestRecordedRuns opens the reports of recorded runs, and of a gate that failed, as
// people do: on a desk and on a phone, light and dark, with and without scripts, and
// under the policy of Jenkins. Nothing may be wrong, and what matters is seen at
// once: the verdict, the moment of the failure and what missed its limit. A script
// only adds: all that is there with it is there without. PROOFLOAD_SCREENSHOTS names
// a directory for pictures.
func TestRecordedRuns(t *testing.T) {
	results := recorded(t)
	results["gate-failed"] = reportstest.FailedGate()
	address, b := serve(t, results), newBrowser(t)
	for name, r := range results {
		for i := range 4 {
			l := look{width: 1440, height: 900, dark: i&1 > 0}
			if i&2 > 0 {
				l.width, l.height = 360, 740
			}
			var plain []string // what is said without the script
			for _, path := range []string{"/", "/strict/"} {
				for _, l.script = range []bool{false, true} {
					title := fmt.Sprintf("%s %s%s", name, strings.Trim(path, "/"), l)
					b.open(address+path+name, l)
					var got seen
					b.evaluate(looking, &got)
					for _, line := range b.heard() {
						t.Errorf("%s: the console says %s", title, line)
					}
					got.check(t, title, r, l)
					got.checkScript(t, title, l.script && path == "/")
					if plain == nil {
						plain = got.Words
					} else if diff := cmp.Diff(plain, got.Words); diff != "" {
						t.Errorf("%s says something else than without a script (-without +with):\n%s", title, diff)
					}
					picture(t, b, title)
				}
			}
		}
	}
}

// checkScript holds what a script that ran adds to a page, which is nothing where
// none did.
func (s seen) checkScript(t *testing.T, title string, ran bool) {
	t.Helper()
	want := 0
	if ran {
		want = 1
	}
	if s.Readouts != want || s.Closer != want || s.Stops != want {
		t.Errorf("%s: %d readouts, %d close-ups and %d charts for the keyboard, want %d of each", title, s.Readouts, s.Closer, s.Stops, want)
	}
}

// check holds what is seen against the result.
func (s seen) check(t *testing.T, title string, r *reports.Result, l look) {
	t.Helper()
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			t.Errorf("%s: %s", title, fmt.Sprintf(format, args...))
		}
	}
	report(s.Page > s.Window, "it is %d wide in a window of %d", s.Page, s.Window)
	report(!strings.EqualFold(s.Verdict, r.Verdict), "the verdict is %q, want %s", s.Verdict, r.Verdict)
	report(s.Sentence == "", "no sentence is shown")
	report(s.Size < 28, "the verdict has %d px", s.Size)
	report(s.Bottom > l.height/2, "the verdict ends at %d of %d", s.Bottom, l.height)
	report(s.Contrast < 4.5, "the contrast of the verdict is %.1f", s.Contrast)
	missed := 0
	for _, o := range r.Objectives {
		if !o.OK {
			missed++
		}
	}
	report(len(s.Missed) != missed, "%d objectives are marked, want %d", len(s.Missed), missed)
	for _, text := range s.Missed {
		report(!regexp.MustCompile(`\d.*[≤≥].*(MISSED|UNCLEAR)|[≤≥].*\d.*(MISSED|UNCLEAR)|(MISSED|UNCLEAR).*[≤≥]`).MatchString(text), "no limit beside what was measured in %q", text)
	}
	report(missed > 0 && s.Lowest > l.height*5/4, "what was missed ends at %d of %d", s.Lowest, l.height)
	if len(r.Recoveries) > 0 || missed > 0 && r.Outcome == check.Fail {
		report(s.Moment == 0 || s.Moment > l.height, "the moment of the failure is at %d of %d", s.Moment, l.height)
		report(s.Marks == 0, "no chart marks the moment of the failure")
	}
	report(s.Charts == 0, "no chart is shown")
	report(len(s.Cut) > 0, "charts cut off %q", s.Cut)
}

// TestComparison opens the page of a comparison, of runs that are alike and of
// one that is slower.
func TestComparison(t *testing.T) {
	alike := recorded(t)["gate-passed"]
	slower := *alike
	c := *alike.Comparison
	c.Outcome, c.Sentence = check.Fail, "peak p50 1.5 ms, before 1.1 ms: +36.4 %, allowed +25 %"
	c.Differences = slices.Clone(c.Differences)
	c.Differences[0].Worse, c.Differences[0].After, c.Differences[0].Change, c.Differences[0].P = true, 1.5, 36.4, 1e-9
	c.Notes, c.Skipped = []string{"cores of the machine: 8 before, 2 after"}, []string{"after: it is not in both, or too short"}
	slower.Comparison = &c
	address, b := serve(t, map[string]*reports.Result{"alike": alike, "slower": &slower}), newBrowser(t)
	for name, verdict := range map[string]string{"alike": "NOT WORSE", "slower": "WORSE"} {
		for i := range 4 {
			l := look{width: 1440, height: 900, dark: i&1 > 0}
			if i&2 > 0 {
				l.width, l.height = 360, 740
			}
			for _, line := range b.open(address+"/compare/"+name, l) {
				t.Errorf("%s %s: the console says %s", name, l, line)
			}
			var got struct {
				Page, Window, Charts, Worse, Bottom int
				Verdict                             string
			}
			b.evaluate(`(() => {
				const shown = s => [...document.querySelectorAll(s)].filter(e => e.getClientRects().length)
				return {page: document.documentElement.scrollWidth, window: innerWidth, charts: shown("figure svg").length,
					worse: shown(".differences tr.bad").length, verdict: shown(".verdict")[0].innerText,
					bottom: Math.round(shown(".sentence")[0].getBoundingClientRect().bottom)}
			})()`, &got)
			worse := 0
			if verdict == "WORSE" {
				worse = 1
			}
			if got.Page > got.Window || got.Charts != 1 || got.Worse != worse || got.Verdict != verdict || got.Bottom > l.height/2 {
				t.Errorf("%s %s: %+v", name, l, got)
			}
			picture(t, b, "compare "+name+" "+l.String())
		}
	}
}

// picture keeps what the whole page looks like, if somebody wants to see it.
func picture(t *testing.T, b *browser, title string) {
	t.Helper()
	dir := os.Getenv("PROOFLOAD_SCREENSHOTS")
	if dir == "" {
		return
	}
	data := b.bytesOf("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true})
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(title, " ", "-")+".png"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRecordedRunsOnPaper prints them: on a few pages, and with nothing of the
// screen's on it.
func TestRecordedRunsOnPaper(t *testing.T) {
	results := recorded(t)
	address, b := serve(t, results), newBrowser(t)
	for name := range results {
		b.open(address+"/"+name, look{width: 1440, height: 900, script: true})
		data := b.bytesOf("Page.printToPDF", map[string]any{"printBackground": true, "paperWidth": 8.27, "paperHeight": 11.69})
		pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(data, -1))
		if pages < 2 || pages > 10 {
			t.Errorf("%s takes %d pages", name, pages)
		}
		if dir := os.Getenv("PROOFLOAD_SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+".pdf"), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"})
		var got struct{ Page, Window, Readouts int }
		b.evaluate(`({page: document.documentElement.scrollWidth, window: innerWidth,
			readouts: [...document.querySelectorAll(".readout")].filter(e => e.getClientRects().length).length})`, &got)
		if got.Page > got.Window || got.Readouts > 0 {
			t.Errorf("%s on paper: %+v", name, got)
		}
		picture(t, b, name+" on paper")
		b.call("Emulation.setEmulatedMedia", map[string]any{"media": ""})
	}
}

// TestReadout points at the main chart and moves on with a key.
func TestReadout(t *testing.T) {
	results := recorded(t)
	address, b := serve(t, results), newBrowser(t)
	for name := range results {
		b.open(address+"/"+name, look{width: 1440, height: 900, script: true})
		var got []string
		b.evaluate(`(() => {
			const svg = [...document.querySelectorAll("svg[data-end]")].find(e => e.getClientRects().length), box = svg.getBoundingClientRect()
			const said = () => svg.previousElementSibling.textContent
			svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + box.width / 2, clientY: box.top + 50}))
			const first = said()
			svg.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}))
			return [first, said()]
		})()`, &got)
		for _, said := range got {
			if !regexp.MustCompile(`^\d+:\d\d: offered [\d.]+/s, ok [\d.]+/s, errors [\d.]+/s, p50 .+, p99 .+$`).MatchString(said) {
				t.Errorf("%s: it says %q", name, said)
			}
		}
		if len(got) != 2 || got[0] == got[1] {
			t.Errorf("%s: the key changes nothing: %q", name, got)
		}
	}
}
