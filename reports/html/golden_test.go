package html_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/reportstest"
)

// assets are the same in all pages, and files of their own: style.css, chart.js
// and uPlot.
var assets = regexp.MustCompile(`(?s)(<style>|<script>).*?(</style>|</script>)`)

// content is a page without its style sheet and its script, and what they have
// their sums in.
func content(page string) string {
	page = assets.ReplaceAllString(page, "$1$2")
	return regexp.MustCompile(`script-src [^;]*`).ReplaceAllString(page, "script-src")
}

// drawn are what is too long to be read in a golden file: the numbers behind the
// main chart, long lines, and every drawing once more for narrow windows.
var drawn = regexp.MustCompile(`(?s)id="timeline-data">.{200,}?</script>|<div class="narrow".*?</svg></div>|\bd="[^"]{200,}"`)

// abridged has a sum in the place of whatever is too long, which still shows that
// it changed. The file of the shortest run has all of it.
func abridged(page string) string {
	return drawn.ReplaceAllStringFunc(page, func(long string) string {
		return fmt.Sprintf("%.20s [%d bytes with the sum %.6x]", long, len(long), sha256.Sum256([]byte(long)))
	})
}

func TestGoldenReports(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			got := content(write(t, example.Result))
			if example.Name != "short" {
				got = abridged(got)
			}
			reportstest.Golden(t, *update, example.Name+".html", got)
		})
	}
}

func TestGoldenLinkedReport(t *testing.T) {
	reportstest.Golden(t, *update, "linked.html", rendered(t, func(w io.Writer) error { return html.WriteLinked(w, reportstest.ThreeSeconds()) }))
}

func TestGoldenComparison(t *testing.T) {
	reportstest.Golden(t, *update, "compare.html", content(rendered(t, func(w io.Writer) error { return html.WriteComparison(w, reportstest.Slower()) })))
}

// TestGoldenLivePage draws what the page of a run that goes on has at first: when
// a drill has just lost its primary, and before there is anything to tell.
func TestGoldenLivePage(t *testing.T) {
	painter, err := html.NewPainter()
	if err != nil {
		t.Fatal(err)
	}
	r := reportstest.Pass()
	const now = 95 * time.Second
	r.Series = r.Series[:int(now.Seconds())]
	r.Verdict, r.Sentence, r.Objectives, r.Checks, r.Recoveries = "", "", nil, nil, nil
	for name, live := range map[string]*html.Live{
		"live.html": {
			Result: r, Now: now, Progress: &check.Progress{
				Drill: 1, Phase: "failover", Now: check.Pulse{Offered: 200, Achieved: 200, Completed: 190, OK: 64, P50: 3, P99: 950, Lag: 0.4},
				Judgement: r.Judgement,
			},
			Spec: check.Spec{Phases: []check.Phase{
				{Name: "steady", For: 80 * time.Second, Score: true}, {Name: "failover", Start: 80 * time.Second, For: 70 * time.Second, Score: true},
			}},
		},
		"live-first.html": {Result: &reports.Result{Run: "7f3c", Scenario: r.Scenario, Target: r.Target}, Progress: new(check.Progress), Said: "pg-1 starts"},
	} {
		parts, err := painter.Parts(live)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := painter.Asked([]html.Question{{ID: "1", Text: "Is everybody at their desk?", Until: "10:00 UTC"}})
		if err != nil {
			t.Fatal(err)
		}
		reportstest.Golden(t, *update, name, abridged(content(rendered(t, func(w io.Writer) error { return painter.Page(w, append(parts, asked...)) }))))
	}
}

// TestReportsHaveTheirAssets finds what golden files leave out.
func TestReportsHaveTheirAssets(t *testing.T) {
	page := write(t, reportstest.ThreeSeconds())
	if n := len(assets.FindAllString(page, -1)); n != 2 {
		t.Errorf("%d assets, want a style sheet and a script", n)
	}
	style := rendered(t, func(w io.Writer) error { return html.WriteStyle(w, nil) })
	for name, want := range map[string]string{"style sheet": style, "uPlot": "uPlot=function", "script": "timeline-data"} {
		if want == "" || !strings.Contains(page, want) {
			t.Errorf("no %s", name)
		}
	}
}

func rendered(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
