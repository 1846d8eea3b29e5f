package httpload

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/schema"
)

// object is the part of a schema that describes a mapping.
type object struct {
	Required    []string          `json:"required"`
	Properties  map[string]object `json:"properties"`
	Definitions map[string]object `json:"definitions"`
	Additional  any               `json:"additionalProperties"`
	Description string            `json:"description"`
}

// TestSchemaKnowsTheKeysOfTheParser holds the schema against the tables that
// the parser reads with, in both directions.
func TestSchemaKnowsTheKeysOfTheParser(t *testing.T) {
	var root object
	if err := json.Unmarshal([]byte(schema.Workload()), &root); err != nil {
		t.Fatal(err)
	}
	p := &parser{file: &File{}}
	d := &authDraft{}
	for _, tc := range []struct {
		name   string
		object object
		fields []scenarios.Field
	}{
		{"workload", root, p.fileFields()},
		{"answers", root.Properties["answers"], p.answersFields()},
		{"endpoint", root.Definitions["endpoint"], p.endpointFields(nil, nil)},
		{"statement", root.Definitions["statement"], statementFields(nil, nil, nil, nil)},
		{"message", root.Definitions["message"], p.messageFields(nil, nil, nil, nil, nil, nil)},
		{"feed", root.Definitions["feed"], p.feedFields(nil, nil, nil, nil)},
		{"request", root.Definitions["request"], d.requestFields()},
		{"step", root.Definitions["step"], d.stepFields()},
		{"expect", root.Definitions["expect"], p.expectFields(nil, nil)},
		{"source", root.Definitions["source"], p.sourceFields(nil, nil)},
		{"ack", root.Definitions["ack"], ackFields(nil, nil)},
		{"sees", root.Definitions["sees"], p.seesFields(nil, nil)},
		{"limited", root.Definitions["limited"], p.limitFields(nil, nil)},
		{"sum", root.Definitions["sum"], p.sumFields(nil)},
		{"lookup", root.Definitions["ack"].Properties["lookup"], p.lookupFields(nil, nil, nil)},
		{"auth", root.Definitions["auth"], d.authFields()},
		{"refresh", root.Definitions["exchange"], d.exchangeFields()},
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

// plainValue converts a node to what the validator takes.
func plainValue(t *testing.T, n *scenarios.Node) any {
	t.Helper()
	switch {
	case n.IsMap():
		m := map[string]any{}
		for i, k := range n.Keys() {
			m[k.Text()] = plainValue(t, n.Items()[i])
		}
		return m
	case n.IsList():
		list := []any{}
		for _, item := range n.Items() {
			list = append(list, plainValue(t, item))
		}
		return list
	case n.IsText():
		return n.Text()
	}
	var v any
	if err := json.Unmarshal([]byte(n.Text()), &v); err != nil {
		return 0.0 // a number of YAML alone
	}
	return v
}

func TestSchemaTakesWhatTheParserTakes(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(schema.Workload()), &doc); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("workload.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("workload.json")
	if err != nil {
		t.Fatal(err)
	}
	for file, valid := range map[string]bool{
		"testdata/full.yaml":               true,
		"testdata/direct.yaml":             true,
		"testdata/lint/bad-direct.yaml":    false,
		shipped:                            true,
		"testdata/lint/unknown-key.yaml":   false,
		"testdata/lint/bad-auth.yaml":      false,
		"testdata/lint/no-requests.yaml":   false,
		"testdata/lint/wrong-version.yaml": false,
	} {
		root, err := scenarios.LoadYAML(file, contents(t, file), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(plainValue(t, root)); (err == nil) != valid {
			t.Errorf("%s: %v", file, err)
		}
	}
}
