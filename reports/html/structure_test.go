package html_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/reportstest"
)

// An element is one start tag of a report.
type element struct {
	name   string
	attr   map[string]string
	inside []string // names of the elements it stands in
	text   string   // all text in it
}

// scripts are what a browser does not read as elements.
var scripts = regexp.MustCompile(`(?s)(<script[^>]*>).*?(</script>)`)

// parse reads a report as a tree that is nested properly.
func parse(t *testing.T, page string) []*element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(scripts.ReplaceAllString(page, "$1$2")))
	d.Strict = false
	d.AutoClose = xml.HTMLAutoClose
	d.Entity = xml.HTMLEntity
	var all, open []*element
	var texts []*strings.Builder // of the open elements
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("not nested properly: %v", err)
		}
		switch tok := token.(type) {
		case xml.StartElement:
			e := &element{name: tok.Name.Local, attr: map[string]string{}}
			for _, a := range tok.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			for _, o := range open {
				e.inside = append(e.inside, o.name)
			}
			all, open, texts = append(all, e), append(open, e), append(texts, new(strings.Builder))
		case xml.EndElement:
			last := len(open) - 1
			open[last].text = texts[last].String()
			open, texts = open[:last], texts[:last]
		case xml.CharData:
			for _, text := range texts {
				text.Write(tok)
			}
		}
	}
}

func TestReportsNeedNothingElse(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			page := write(t, example.Result)
			for _, e := range parse(t, page) {
				if slices.Contains([]string{"link", "img", "iframe", "object", "form", "use", "image"}, e.name) {
					t.Errorf("<%s>", e.name)
				}
				for name, value := range e.attr {
					if name == "style" || strings.HasPrefix(name, "on") || name == "src" || name == "href" && !strings.HasPrefix(value, "#") {
						t.Errorf("<%s %s=%q>", e.name, name, value)
					}
				}
				if e.name == "style" && regexp.MustCompile(`url\(|@import`).MatchString(e.text) {
					t.Error("the style sheet fetches something")
				}
			}
			if addresses := regexp.MustCompile(`https?://[^"<\s]+`).FindAllString(page, -1); len(addresses) > 0 {
				for _, a := range addresses {
					if a != "http://www.w3.org/2000/svg" && a != "https://github.com/leeoniya/uPlot" && !strings.HasPrefix(a, "http://127.0.0.1") {
						t.Errorf("address %s", a)
					}
				}
			}
		})
	}
}

func TestReportsCanBeReadAloud(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			elements := parse(t, write(t, example.Result))
			count := map[string]int{}
			ids := map[string]bool{}
			for _, e := range elements {
				count[e.name]++
				if id := e.attr["id"]; id != "" {
					if ids[id] {
						t.Errorf("two elements have the id %q", id)
					}
					ids[id] = true
				}
			}
			for _, name := range []string{"header", "main", "footer", "h1", "style"} {
				if count[name] != 1 {
					t.Errorf("%d <%s>", count[name], name)
				}
			}
			for i, e := range elements {
				checkElement(t, e, elements[i:], ids)
			}
		})
	}
}

func checkElement(t *testing.T, e *element, from []*element, ids map[string]bool) {
	t.Helper()
	for ref := range strings.FieldsSeq(e.attr["aria-labelledby"]) {
		if !ids[ref] {
			t.Errorf("<%s> is labelled by %q, which does not exist", e.name, ref)
		}
	}
	switch e.name {
	case "html":
		if e.attr["lang"] != "en" {
			t.Error("no language")
		}
	case "th":
		if e.attr["scope"] == "" {
			t.Errorf("header %q has no scope", e.text)
		}
	case "section":
		if e.attr["aria-labelledby"] == "" {
			t.Error("section has no label")
		}
	case "svg":
		if e.attr["aria-hidden"] == "true" {
			return
		}
		if e.attr["role"] != "img" || e.attr["viewBox"] == "" || len(from) < 3 ||
			from[1].name != "title" || from[2].name != "desc" || from[1].text == "" {
			t.Errorf("svg %v has no role, viewBox, title or desc", e.attr)
		}
	case "path", "rect", "text":
		if e.attr["fill"] == "" {
			t.Errorf("<%s class=%q> has no fill", e.name, e.attr["class"])
		}
	}
}

func TestObjectivesStandBesideTheirLimits(t *testing.T) {
	for _, c := range []struct {
		r    *reports.Result
		want string
	}{
		{reportstest.Pass(), "primary-lost rto 12.4 s ≤ 20 s 7.6 s ok"},
		{reportstest.FiveDrills(), "primary-lost rto 41.2 s ≤ 20 s −21.2 s MISSED drill 4: the route to the new primary was switched 27.7 s after it was promoted"},
		{reportstest.LostWrites(), "primary-lost lost_writes 395 ≤ 0 −395 MISSED 395 of 29,811 acknowledged writes are gone"},
		{reportstest.Inconclusive(), "primary-lost rpo – ≤ 0 s – UNCLEAR not exercised: replication was not stalled at T0"},
	} {
		rows := rowCells(t, write(t, c.r))
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, c.want) }) {
			t.Errorf("no row %q in\n%s", c.want, strings.Join(rows, "\n"))
		}
	}
}

