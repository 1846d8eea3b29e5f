package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/schema"
)

// exitCodesWord is the word that explains the exit codes.
const exitCodesWord = "exit-codes"

// A keyNode is the part of a schema that says what a key of a file means.
type keyNode struct {
	Ref         string             `json:"$ref"`
	Description string             `json:"description"`
	Properties  map[string]keyNode `json:"properties"`
	Definitions map[string]keyNode `json:"definitions"`
	Items       *keyNode           `json:"items"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	AllOf       []keyNode          `json:"allOf"`
	Enum        []any              `json:"enum"`
	Examples    []any              `json:"examples"`
	Default     any                `json:"default"`
}

// paths lists the keys of a schema by their paths below one of them.
func (n keyNode) paths(root keyNode, below string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(n.Properties)) {
		all = append(all, below+key)
		if inner := n.Properties[key].inside(root); strings.Count(below, ".") < 2 {
			all = append(all, inner.paths(root, below+key+".")...)
		}
	}
	return all
}

// explainWord says what a word of the language means: a verb, a check, a metric,
// a key by its path, or the exit codes. It reports whether it is one.
func explainWord(w io.Writer, word string) (bool, error) {
	if word == exitCodesWord {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, e := range exitCodes() {
			fmt.Fprintf(t, "%s\t%s\t%s\n", strconv.Itoa(e.code), e.word, e.about)
		}
		return true, t.Flush()
	}
	for _, c := range scenarios.Checks() {
		if c.Name == word {
			_, err := fmt.Fprintf(w, "%s: a check\n  %s\n", word, c.About)
			return true, err
		}
	}
	for _, path := range []string{word, "timeline." + word, "objectives.NAME." + word} {
		kind, key, named := strings.Cut(path, ".")
		if !named || !slices.Contains(schema.Names(), kind) {
			kind, key = "scenario", path
		}
		root, err := readSchema(kind)
		if err != nil {
			return false, err
		}
		if n, ok := root.find(root, splitKey(key)); ok {
			return true, n.write(w, root, kind, key)
		}
	}
	return false, nil
}

// splitKey splits the path of a key; p99.9 is one.
func splitKey(path string) []string {
	parts := strings.Split(path, ".")
	if n := len(parts); n > 1 && parts[n-1] == "9" {
		parts = append(parts[:n-2], parts[n-2]+".9")
	}
	return parts
}

func readSchema(kind string) (keyNode, error) {
	var n keyNode
	text, _ := schema.Lookup(kind)
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return n, fmt.Errorf("read schema of %s: %w", kind, err)
	}
	return n, nil
}

// inside is what a value is made of: behind references, and the items of a list.
func (n keyNode) inside(root keyNode) keyNode {
	ref := n.Ref
	if ref == "" && len(n.AllOf) > 0 {
		ref = n.AllOf[0].Ref
	}
	if ref != "" {
		inner := root.Definitions[strings.TrimPrefix(ref, "#/definitions/")].inside(root)
		inner.Description = cmp.Or(n.Description, inner.Description)
		return inner
	}
	if n.Items != nil {
		inner := n.Items.inside(root)
		inner.Description = cmp.Or(n.Description, inner.Description)
		inner.Enum = n.Items.Enum
		return inner
	}
	return n
}

// find follows a path of keys; where keys are free to choose any does.
func (n keyNode) find(root keyNode, path []string) (keyNode, bool) {
	in := n.inside(root)
	if len(path) == 0 {
		return in, true
	}
	if child, ok := in.Properties[path[0]]; ok {
		return child.find(root, path[1:])
	}
	var free keyNode
	if len(in.Additional) > 0 && in.Additional[0] == '{' && json.Unmarshal(in.Additional, &free) == nil {
		return free.find(root, path[1:])
	}
	return keyNode{}, false
}

// write says what the key means, and what may be below it.
func (n keyNode) write(w io.Writer, root keyNode, kind, path string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: a key of %s files\n  %s\n", path, kind, n.Description)
	if n.Default != nil {
		fmt.Fprintf(t, "  default %v\n", n.Default)
	}
	for _, example := range n.Examples {
		fmt.Fprintf(t, "  for example %v\n", example)
	}
	if len(n.Enum) > 0 && len(n.Enum) < 10 {
		fmt.Fprintf(t, "  one of %v\n", n.Enum)
	}
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		fmt.Fprintf(t, "  %s\t%s\n", name, n.Properties[name].inside(root).Description)
	}
	return t.Flush()
}

// words lists what can be explained without a run.
func explainable() []string {
	names := []string{exitCodesWord}
	for _, c := range scenarios.Checks() {
		names = append(names, c.Name)
	}
	if root, err := readSchema("scenario"); err == nil {
		names = append(names, root.paths(root, "")...)
		for _, path := range []string{"timeline", "objectives.NAME"} {
			if n, ok := root.find(root, splitKey(path)); ok {
				names = append(names, slices.Sorted(maps.Keys(n.Properties))...)
			}
		}
	}
	return names
}
