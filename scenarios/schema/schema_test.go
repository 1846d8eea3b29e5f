package schema

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSchemas checks that every schema is one of draft-07, which all editors
// know, and that every property says what it is.
func TestSchemas(t *testing.T) {
	for _, kind := range Names() {
		text, ok := Lookup(kind)
		if !ok {
			t.Fatalf("no schema %q", kind)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for _, choice := range []string{`"oneOf"`, `"anyOf"`} { // of which editors show the first that does not fit
			if strings.Contains(text, choice) {
				t.Errorf("%s has %s: leave the choice to the parser", kind, choice)
			}
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(File(kind), doc); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if _, err := c.Compile(File(kind)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		root, ok := doc.(map[string]any)
		if !ok || root["$schema"] != "http://json-schema.org/draft-07/schema#" {
			t.Errorf("%s is not of draft-07", kind)
		}
	}
	if _, ok := Lookup("nonsense"); ok {
		t.Error("there is a schema for nonsense")
	}
}

// said is what an editor shows of a file.
type said struct {
	Diagnostics []string `json:"diagnostics"`
	Places      map[string]struct {
		Completion []string `json:"completion"`
		Hover      string   `json:"hover"`
	} `json:"places"`
}

// ask asks the language server that most editors use. .ci/editor installs it and
// says where it is.
func ask(t *testing.T, args ...string) said {
	t.Helper()
	server := os.Getenv("PROOFLOAD_YAML_LANGUAGE_SERVER")
	if server == "" {
		t.Skip("PROOFLOAD_YAML_LANGUAGE_SERVER names no yaml-language-server: .ci/editor installs one and runs this")
	}
	out, err := exec.CommandContext(t.Context(), "node", append([]string{"testdata/editor.mjs", server}, args...)...).Output() //nolint:gosec // who runs the test names the server
	if err != nil {
		t.Fatal(err)
	}
	var s said
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return s
}

// TestEditorOfOtherFiles checks the same of workloads and targets.
func TestEditorOfOtherFiles(t *testing.T) {
	for file, want := range map[string][]string{
		"workload": {
			"3:7 Use a to z, 0 to 9 and -, and begin with a letter.",
			"7:13 Value is below the minimum of 1.",
			"6:5 Property gett is not allowed.",
		},
		"target": {
			"10:8 Write sandbox or staging: nothing is done to a system of class production.",
			"5:15 Write a path that begins with /, for example /readyz.",
			"6:9 Property fault is not allowed.",
			"9:12 Write linkd, toxiproxy, proxy, or the name of a fault: proofload list faults.",
		},
	} {
		if diff := cmp.Diff(want, ask(t, "testdata/"+file+"-broken.yaml").Diagnostics); diff != "" {
			t.Errorf("diagnostics of a %s (-want +got):\n%s", file, diff)
		}
	}
	for _, tc := range []struct{ file, place, completion, hover string }{
		{"workload", "6:5", "a read", "GET this path."},
		{"workload", "10:5", "a journey", "Makes accepted writes countable"},
		{"workload", "9:5", "a write that is counted", "POST to this path."},
		{"target", "7:3", "load alone", "Operations per second, at most"},
		{"target", "10:5", "a link that linkd carries", "Address of the control interface of linkd"},
		{"target", "13:7", "commands", "Makes the fault, on this machine"},
	} {
		got := ask(t, "testdata/"+tc.file+"-clean.yaml", tc.place)
		if len(got.Diagnostics) > 0 {
			t.Errorf("diagnostics of a sound %s: %q", tc.file, got.Diagnostics)
		}
		at := got.Places[tc.place]
		if !slices.Contains(at.Completion, tc.completion) || !strings.Contains(at.Hover, tc.hover) {
			t.Errorf("%s:%s: completion %q, hover %q; want %q and %q", tc.file, tc.place, at.Completion, at.Hover, tc.completion, tc.hover)
		}
	}
}

// TestEditor checks what an editor shows: mistakes at their place in our words,
// what may stand at a place, and what a key means.
func TestEditor(t *testing.T) {
	broken := ask(t, "testdata/broken.yaml", "12:5")
	if diff := cmp.Diff([]string{
		"8:27 Write a number and a unit, for example 250ms, 30s or 1m30s.",
		"11:5 Property kil is not allowed.",
	}, broken.Diagnostics); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
	clean := ask(t, "testdata/clean.yaml", "13:5", "12:7", "18:5", "17:5", "9:36")
	if len(clean.Diagnostics) > 0 {
		t.Errorf("diagnostics of a sound file: %q", clean.Diagnostics)
	}
	for _, want := range []string{"for", "lose the primary"} {
		if got := clean.Places["13:5"].Completion; !slices.Contains(got, want) {
			t.Errorf("no %q among %q", want, got)
		}
	}
	for place, want := range map[string]string{"18:5": "a check in SQL", "17:5": "balances", "9:36": "until"} {
		if got := clean.Places[place].Completion; !slices.Contains(got, want) {
			t.Errorf("no %q at %s among %q", want, place, got)
		}
	}
	if got := clean.Places["12:7"].Hover; !strings.Contains(got, "Kill all processes of a node with SIGKILL") {
		t.Errorf("hover says %q", got)
	}
}