// rowCells returns the texts of every row of every table, cells separated by
// blanks, empty ones left out.
func rowCells(t *testing.T, page string) []string {
	t.Helper()
	var rows []string
	for _, e := range parse(t, page) {
		switch {
		case e.name == "tr":
			rows = append(rows, "")
		case (e.name == "td" || e.name == "th") && e.text != "":
			rows[len(rows)-1] = strings.TrimSpace(rows[len(rows)-1] + " " + e.text)
		}
	}
	return rows
}

func TestChartMarksTheMoment(t *testing.T) {
	for _, c := range []struct {
		r    *reports.Result
		want []string
	}{
		{reportstest.Pass(), []string{"postgres.primary lost, T0 1:30", "recovered in 12.4 s, limit 20 s", "lose postgres.primary, 53.9 s", "stall link:replication, 30.1 s", "p99 limit 250 ms"}},
		{reportstest.FiveDrills(), []string{"postgres.primary lost, T0 1:39", "recovered in 41.2 s, limit 20 s: MISSED", "Drill 1", "Drill 5", "41.2 s MISSED"}},
		{reportstest.LostWrites(), []string{"395 acknowledged writes lost, the oldest 2.12 s before T0"}},
		{reportstest.FaultsLeft(), []string{"stall link:replication, may still be in place"}},
	} {
		labels := map[string]bool{}
		for _, e := range parse(t, write(t, c.r)) {
			if e.name == "text" {
				labels[e.text] = true
			}
		}
		for _, want := range c.want {
			if !labels[want] {
				t.Errorf("no label %q", want)
			}
		}
	}
}

func TestHeadline(t *testing.T) {
	for _, c := range []struct {
		r    *reports.Result
		want string
	}{
		{reportstest.ThreeSeconds(), "PASS: All 2 objectives were met."},
		{reportstest.Interrupted(), "INTERRUPTED: interrupted after 1m34s, in phase failover of drill 1; everything that was broken has been mended"},
		{&reports.Result{Verdict: "error", Problem: "no Docker engine answers"}, "ERROR: no Docker engine answers"},
	} {
		for _, e := range parse(t, write(t, c.r)) {
			if e.name == "h1" && e.text != c.want {
				t.Errorf("got %q, want %q", e.text, c.want)
			}
		}
	}
}

// TestRowsThatAreBadCanBeReadInTheDark finds rows that have the colour of light
// pages as an attribute, for pages without a style sheet, and that no rule changes.
func TestRowsThatAreBadCanBeReadInTheDark(t *testing.T) {
	page := write(t, reportstest.LostWrites())
	tables := 0
	for _, table := range strings.Split(page, "<table ")[1:] {
		table, _, _ = strings.Cut(table, "</table>")
		if !strings.Contains(table, "bgcolor=") {
			continue
		}
		tables++
		class, _, _ := strings.Cut(strings.TrimPrefix(table, `class="`), `"`)
		if !strings.Contains(page, "."+class+" tr.bad > * { background: var(--bad-tint) }") {
			t.Errorf("no style has the bad rows of <table %.40s", table)
		}
	}
	if tables != 2 {
		t.Errorf("%d tables have bad rows, want those of objectives and writes", tables)
	}
}

// TestMomentsSayWhatPeopleAskNext has the first lines answer, beside the verdict,
// when it happened, when the database was back and whether anything was lost.
func TestMomentsSayWhatPeopleAskNext(t *testing.T) {
	moments := func(r *reports.Result) (said []string) {
		for _, e := range parse(t, write(t, r)) {
			if e.name == "p" && strings.HasPrefix(e.attr["class"], "moment") {
				said = append(said, e.text)
			}
		}
		return said
	}
	want := []string{
		"T0 is 1:39, when postgres.primary was lost. Clients: recovered in 41.2 s, limit 20 s: MISSED.",
		"The new primary acknowledged its first write at T0 +39.0 s.", "None of 148,885 acknowledged writes was lost.",
	}
	if diff := cmp.Diff(want, moments(reportstest.FiveDrills())); diff != "" {
		t.Errorf("slow (-want +got):\n%s", diff)
	}
	for name, r := range map[string]*reports.Result{"passed": reportstest.Pass(), "lost some": reportstest.LostWrites()} {
		if got := moments(r); len(got) != 2 {
			t.Errorf("%s: the sentence of the verdict has it already: %q", name, got)
		}
	}
	rows := rowCells(t, write(t, reportstest.Pass()))
	if !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, " 1 T0 fault lose") }) {
		t.Errorf("the journal does not count from T0:\n%s", strings.Join(rows, "\n"))
	}
}

