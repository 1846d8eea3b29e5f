package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

func viewOperation(op *huma.Operation) operationView {
	v := operationView{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description, Deprecated: op.Deprecated,
	}
	for _, p := range op.Parameters {
		f := viewSchema(p.Name, p.Schema)
		f.In, f.Required, f.Description = p.In, p.Required, cmp.Or(p.Description, f.Description)
		v.Parameters = append(v.Parameters, f)
	}
	if op.RequestBody != nil {
		v.Body = viewContent(op.RequestBody.Content)
	}
	for _, status := range sortedKeys(op.Responses) {
		r := op.Responses[status]
		if status >= "400" {
			v.Problems = append(v.Problems, problemGroup{Status: status, Codes: strings.Split(r.Description, ", ")})
			continue
		}
		view := responseView{Status: status, Description: r.Description, Content: viewContent(r.Content)}
		for _, name := range sortedKeys(r.Headers) {
			view.Headers = append(view.Headers, viewSchema(name, r.Headers[name].Schema))
		}
		v.Responses = append(v.Responses, view)
	}
	return v
}

// viewContent views a body that has one schema in all its media types.
func viewContent(content map[string]*huma.MediaType) *contentView {
	types := sortedKeys(content)
	if len(types) == 0 {
		return nil
	}
	m := content[types[0]]
	v := &contentView{Types: strings.Join(types, " or "), Schema: refName(m.Schema)}
	if m.Example != nil {
		if example, err := json.MarshalIndent(m.Example, "", "  "); err == nil {
			v.Example = string(example)
		}
	}
	return v
}

func viewProperties(s *huma.Schema) []fieldView {
	var fields []fieldView
	for _, name := range sortedKeys(s.Properties) {
		f := viewSchema(name, s.Properties[name])
		f.Required = slices.Contains(s.Required, name)
		fields = append(fields, f)
	}
	return fields
}

func viewSchema(name string, s *huma.Schema) fieldView {
	f := fieldView{Name: name, Type: s.Type, Description: s.Description, Ref: refName(s)}
	if s.Items != nil {
		f.Type, f.Ref = "array of "+s.Items.Type, refName(s.Items)
	}
	if s.Format != "" {
		f.Type += " (" + s.Format + ")"
	}
	f.Rules = strings.Join(rules(s), ", ")
	return f
}

// rules says in words what a value has to be like.
func rules(s *huma.Schema) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprint(v)
		}
		say("one of %s", strings.Join(values, ", "))
	}
	if s.Minimum != nil {
		say("at least %g", *s.Minimum)
	}
	if s.Maximum != nil {
		say("at most %g", *s.Maximum)
	}
	if s.MinLength != nil {
		say("at least %d characters", *s.MinLength)
	}
	if s.MaxLength != nil {
		say("at most %d characters", *s.MaxLength)
	}
	if s.Pattern != "" {
		say("like %s", s.Pattern)
	}
	if s.Default != nil {
		say("%v by default", s.Default)
	}
	for _, e := range s.Examples {
		say("for example %v", e)
	}
	return out
}

// refName returns the name of the schema that s refers to, "" if it is none of
// its own.
func refName(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
