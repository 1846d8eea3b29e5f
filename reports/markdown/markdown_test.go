package markdown_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/markdown"
	"github.com/proofload/proofload/reports/reportstest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestWrite(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) { reportstest.Golden(t, *update, example.Name+".md", write(t, example.Result)) })
	}
}

func TestTablesHaveAsManyCellsAsColumns(t *testing.T) {
	r := reportstest.LostWrites()
	r.Objectives[0].Note = "a | b\nc"
	r.Checks[0].Reason = "`x | y` \\| z"
	r.Faults[0].Proof = "<b>|</b>"
	columns := 0
	for line := range strings.Lines(write(t, r)) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		bars := strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, "")
		n := strings.Count(bars, "|")
		if columns != 0 && n != columns {
			t.Errorf("%d bars instead of %d: %s", n, columns, line)
		}
		columns = n
	}
}

func TestWriteEscapes(t *testing.T) {
	r := reportstest.Pass()
	r.Sentence = "<img src=x> **bold** [link](http://example.com) @everyone"
	got := write(t, r)
	want := `**&lt;img src=x&gt; \*\*bold\*\* \[link\](http://example.com) &#64;everyone**`
	if !strings.Contains(got, want) {
		t.Errorf("no %s in:\n%s", want, got)
	}
}

func TestWriteStaysBelowTheLimit(t *testing.T) {
	r := reportstest.LostWrites()
	long := strings.Repeat("ä&|", 1500)
	for range 150 {
		r.Objectives = append(r.Objectives, check.ObjectiveResult{Subject: long, Outcome: check.Fail, Reason: long, Samples: []float64{1}})
		r.Checks = append(r.Checks, check.Verdict{Check: long, Outcome: check.Fail, Reason: long})
		r.Faults = append(r.Faults, r.Faults[0])
		r.Recoveries = append(r.Recoveries, r.Recoveries[0])
	}
	got := write(t, r)
	if len(got) >= 1<<20 {
		t.Errorf("%d bytes", len(got))
	}
	if !strings.HasSuffix(got, "\n\nCut here: the whole of it is in report.html.\n") {
		t.Errorf("ends in %q", got[len(got)-100:])
	}
}

