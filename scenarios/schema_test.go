package scenarios

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/scenarios/schema"
)

// object is the part of a schema that describes a mapping.
type object struct {
	Required    []string          `json:"required"`
	Properties  map[string]object `json:"properties"`
	Definitions map[string]object `json:"definitions"`
	Additional  any               `json:"additionalProperties"`
	Description string            `json:"description"`
	Items       *object           `json:"items"`
	Enum        []string          `json:"enum"`
	AllOf       []object          `json:"allOf"`
	Else        *object           `json:"else"`
}

func schemaObject(t *testing.T) object {
	t.Helper()
	var root object
	if err := json.Unmarshal([]byte(schema.Scenario()), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestSchemaKnowsTheKeysOfTheParser holds the schema against the tables that
// the parser reads with, in both directions.
func TestSchemaKnowsTheKeysOfTheParser(t *testing.T) {
	root := schemaObject(t)
	p := &parser{sc: &Scenario{Abort: &Abort{}, Compare: &Compare{}}}
	for _, tc := range []struct {
		name   string
		object object
		fields []Field
	}{
		{"scenario", root, p.scenarioFields()},
		{"load", root.Properties["load"], p.loadFields()},
		{"tls", root.Properties["load"].Properties["tls"], p.tlsFields(&TLS{})},
		{"timeouts", root.Properties["load"].Properties["timeouts"], p.timeoutFields()},
		{"phase", root.Definitions["phase"], p.phaseFields(&draftPhase{})},
		{"event", root.Definitions["event"], p.eventFields(&draftEvent{})},
		{"objective", root.Definitions["objective"], p.objectiveFields(nil)},
		{"query", *root.Properties["verify"].Items, p.queryFields(&Query{})},
		{"bounds", root.Properties["bounds"], p.boundsFields()},
		{"recovered", root.Properties["recovered"], p.recoveredFields()},
		{"repeat", root.Properties["repeat"], p.repeatFields()},
		{"repeat of an event", root.Definitions["event"].Properties["repeat"], p.againFields(&Again{})},
		{"abort", root.Properties["abort"], p.abortFields()},
		{"compare", root.Properties["compare"], p.compareFields()},
		{"worse_by", root.Properties["compare"].Properties["worse_by"], p.worseFields()},
	} {
		var keys, need, properties []string
		for _, f := range tc.fields {
			keys = append(keys, f.Key)
			if f.Need {
				need = append(need, f.Key)
			}
		}
		for name, property := range tc.object.Properties {
			properties = append(properties, name)
			if property.Description == "" {
				t.Errorf("%s: %s has no description in the schema", tc.name, name)
			}
		}
		slices.Sort(keys)
		slices.Sort(properties)
		if diff := cmp.Diff(keys, properties); diff != "" {
			t.Errorf("%s: keys (-parser +schema):\n%s", tc.name, diff)
		}
		if diff := cmp.Diff(need, tc.object.Required); diff != "" {
			t.Errorf("%s: required (-parser +schema):\n%s", tc.name, diff)
		}
		if tc.object.Additional != false {
			t.Errorf("%s: the schema allows unknown keys", tc.name)
		}
	}
}

func TestSchemaKnowsTheVocabulary(t *testing.T) {
	root := schemaObject(t)
	if diff := cmp.Diff(checkNames(), root.Properties["verify"].Items.Else.Enum); diff != "" {
		t.Errorf("checks (-language +schema):\n%s", diff)
	}
	for _, c := range Checks() {
		if !strings.Contains(root.Properties["verify"].Items.Description, c.Name+": "+c.About) {
			t.Errorf("the schema does not say what %s is: %s", c.Name, c.About)
		}
	}
	for _, v := range Verbs() {
		if got := root.Definitions["event"].Properties[v.Name].Description; got != v.About {
			t.Errorf("%s: the schema says %q, the language %q", v.Name, got, v.About)
		}
	}
}

// value converts a node to what the validator takes.
func (n *node) value(t *testing.T) any {
	t.Helper()
	switch n.kind {
	case mapNode:
		m := map[string]any{}
		for i, k := range n.keys {
			m[k.text] = n.items[i].value(t)
		}
		return m
	case listNode:
		list := []any{}
		for _, item := range n.items {
			list = append(list, item.value(t))
		}
		return list
	case scalarNode:
	}
	if n.isNull() {
		return nil
	}
	if n.tag == "!!int" || n.tag == "!!float" || n.tag == "!!bool" {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(n.text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return n.text
}

func validate(t *testing.T, src []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.Scenario()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	err = c.AddResource("scenario.json", doc)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	root, q := load(src)
	if q != nil {
		t.Fatal(q.Msg)
	}
	return compiled.Validate(root.value(t))
}

func TestShippedScenariosFitTheSchema(t *testing.T) {
	for _, name := range library.Names() {
		src, ok := library.Open(name)
		if !ok {
			t.Fatalf("no scenario %q", name)
		}
		if err := validate(t, src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := validate(t, read(t, "testdata/full.yaml")); err != nil {
		t.Error(err)
	}
}

// TestSchemaRefusesWrongForms checks that an editor flags the mistakes that
// are in the form of a value. What spans several places is for Parse alone.
func TestSchemaRefusesWrongForms(t *testing.T) {
	for _, name := range []string{
		"bad-arrivals", "bad-at", "bad-boolean", "bad-client", "bad-connections", "bad-name", "bad-number", "bad-offset", "bad-profile", "bad-rate",
		"bad-unit", "bad-users", "compare-to", "compare-metric", "compare-nothing", "compare-half",
		"limit-wrong-measure", "limit-wrong-side", "missing-keys", "no-value", "three-mistakes", "unknown-check",
		"unknown-key", "wrong-type", "wrong-version",
	} {
		if err := validate(t, read(t, filepath.Join("testdata", "lint", name+".yaml"))); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}
