package httpload

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/ohler55/ojg/jp"
)

// An answer is what extractions and expectations look at.
type answer struct {
	status int
	header http.Header
	body   []byte
	count  int64 // of rows or messages

	parsed bool
	doc    any
	err    error
}

// document returns the body as JSON. It is read once.
func (a *answer) document() (any, error) {
	if !a.parsed {
		a.parsed = true
		a.doc, a.err = parseJSON(a.body)
	}
	return a.doc, a.err
}

// encoded says why nothing can be seen in a body that came compressed. Bodies are
// looked at as they come: to decompress them would be the clients' own time.
func (a *answer) encoded() string {
	how := a.header.Get("Content-Encoding")
	if how == "" || strings.EqualFold(how, "identity") {
		return ""
	}
	return ", whose body came as " + strconv.Quote(how) + " and is not decoded: leave the header Accept-Encoding out"
}

// errTrailing is why a body is not JSON.
var errTrailing = errors.New("more follows the JSON value")

// parseJSON reads a JSON value. Whole numbers are int64, others float64, and
// those that are too large for either keep their text.
func parseJSON(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return plainNumbers(doc), nil
}

// plainNumbers replaces numbers by those that paths can compare.
func plainNumbers(doc any) any {
	switch doc := doc.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(doc.String(), 10, 64); err == nil {
			return n
		}
		if f, err := doc.Float64(); err == nil && strings.ContainsAny(doc.String(), ".eE") {
			return f
		}
	case []any:
		for i := range doc {
			doc[i] = plainNumbers(doc[i])
		}
	case map[string]any:
		for k := range doc {
			doc[k] = plainNumbers(doc[k])
		}
	}
	return doc
}

// valueOf returns a part of a JSON document as a value. There is none of null.
func valueOf(v any) (value, bool) {
	switch v := v.(type) {
	case nil:
		return value{}, false
	case string:
		return text(v), true
	case int64:
		return number(v), true
	case bool:
		return literal(strconv.FormatBool(v)), true
	}
	raw, err := json.Marshal(v)
	return literal(string(raw)), err == nil
}

// A source finds values in an answer.
type source struct {
	path   jp.Expr        // JSONPath of the body
	header string         // name of a header
	match  *regexp.Regexp // of the body, or of the header; its group, or all of it
}

// find returns the value, and whether there is one.
func (s source) find(a *answer) (v value, ok bool) {
	switch {
	case s.path != nil:
		doc, err := a.document()
		if err != nil {
			return value{}, false
		}
		return valueOf(firstOf(s.path, doc))
	case s.header != "":
		got := a.header.Get(s.header)
		if s.match != nil {
			return group(s.match, []byte(got))
		}
		return text(got), got != ""
	}
	return group(s.match, a.body)
}

// count returns how many values there are. The error says that the answer is not
// of the kind in which they could be.
func (s source) count(a *answer) (int, error) {
	switch {
	case s.path != nil:
		doc, err := a.document()
		return len(allOf(s.path, doc)), err
	case s.header != "":
		return len(a.header.Values(s.header)), nil
	}
	return len(s.match.FindAllIndex(a.body, -1)), nil
}

// group returns the first group of a match, or the whole of it. There is none of
// a group that took no part in the match, which is not one that matched nothing.
func group(pattern *regexp.Regexp, body []byte) (value, bool) {
	m := pattern.FindSubmatch(body)
	if len(m) == 0 {
		return value{}, false
	}
	got := m[min(1, len(m)-1)]
	return text(string(got)), got != nil
}

// firstOf returns the first value at a path, or nil.
func firstOf(path jp.Expr, doc any) (v any) {
	defer func() {
		if recover() != nil { // the library panics on some paths of some documents
			v = nil
		}
	}()
	return path.First(doc)
}

// allOf returns all values at a path.
func allOf(path jp.Expr, doc any) (all []any) {
	defer func() {
		if recover() != nil {
			all = nil
		}
	}()
	return path.Get(doc)
}

// parsePath reads a JSONPath.
func parsePath(text string) (path jp.Expr, wrong *mistake) {
	const hint = "write for example $.id or $.items[0].name"
	defer func() {
		if recover() != nil {
			path, wrong = nil, &mistake{"this is no JSONPath", hint}
		}
	}()
	path, err := jp.ParseString(text)
	if err != nil || !strings.HasPrefix(text, "$") || len(path) == 0 {
		return nil, &mistake{strconv.Quote(text) + " is no JSONPath", hint}
	}
	return path, nil
}
