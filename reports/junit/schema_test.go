package junit_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports/reportstest"
)

// An allowed is what an element may have: attributes, those it must have marked
// with *, and elements in any order.
type allowed struct{ attributes, elements string }

// schema says what junit-10.xsd says, the schema by which the xunit plugin of
// Jenkins refuses files.
var schema = map[string]allowed{
	"testsuites": {"name time tests failures errors", "testsuite"},
	"testsuite":  {"name* tests* failures* errors* group time skipped timestamp hostname id package file log url", "testsuite properties testcase system-out system-err"},
	"properties": {"", "property"},
	"property":   {"name* value*", ""},
	"testcase":   {"name* time classname group", "skipped error failure system-out system-err"},
	"failure":    {"type message", ""},
	"error":      {"type message", ""},
	"skipped":    {"type message", ""},
	"system-out": {"", ""},
}

// surefireTime is the type of times in it.
var surefireTime = regexp.MustCompile(`^((\d{0,3},)*\d{3}|\d{0,3})*(\.\d*)?$`)

func TestFilesFitTheSchema(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			d := xml.NewDecoder(bytes.NewReader(write(t, example.Result)))
			open := []string{}
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				switch e := token.(type) {
				case xml.StartElement:
					if n := len(open); n > 0 && !slices.Contains(strings.Fields(schema[open[n-1]].elements), e.Name.Local) {
						t.Errorf("<%s> in <%s>", e.Name.Local, open[n-1])
					}
					open = append(open, e.Name.Local)
					checkAttributes(t, e)
				case xml.EndElement:
					open = open[:len(open)-1]
				}
			}
		})
	}
}

func checkAttributes(t *testing.T, e xml.StartElement) {
	t.Helper()
	known, ok := schema[e.Name.Local]
	if !ok {
		t.Errorf("<%s>", e.Name.Local)
	}
	given := map[string]string{}
	for _, a := range e.Attr {
		given[a.Name.Local] = a.Value
		if !slices.Contains(strings.Fields(strings.ReplaceAll(known.attributes, "*", "")), a.Name.Local) {
			t.Errorf("<%s %s>", e.Name.Local, a.Name.Local)
		}
		if a.Name.Local == "time" && !surefireTime.MatchString(a.Value) {
			t.Errorf("<%s time=%q>", e.Name.Local, a.Value)
		}
	}
	for name := range strings.FieldsSeq(known.attributes) {
		if must, is := strings.CutSuffix(name, "*"); is {
			if _, ok := given[must]; !ok {
				t.Errorf("<%s> has no %s", e.Name.Local, must)
			}
		}
	}
}