func TestLongTablesEnd(t *testing.T) {
	r := reportstest.Pass()
	for range 500 {
		r.Recoveries = append(r.Recoveries, r.Recoveries[0])
	}
	if got := write(t, r); !strings.Contains(got, "| 401 more in report.html |") || len(got) > 20_000 {
		t.Errorf("%d bytes:\n%s", len(got), got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestWriteReportsErrors(t *testing.T) {
	if err := markdown.Write(full{}, reportstest.Pass()); err == nil || err.Error() != "write markdown: disk is full" {
		t.Errorf("got %v", err)
	}
}

func TestAnnotations(t *testing.T) {
	escaped := &reports.Result{Scenario: reports.Source{Name: "n", File: "a,b:c.yaml"}}
	escaped.Objectives = []check.ObjectiveResult{{
		Subject: "a:b", Metric: "errors", Unit: "percent", Op: "<=", Limit: 1, Value: 3, Margin: -2,
		Outcome: check.Fail, Samples: []float64{3}, At: check.Place{Line: 4}, Reason: "50 %\nof them",
	}}
	library := reportstest.FiveDrills()
	library.Scenario.File = "library:primary-failover"
	for _, c := range []struct {
		name string
		r    *reports.Result
		want []string
	}{
		{"pass", reportstest.Pass(), nil},
		{"missed", reportstest.FiveDrills(), []string{
			"::error file=scenarios/primary-failover.yaml,line=28,col=24,title=primary-lost rto::" +
				"primary-lost rto 41.2 s is 21.2 s over 20 s%0Adrill 4: the route to the new primary was switched 27.7 s after it was promoted",
		}},
		{"a scenario that ships", library, []string{
			"::error title=primary-lost rto::" +
				"primary-lost rto 41.2 s is 21.2 s over 20 s%0Adrill 4: the route to the new primary was switched 27.7 s after it was promoted",
		}},
		{"unclear", reportstest.Inconclusive(), []string{
			"::warning file=scenarios/primary-failover.yaml,line=27,col=17,title=steady p99::steady p99 118 ms is unclear: the generator fell behind in this phase",
			"::warning file=scenarios/primary-failover.yaml,line=28,col=35,title=primary-lost rpo::primary-lost rpo is unclear: not exercised: replication was not stalled at T0",
			"::warning title=replicas-agree::replicas-agree: pg-1 was not read: it had not rejoined within 60 s",
		}},
		{"faults left", reportstest.FaultsLeft(), []string{
			"::error title=a fault may still be in place::stall link:replication: proofload heal%0A" +
				"by hand: curl -X DELETE http://127.0.0.1:8474/links/replication:pg-1/proxies/link/toxics/stall",
		}},
		{"escaped", escaped, []string{
			"::error file=a%2Cb%3Ac.yaml,line=4,col=1,title=a%3Ab errors::a:b errors 3.00 %25 is 2.00 %25 over 1 %25%0A50 %25%0Aof them",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, markdown.Annotations(c.r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnnotationsOfAnInterruptedRun(t *testing.T) {
	got := markdown.Annotations(reportstest.Interrupted())
	if len(got) == 0 || !strings.HasPrefix(got[0], "::error title=primary-failover interrupted::interrupted after 1m34s") {
		t.Errorf("got %q", got)
	}
}

// GitHub shows ten errors and ten warnings of one step, whatever came of how many
// scenarios.
func TestAnnotationsAreAtMostTenOfAKind(t *testing.T) {
	result := func(name string, failed, unclear int) *reports.Result {
		r := &reports.Result{Scenario: reports.Source{Name: name}}
		for i := range failed {
			r.Checks = append(r.Checks, check.Verdict{Check: fmt.Sprintf("%s-%d", name, i), Outcome: check.Fail, Reason: "no"})
		}
		for i := range unclear {
			r.Checks = append(r.Checks, check.Verdict{Check: fmt.Sprintf("%s-%d?", name, i), Outcome: check.Inconclusive, Reason: "unknown"})
		}
		return r
	}
	for _, c := range []struct {
		name             string
		results          []*reports.Result
		errors, warnings int
		last             []string // of each kind that is cut
	}{
		{"nine", []*reports.Result{result("a", 9, 0)}, 9, 0, nil},
		{"ten", []*reports.Result{result("a", 10, 10)}, 10, 10, nil},
		{"eleven", []*reports.Result{result("a", 11, 3)}, 10, 3, []string{"::error title=proofload::and 2 more, see the report"}},
		{"several scenarios", []*reports.Result{result("a", 4, 8), reportstest.Pass(), result("b", 4, 8), result("c", 40, 0)}, 10, 10, []string{
			"::error title=proofload::and 39 more, see the report", "::warning title=proofload::and 7 more, see the report",
		}},
		{"none", nil, 0, 0, nil},
	} {
		kinds, said := map[string]int{}, []string{}
		for _, command := range markdown.Annotations(c.results...) {
			kind, _, _ := strings.Cut(command, " ")
			kinds[kind]++
			said = append(said, command)
		}
		if kinds["::error"] != c.errors || kinds["::warning"] != c.warnings {
			t.Errorf("%s: %v, want %d errors and %d warnings", c.name, kinds, c.errors, c.warnings)
		}
		for _, want := range c.last {
			if !slices.Contains(said, want) {
				t.Errorf("%s: no %q in %q", c.name, want, said)
			}
		}
	}
}

func TestGoldenAnnotations(t *testing.T) {
	for _, example := range reportstest.Examples() {
		reportstest.Golden(t, *update, example.Name+"-annotations.txt", strings.Join(append(markdown.Annotations(example.Result), ""), "\n"))
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"short\n", "short\n"},
		{"one\ntwo\nthree\n", "one\ntwo\n\nmore\n"},
		{"```sh\na command that is long\n```\n", "```sh\n```\n\nmore\n"},
		{"a line that is too long for it", "\nmore\n"},
	} {
		if got := string(markdown.Cut([]byte(c.text), 10, "more")); got != c.want {
			t.Errorf("%q is cut to %q, want %q", c.text, got, c.want)
		}
	}
	if got := string(markdown.Cut([]byte("text\n"), -5, "more")); got != "\nmore\n" {
		t.Errorf("without any room it is cut to %q", got)
	}
}

func write(t *testing.T, r *reports.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := markdown.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestWhatWasNotLookedUpIsNotZero: of a run that died nobody knows what is lost.
func TestWhatWasNotLookedUpIsNotZero(t *testing.T) {
	r := reportstest.Pass()
	r.Writes.Found = 0
	if want := "| **12.4 s** | - | - | 2.00 s |"; !strings.Contains(write(t, r), want) {
		t.Errorf("no %q in\n%s", want, write(t, r))
	}
}