func TestTextIsEscaped(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	r := reportstest.LostWrites()
	r.Scenario = reports.Source{Name: evil, About: evil, File: evil, SHA256: evil}
	r.Run, r.Target, r.Sentence, r.Reasons = evil, evil, evil, []string{evil}
	r.FaultsLeft = []string{evil}
	r.Writes.LostIDs = []string{evil}
	r.Objectives[0].Subject, r.Objectives[3].Reason = evil, evil
	r.Checks[0] = check.Verdict{Check: evil, Outcome: check.Fail, Reason: evil, Examples: []string{evil}}
	r.Faults[0].Target, r.Faults[0].Proof = evil, evil
	r.Faults[1].Target = evil
	r.Windows[0].Phase, r.Windows[0].ByErr = evil, map[string]int64{evil: 1}
	r.Generator.Fell, r.Generator.Reason = true, evil
	r.Plan, r.Host, r.Images = evil, map[string]string{evil: evil}, map[string]string{evil: evil}
	for i := range r.Recoveries {
		r.Recoveries[i].Event = evil
	}
	for i := range r.Series {
		r.Series[i].Phase = evil
	}
	page := write(t, r)
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts, want the report's own and its data", n)
	}
	for _, e := range parse(t, page) {
		if e.name == "img" {
			t.Fatalf("<%s> inside %v", e.name, e.inside)
		}
	}
}

// Peaks of a long series survive, and the report of a long run stays small.
func TestLongRun(t *testing.T) {
	r := reportstest.ThreeSeconds()
	empty := len(write(t, &reports.Result{}))
	if empty > 300_000 {
		t.Errorf("%d bytes without data", empty)
	}
	r.Series = nil
	for i := range 4 * 3600 {
		s := check.Second{At: float64(i), Drill: 1, Phase: "day", Offered: 200, OK: 200, P50: 10, P99: 100}
		if i == 4000 {
			s.OK, s.Errors, s.P99 = 0, 200, 9000
		}
		r.Series = append(r.Series, s)
	}
	page := write(t, r)
	if len(page) > 300_000 {
		t.Errorf("%d bytes", len(page))
	}
	var depths []float64
	for _, e := range parse(t, page) {
		if e.name == "path" && e.attr["class"] == "ok-line" {
			ys := heights(t, e.attr["d"])
			depths = append(depths, slices.Max(ys)-slices.Min(ys))
		}
	}
	// The scale ends at 200 and a panel is 150 high.
	if diff := cmp.Diff([]float64{150, 150}, depths); diff != "" {
		t.Errorf("the one bad second is not drawn (-want +got):\n%s", diff)
	}
}

// heights lists the y coordinates of a path.
func heights(t *testing.T, path string) []float64 {
	t.Helper()
	var ys []float64
	for _, m := range regexp.MustCompile(`[ML][0-9.]+ ([0-9.]+)`).FindAllStringSubmatch(path, -1) {
		var y float64
		if _, err := fmt.Sscan(m[1], &y); err != nil {
			t.Fatal(err)
		}
		ys = append(ys, y)
	}
	if len(ys) == 0 {
		return []float64{math.NaN()}
	}
	return ys
}

func TestStrangeResults(t *testing.T) {
	censored := reportstest.FiveDrills()
	censored.Recoveries[1].Censored = true
	censored.Recoveries[2].Steady = -1
	noLimit := reportstest.Pass()
	noLimit.Objectives = nil
	noSeries := reportstest.FiveDrills()
	noSeries.Series = nil
	many := reportstest.Pass()
	for i := range 300 {
		rec := many.Recoveries[0]
		rec.Drill = i + 1
		many.Recoveries = append(many.Recoveries, rec)
		many.Series = append(many.Series, check.Second{At: float64(300 + i), Drill: i + 2, Phase: "p"})
	}
	for name, r := range map[string]*reports.Result{
		"nothing": {}, "censored": censored, "no limit": noLimit, "no series": noSeries, "many": many,
		"one second":   {Judgement: check.Judgement{Series: []check.Second{{Drill: 1}}}},
		"outside":      {Judgement: check.Judgement{Series: []check.Second{{Drill: 1}}, Faults: []check.FaultWindow{{Drill: 1, From: 9e9, To: -1}}}},
		"not a number": {Judgement: check.Judgement{Recoveries: []check.Recovery{{Steady: math.Inf(1)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range parse(t, write(t, r)) {
				for attr, value := range e.attr {
					if strings.Contains(value, "NaN") || strings.Contains(value, "Inf") {
						t.Errorf("<%s %s=%q>", e.name, attr, value)
					}
					if number := slices.Contains([]string{"width", "height"}, attr); number && strings.HasPrefix(value, "-") {
						t.Errorf("<%s %s=%q>", e.name, attr, value)
					}
				}
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestWriteReportsErrors(t *testing.T) {
	if err := html.Write(full{}, reportstest.Pass()); err == nil || err.Error() != "write report: disk is full" {
		t.Errorf("got %v", err)
	}
}
