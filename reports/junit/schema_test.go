package junit_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports/reportstest"
)

// A content is what may stand between the tags of an element.
type content int

const (
	nothing  content = iota // not even blanks
	elements                // and blanks between them
	anyText                 // and no elements
)

// A rule is what a file may have of one element.
type rule struct {
	content    content
	children   string            // in any order and number
	attributes map[string]string // by name: the expressions their values match
	required   string            // attributes
}

// The types of attributes.
const (
	anything     = `(?s).*`
	surefireTime = `(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?`
)

// rules are those of junit-10, the schema by which the xunit plugin of Jenkins
// refuses files. What its schema calls a sequence or a choice of elements comes to
// the same here, since all of these may be repeated.
func rules() map[string]rule {
	text := func(names string) map[string]string {
		types := map[string]string{}
		for name := range strings.FieldsSeq(names) {
			types[name] = anything
		}
		return types
	}
	timed := func(names string) map[string]string {
		types := text(names)
		types["time"] = surefireTime
		return types
	}
	const rerun = "rerunFailure rerunError flakyFailure flakyError"
	said := rule{anyText, "", text("type message"), ""}
	all := map[string]rule{
		"testsuites": {elements, "testsuite", timed("name tests failures errors"), ""},
		"testsuite": {
			elements, "testsuite properties testcase system-out system-err",
			timed("name tests failures errors group skipped timestamp hostname id package file log url"), "name tests failures errors",
		},
		"properties": {elements, "property", nil, ""},
		"property":   {nothing, "", text("name value"), "name value"},
		"testcase":   {elements, "skipped error failure system-out system-err " + rerun, text("name time classname group"), "name"},
		"failure":    said, "error": said, "skipped": said,
		"system-out": {anyText, "", nil, ""}, "system-err": {anyText, "", nil, ""},
	}
	for name := range strings.FieldsSeq(rerun) {
		all[name] = rule{anyText, "", text("type message"), "type"}
	}
	return all
}

func TestFilesFitTheSchema(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			for _, wrong := range misfits(write(t, example.Result)) {
				t.Error(wrong)
			}
		})
	}
}

// TestWhatDoesNotFitIsFound breaks every rule once.
func TestWhatDoesNotFitIsFound(t *testing.T) {
	const suite = `<testsuite name="s" tests="1" failures="0" errors="0" time="1.5">%s</testsuite>`
	for want, file := range map[string]string{
		"":                                       `<testsuites time="1,234.5">` + fmt.Sprintf(suite, `<testcase name="a"><failure>text</failure></testcase>`) + `</testsuites>`,
		"<skipped> in <testsuite>":               fmt.Sprintf(suite, `<skipped/>`),
		"<testcase> in <testsuites>":             `<testsuites><testcase name="a"/></testsuites>`,
		"<report>":                               `<report/>`,
		"text in <testcase>":                     fmt.Sprintf(suite, `<testcase name="a">text</testcase>`),
		"text in <property>":                     fmt.Sprintf(suite, `<properties><property name="a" value="b"> </property></properties>`),
		"<failure> in <failure>":                 fmt.Sprintf(suite, `<testcase name="a"><failure><failure/></failure></testcase>`),
		"<testcase line>":                        fmt.Sprintf(suite, `<testcase name="a" line="3"/>`),
		"<testcase> has no name":                 fmt.Sprintf(suite, `<testcase/>`),
		"<testsuite> has no errors":              `<testsuite name="s" tests="1" failures="0"/>`,
		`<testsuites time="1.5s">`:               `<testsuites time="1.5s"/>`,
		`<testsuites time="-1">`:                 `<testsuites time="-1"/>`,
		"<testcase> in the space of names urn:x": fmt.Sprintf(suite, `<testcase xmlns="urn:x" name="a"/>`),
	} {
		got := misfits([]byte(file))
		if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
			t.Errorf("%s: found %q, want %q", file, got, want)
		}
	}
}

// misfits lists where a file breaks the rules.
func misfits(file []byte) (wrong []string) {
	known := rules()
	d := xml.NewDecoder(bytes.NewReader(file))
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return wrong
		}
		if err != nil {
			return append(wrong, err.Error())
		}
		inside := ""
		if len(open) > 0 {
			inside = open[len(open)-1]
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			if inside != "" && !slices.Contains(strings.Fields(known[inside].children), name) {
				wrong = append(wrong, fmt.Sprintf("<%s> in <%s>", name, inside))
			}
			if e.Name.Space != "" {
				wrong = append(wrong, fmt.Sprintf("<%s> in the space of names %s", name, e.Name.Space))
			}
			if r, ok := known[name]; ok {
				wrong = append(wrong, r.misfits(e)...)
			} else {
				wrong = append(wrong, "<"+name+">")
			}
			open = append(open, name)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if c := known[inside].content; inside != "" && (c == nothing || c == elements && len(bytes.TrimSpace(e)) > 0) {
				wrong = append(wrong, "text in <"+inside+">")
			}
		}
	}
}

// misfits lists what is wrong with the attributes of an element.
func (r rule) misfits(e xml.StartElement) (wrong []string) {
	given := map[string]bool{}
	for _, a := range e.Attr {
		if a.Name.Local == "xmlns" {
			continue
		}
		given[a.Name.Local] = true
		switch pattern, ok := r.attributes[a.Name.Local]; {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("<%s %s>", e.Name.Local, a.Name.Local))
		case !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(a.Value):
			wrong = append(wrong, fmt.Sprintf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value))
		}
	}
	for name := range strings.FieldsSeq(r.required) {
		if !given[name] {
			wrong = append(wrong, fmt.Sprintf("<%s> has no %s", e.Name.Local, name))
		}
	}
	return wrong
}
