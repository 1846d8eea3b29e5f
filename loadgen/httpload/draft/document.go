package draft

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/proofload/proofload/scenarios"
)

// decode reads a JSON or YAML document.
func decode(file string, src []byte) (map[string]any, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("%s: it has %d bytes, at most %d are read", file, len(src), maxSource)
	}
	if text := bytes.TrimSpace(src); len(text) > 0 && text[0] == '{' {
		return decodeJSON(file, src)
	}
	root, err := scenarios.LoadYAML(file, src, maxSource)
	if err != nil {
		return nil, err
	}
	left := maxValues
	doc, ok := plainValue(root, 0, &left).(map[string]any)
	switch {
	case left <= 0:
		return nil, fmt.Errorf("%s: it has more than %d values", file, maxValues)
	case !ok:
		return nil, fmt.Errorf("%s:1:1: want a mapping, got %s", file, root.Kind())
	}
	return doc, nil
}

// decodeJSON reads a JSON document. Its error has the place.
func decodeJSON(file string, src []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	var doc map[string]any
	err := d.Decode(&doc)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more follows the document")
		}
	}
	if err == nil {
		return doc, nil
	}
	at := d.InputOffset()
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = e.Offset
	}
	before := src[:min(int(at), len(src))]
	line := bytes.Count(before, []byte("\n")) + 1
	col := len(before) - bytes.LastIndexByte(before, '\n')
	return nil, fmt.Errorf("%s:%d:%d: this is not JSON: %w", file, line, max(1, col-1), err)
}

// The bounds of a document. Aliases make a small one say very much.
const (
	maxDepth  = 100
	maxValues = 2_000_000
)

// plainValue converts a node to what encoding/json gives, unless more values are
// left than may be.
func plainValue(n *scenarios.Node, depth int, left *int) any {
	*left--
	switch {
	case depth > maxDepth || *left <= 0:
		return nil
	case n.IsMap():
		m := map[string]any{}
		for i, k := range n.Keys() {
			m[k.Text()] = plainValue(n.Items()[i], depth+1, left)
		}
		return m
	case n.IsList():
		list := make([]any, len(n.Items()))
		for i, item := range n.Items() {
			list[i] = plainValue(item, depth+1, left)
		}
		return list
	case n.IsText():
		return n.Text()
	case n.IsNull():
		return nil
	}
	switch low := strings.ToLower(n.Text()); low {
	case "true", "false":
		return low == "true"
	}
	if json.Valid([]byte(n.Text())) {
		return json.Number(n.Text())
	}
	if v, err := strconv.ParseInt(n.Text(), 0, 64); err == nil {
		return json.Number(strconv.FormatInt(v, 10))
	}
	return n.Text()
}

// A tree is a part of a document that is read by path. What is not there, or of
// another kind, is empty.
type tree struct {
	root map[string]any
	at   any
}

// get returns a member, with references followed.
func (t tree) get(keys ...string) tree {
	for _, k := range keys {
		m, _ := t.follow().at.(map[string]any)
		t.at = m[k]
	}
	return t.follow()
}

// follow returns what a local reference refers to.
func (t tree) follow() tree {
	for range maxDepth {
		m, _ := t.at.(map[string]any)
		ref, ok := m["$ref"].(string)
		if !ok {
			return t
		}
		path, local := strings.CutPrefix(ref, "#/")
		if !local {
			return tree{root: t.root}
		}
		t.at = t.root
		for part := range strings.SplitSeq(path, "/") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
			m, _ := t.at.(map[string]any)
			t.at = m[part]
		}
	}
	return tree{root: t.root}
}

func (t tree) exists() bool { return t.at != nil }

func (t tree) keys() []string {
	m, _ := t.at.(map[string]any)
	return sortedKeys(m)
}

func (t tree) items() []tree {
	list, _ := t.at.([]any)
	all := make([]tree, len(list))
	for i, v := range list {
		all[i] = tree{t.root, v}.follow()
	}
	return all
}

func (t tree) text() string {
	switch v := t.at.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func (t tree) truth() bool {
	v, _ := t.at.(bool)
	return v
}

// number returns a number, if it is one.
func (t tree) number() (float64, bool) {
	n, ok := t.at.(json.Number)
	if !ok {
		return 0, false
	}
	v, err := n.Float64()
	return v, err == nil
}
