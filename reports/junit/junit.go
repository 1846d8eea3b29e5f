// Package junit writes a result as JUnit XML, which CI systems show as tests.
//
// Readers of JUnit files differ in what they heed. So a failure's whole
// explanation is in the body of its element and not only in its message
// attribute, and the place in the scenario file is in both. There is nothing in a
// file that the schema of Jenkins' xunit plugin, the strictest one in use, does
// not know.
package junit

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// Options say what else goes into the file.
type Options struct {
	Report string // path of the report, attached where the CI system can; empty if there is none
}

type testSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	counts
	Suite testSuite `xml:"testsuite"`
}

// counts are the attributes that a suite and all suites together have.
type counts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Time     string `xml:"time,attr"`
}

type testSuite struct {
	Name      string `xml:"name,attr"`
	Timestamp string `xml:"timestamp,attr"`
	counts
	Skipped    int        `xml:"skipped,attr"`
	Properties []property `xml:"properties>property"`
	Cases      []testCase `xml:"testcase"`
	SystemOut  string     `xml:"system-out,omitempty"`
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testCase struct {
	Class     string   `xml:"classname,attr"`
	Name      string   `xml:"name,attr"`
	Time      string   `xml:"time,attr"`
	Failure   *problem `xml:"failure"`
	Error     *problem `xml:"error"`
	Skipped   *problem `xml:"skipped"`
	SystemOut string   `xml:"system-out,omitempty"`
}

type problem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Body    string `xml:",cdata"`
}

// Write writes r as one test suite: a test for each objective, named after it,
// and one for each check. Missed is a failure, inconclusive an error, not
// reached skipped. A run without a verdict, and faults that are left, are
// errors of their own, so that no such run looks green. The time of a test is
// the measured value where that is a time, in seconds.
func Write(w io.Writer, r *reports.Result, o Options) error {
	s := testSuite{
		Name: r.Scenario.Name, Timestamp: r.Began.UTC().Format(time.DateOnly + "T" + time.TimeOnly),
		Properties: properties(r), SystemOut: attachment(o.Report),
	}
	for _, obj := range r.Objectives {
		s.Cases = append(s.Cases, objectiveCase(r, obj))
	}
	for _, v := range r.Checks {
		s.Cases = append(s.Cases, checkCase(r, v))
	}
	s.Cases = append(s.Cases, runCases(r)...)
	for i := range s.Cases {
		c := &s.Cases[i]
		s.add(c)
		if c.Failure != nil || c.Error != nil {
			c.SystemOut = attachment(o.Report)
		}
	}
	s.Time = seconds(r.TookMS)
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(testSuites{Name: "proofload", counts: s.counts, Suite: s}); err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	b.WriteByte('\n')
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	return nil
}

// add counts one test.
func (s *testSuite) add(t *testCase) {
	s.Tests++
	switch {
	case t.Failure != nil:
		s.Failures++
	case t.Error != nil:
		s.Errors++
	case t.Skipped != nil:
		s.Skipped++
	}
}

func properties(r *reports.Result) []property {
	list := []property{
		{"run", r.Run},
		{"verdict", r.Verdict},
		{"exit", strconv.Itoa(r.Exit)},
		{"target", r.Target},
	}
	for _, name := range slices.Sorted(maps.Keys(r.Options)) {
		list = append(list, property{"option." + name, r.Options[name]})
	}
	return append(list,
		property{"drills", strconv.Itoa(format.Drills(r))},
		property{"seed", strconv.FormatUint(r.Seed, 10)},
		property{"scenario.sha256", r.Scenario.SHA256},
	)
}

func objectiveCase(r *reports.Result, o check.ObjectiveResult) testCase {
	c := testCase{
		Class: r.Scenario.Name, Name: fmt.Sprintf("%s %s %s %s", o.Subject, o.Metric, o.Op, format.Limit(o.Unit, o.Limit)),
		Time: "0.000",
	}
	if o.Unit == format.Milliseconds && format.Measured(o) {
		c.Time = seconds(o.Value)
	}
	f := format.Finding{At: o.At}
	body := []string{}
	if place := format.Place(r, f); place != "" {
		body = append(body, place+":")
	}
	body = append(body, format.Sentence(o), "limit: "+o.Op+" "+format.Limit(o.Unit, o.Limit), "measured: "+format.Measurement(o))
	for _, line := range []string{o.Reason, o.Note, format.Samples(o)} {
		if !strings.Contains(format.Sentence(o), line) {
			body = append(body, line)
		}
	}
	for _, rec := range r.Recoveries {
		if rec.Event == o.Subject && o.Metric == "rto" {
			body = append(body, fmt.Sprintf("drill %d: %s", rec.Drill, format.Anatomy(r, rec)))
		}
	}
	reached := format.Judged(r) || format.Measured(o)
	c.come(o.Outcome, reached, o.Metric, format.Sentence(o), body)
	return c
}

func checkCase(r *reports.Result, v check.Verdict) testCase {
	c := testCase{Class: r.Scenario.Name, Name: v.Check, Time: "0.000"}
	body := append([]string{v.Check + ": " + v.Reason}, v.Examples...)
	c.come(v.Outcome, format.Judged(r), v.Check, v.Reason, body)
	return c
}

// come records how a test came out. What an unfinished run did not reach is
// skipped.
func (c *testCase) come(o check.Outcome, reached bool, kind, message string, body []string) {
	p := &problem{Message: message, Type: kind, Body: text(body)}
	switch {
	case o == check.Pass:
	case o == check.Fail:
		c.Failure = p
	case reached:
		p.Type = string(check.Inconclusive)
		c.Error = p
	default:
		p.Type = ""
		c.Skipped = p
	}
}

// runCases are the tests that only appear when they did not pass: the run came
// to no verdict, something else than an objective or a check kept it from
// passing, or a fault is left.
func runCases(r *reports.Result) []testCase {
	var cases []testCase
	failed := func(name, kind, message string, body []string) {
		cases = append(cases, testCase{
			Class: r.Scenario.Name, Name: name, Time: "0.000",
			Error: &problem{Message: message, Type: kind, Body: text(body)},
		})
	}
	loose := format.LooseReasons(r)
	switch {
	case !format.Judged(r):
		failed("run", r.Verdict, r.Problem, append([]string{r.Problem}, loose...))
	case r.Generator.Fell:
		failed("load offered as asked", string(check.Inconclusive), r.Generator.Reason, append([]string{r.Generator.Reason}, loose...))
	case len(loose) > 0:
		failed("run", r.Verdict, r.Sentence, loose)
	}
	if left := format.FaultsLeft(r); len(left) > 0 {
		failed("all faults healed", "faults-left", "a fault may still be in place", left)
	}
	return cases
}

// attachment is how a CI system is told to keep a file beside a test.
func attachment(path string) string {
	if path == "" {
		return ""
	}
	return "[[ATTACHMENT|" + path + "]]"
}

func seconds(ms float64) string { return strconv.FormatFloat(ms/1000, 'f', 3, 64) }

// text joins lines, without the characters that XML cannot hold.
func text(lines []string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c == utf8.RuneError || c == 0xFFFE || c == 0xFFFF {
			return -1
		}
		return c
	}, strings.Join(lines, "\n"))
}
