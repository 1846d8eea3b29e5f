// Package draft writes first workload files, from what there is of a system
// already: an OpenAPI document, or a recording of a browser.
//
// What it writes is valid and can be run, and is for people to go on with: which
// requests are frequent, and with which data, no document says.
package draft

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxSource is the size of the largest document that is read, in bytes.
const maxSource = 64 << 20

// A pair is an entry of a mapping whose order matters.
type pair struct {
	key   string
	value any
}

// pairs are a mapping in the order in which it is written. Values are pairs,
// []any, string, float64, int64, bool or nil.
type pairs []pair

// with adds an entry, unless there is one of that key.
func (p pairs) with(key string, value any) pairs {
	if slices.ContainsFunc(p, func(e pair) bool { return e.key == key }) {
		return p
	}
	return append(p, pair{key, value})
}

// single returns a value that can stand in a header, a query or a form.
func single(v any) any {
	switch v := v.(type) {
	case nil:
		return ""
	case pairs, []any:
		return fixedText(strings.ReplaceAll(flow(v), "$${", "${"))
	case json.Number:
		return v.String()
	}
	return v
}

var (
	headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	hostName   = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)
)

// A request is one entry of requests:, or a step of a journey.
type request struct {
	name    string
	weight  int // 0: a step
	think   string
	set     pairs
	method  string // in small letters
	path    string
	headers pairs
	query   pairs
	json    any
	form    pairs
	body    string
	status  []any
	ack     pairs
	extract pairs
}

// A workload is a file to be written.
type workload struct {
	from     string // what it is written from
	name     string
	about    string
	base     string
	headers  pairs
	auth     pairs
	requests []request
	journey  string // the requests are steps of one journey of this name; empty: they are not
	left     []string
}

// text writes the file.
func (w workload) text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written from %s by proofload. How often each request is sent, and with\n# which data, is for you to say.\n", oneLine(w.from))
	if len(w.left) > 0 {
		b.WriteString("#\n# Left out:\n")
		for _, l := range w.left {
			fmt.Fprintf(&b, "#   %s\n", oneLine(l))
		}
	}
	b.WriteString("proofload: workload/v1\n")
	top := pairs{{"name", w.name}}
	if w.about != "" {
		top = append(top, pair{"about", w.about})
	}
	if w.base != "" {
		top = append(top, pair{"base", w.base})
	}
	if len(w.headers) > 0 {
		top = append(top, pair{"headers", w.headers})
	}
	if len(w.auth) > 0 {
		top = append(top, pair{"auth", w.auth})
	}
	block(&b, top, 0)
	b.WriteString("\nrequests:\n")
	if w.journey == "" {
		for _, r := range w.requests {
			entry(&b, r.pairs(), 2)
		}
		return []byte(b.String())
	}
	fmt.Fprintf(&b, "  - name: %s\n    steps:\n", w.journey)
	for _, r := range w.requests {
		entry(&b, r.pairs(), 6)
	}
	return []byte(b.String())
}

// pairs are the keys of a request in the order in which people write them.
func (r request) pairs() pairs {
	p := pairs{{"name", r.name}}
	add := func(key string, value any, given bool) {
		if given {
			p = append(p, pair{key, value})
		}
	}
	add("weight", int64(r.weight), r.weight > 0)
	add("think", r.think, r.think != "")
	add("set", r.set, len(r.set) > 0)
	add(r.method, r.path, true)
	add("headers", r.headers, len(r.headers) > 0)
	add("query", r.query, len(r.query) > 0)
	add("json", r.json, r.json != nil)
	add("form", r.form, len(r.form) > 0)
	add("body", r.body, r.body != "")
	var status any = r.status
	if len(r.status) == 1 {
		status = r.status[0]
	}
	add("expect", pairs{{"status", status}}, len(r.status) > 0)
	add("extract", r.extract, len(r.extract) > 0)
	add("ack", r.ack, len(r.ack) > 0)
	return p
}

// entry writes a mapping as an element of a list.
func entry(b *strings.Builder, p pairs, indent int) {
	var lines strings.Builder
	block(&lines, p, indent+2)
	text := lines.String()
	b.WriteString(strings.Repeat(" ", indent) + "- " + text[indent+2:])
}

// lineWidth is how long a line may be before a value is spread over several.
const lineWidth = 110

// block writes a mapping, one key a line.
func block(b *strings.Builder, p pairs, indent int) {
	for _, e := range p {
		key := strings.Repeat(" ", indent) + scalar(e.key) + ":"
		inner, nested := e.value.(pairs)
		if one := flow(e.value); !nested || len(inner) == 0 || indent > 40 || len(key)+1+len(one) <= lineWidth {
			fmt.Fprintf(b, "%s %s\n", key, one)
			continue
		}
		b.WriteString(key + "\n")
		block(b, inner, indent+2)
	}
}

// flow writes a value on one line.
func flow(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return scalar(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	case pairs:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = scalar(e.key) + ": " + flow(e.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = flow(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "null"
}

var plainScalar = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./=-]*( [A-Za-z0-9_./=-]+)*$`)

// scalar writes text, in quotes where YAML would read something else.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return strconv.Quote(s)
	}
	if plainScalar.MatchString(s) {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) //nolint:errchkjson // text always has a form
	return strings.TrimSuffix(b.String(), "\n")
}

// oneLine keeps a comment from ending.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// fixedText writes text of a document so that no expression is read into it.
func fixedText(s string) string { return strings.ReplaceAll(s, "${", "$${") }

var (
	camel   = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	notName = regexp.MustCompile(`[^a-z0-9]+`)
)

// kebab makes a name of a text.
func kebab(s string) string {
	s = strings.ToLower(camel.ReplaceAllString(s, "$1-$2"))
	s = strings.Trim(notName.ReplaceAllString(s, "-"), "-")
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		s = "r-" + s
	}
	return strings.TrimRight(s[:min(len(s), 60)], "-")
}

// names gives each thing a name of its own.
type names map[string]bool

func (n names) fresh(want string) string {
	name := want
	for i := 2; n[name]; i++ {
		name = fmt.Sprintf("%s-%d", want, i)
	}
	n[name] = true
	return name
}

// ordered returns a decoded mapping in the order of its keys.
func ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		var p pairs
		for _, k := range sortedKeys(v) {
			p = append(p, pair{k, ordered(v[k])})
		}
		if p == nil {
			p = pairs{}
		}
		return p
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = ordered(v[i])
		}
		return list
	case string:
		return fixedText(v)
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
