package schema_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/schema"
)

// node is the part of a JSON Schema that says what fields there are.
type node struct {
	Ref         string          `json:"$ref"`
	AllOf       []node          `json:"allOf"`
	Type        string          `json:"type"`
	Description string          `json:"description"`
	Required    []string        `json:"required"`
	Properties  map[string]node `json:"properties"`
	Items       *node           `json:"items"`
	Additional  *node           `json:"additionalProperties"`
	Definitions map[string]node `json:"definitions"`
	Const       string          `json:"const"`
}

// TestFieldsMatch compares the schema with the Go types in both directions:
// names, kinds, what is required, and that every field says what it is.
func TestFieldsMatch(t *testing.T) {
	var root node
	if err := json.Unmarshal([]byte(schema.Result()), &root); err != nil {
		t.Fatal(err)
	}
	m := matcher{t: t, definitions: root.Definitions, used: map[string]bool{}}
	m.match("result", root, reflect.TypeFor[reports.Result]())
	for name := range root.Definitions {
		if !m.used[name] {
			t.Errorf("definition %q is not used", name)
		}
	}
}

type matcher struct {
	t           *testing.T
	definitions map[string]node
	used        map[string]bool
}

func (m *matcher) match(path string, n node, typ reflect.Type) {
	m.t.Helper()
	n = m.resolve(path, n)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if want := kind(typ); n.Type != want && (n.Const == "" || want != "string") {
		m.t.Errorf("%s: schema says %q, Go says %q", path, n.Type, want)
		return
	}
	switch {
	case n.Type == "array":
		if n.Items == nil {
			m.t.Errorf("%s: no items", path)
			return
		}
		m.match(path+"[]", *n.Items, typ.Elem())
	case typ.Kind() == reflect.Map:
		if n.Additional == nil {
			m.t.Errorf("%s: no additionalProperties", path)
			return
		}
		m.match(path+"{}", *n.Additional, typ.Elem())
	case n.Type == "object":
		m.fields(path, n, typ)
	}
}

func (m *matcher) fields(path string, n node, typ reflect.Type) {
	m.t.Helper()
	seen := map[string]bool{}
	for _, f := range reflect.VisibleFields(typ) {
		tag, ok := f.Tag.Lookup("json")
		if !ok {
			if !f.Anonymous {
				m.t.Errorf("%s: field %s has no name in JSON", path, f.Name)
			}
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" {
			continue
		}
		seen[name] = true
		p, ok := n.Properties[name]
		if !ok {
			m.t.Errorf("%s.%s is not in the schema", path, name)
			continue
		}
		if p.Description == "" {
			m.t.Errorf("%s.%s has no description", path, name)
		}
		if required := slices.Contains(n.Required, name); required == strings.Contains(options, "omit") {
			m.t.Errorf("%s.%s: required is %v, its tag %q", path, name, required, tag)
		}
		m.match(path+"."+name, p, f.Type)
	}
	for name := range n.Properties {
		if !seen[name] {
			m.t.Errorf("%s.%s is in the schema only", path, name)
		}
	}
	for _, name := range n.Required {
		if !seen[name] {
			m.t.Errorf("%s.%s is required but no field", path, name)
		}
	}
}

// resolve follows references.
func (m *matcher) resolve(path string, n node) node {
	m.t.Helper()
	if len(n.AllOf) == 1 {
		n = n.AllOf[0]
	}
	if n.Ref == "" {
		return n
	}
	name := strings.TrimPrefix(n.Ref, "#/definitions/")
	definition, ok := m.definitions[name]
	if !ok {
		m.t.Fatalf("%s: no definition %q", path, n.Ref)
	}
	m.used[name] = true
	return definition
}

func kind(typ reflect.Type) string {
	if typ == reflect.TypeFor[time.Time]() {
		return "string"
	}
	switch typ.Kind() {
	case reflect.Slice:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "integer"
	case reflect.String:
		return "string"
	default:
		return "unknown " + typ.String()
	}
}
