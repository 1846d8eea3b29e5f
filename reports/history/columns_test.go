package history

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestColumnsAreDocumented compares the table in README.md with the fields of
// an event, both ways.
func TestColumnsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(rest, "`")
			documented[name] = true
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Event]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !documented[name] {
			t.Errorf("column %q is not in README.md", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("README.md has %q, which is no column", name)
	}
}

func TestTopologyOf(t *testing.T) {
	want := Topology{Nodes: []TopologyNode{{"pg-1", "postgres", "a"}}, Links: []TopologyLink{{"l", "pg-1", "*", "replication"}}}
	e, err := want.Event()
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := TopologyOf(&e); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, ok)
	}
	for _, bad := range []Event{{By: ByRun, Op: RunTopology, Text: "{"}, {By: ByRun, Op: RunNote, Text: "{}"}, {By: ByLoad, Op: RunTopology, Text: "{}"}} {
		if _, ok := TopologyOf(&bad); ok {
			t.Errorf("%v has a topology", bad)
		}
	}
}
