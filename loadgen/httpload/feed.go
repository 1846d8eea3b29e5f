package httpload

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/scenarios"
)

// maxData is the size of the largest file of data that is read, in bytes.
const maxData = 256 << 20

// The ways to pick rows.
const (
	pickSequential = "sequential" // one after the other, and again from the first
	pickRandom     = "random"
	pickUnique     = "unique" // each at most once in a run
)

// A feed is a table of data.
type feed struct {
	name    string
	file    string // as it was named
	pick    string
	columns []string
	rows    [][]value
	lines   []json.RawMessage // of a JSONL file, for columns not yet seen
	broken  bool              // it could not be read, which was reported
}

// errExhausted is why an operation cannot be made.
var errExhausted = errors.New("every row was used once")

// A cursor picks the rows of a feed for one run. It is used by one goroutine.
type cursor struct {
	feed *feed
	next int
}

// row returns the index of the next row.
func (c *cursor) row(rng *rand.Rand) (int, error) {
	n := len(c.feed.rows)
	switch c.feed.pick {
	case pickRandom:
		return rng.IntN(n), nil
	case pickUnique:
		if c.next == n {
			return 0, fmt.Errorf("%s has %d rows: %w", c.feed.file, n, errExhausted)
		}
	}
	i := c.next % n
	c.next++
	return i, nil
}

// cell returns a value of a row.
func (f *feed) cell(row, column int) value { return f.rows[row][column] }

// column returns the index of a column. Of a JSONL file it may be a path of
// names with dots, which every line must have.
func (f *feed) column(name string) (int, *mistake) {
	if i := slices.Index(f.columns, name); i >= 0 {
		return i, nil
	}
	if f.lines == nil {
		hint := scenarios.DidYouMean(name, f.columns)
		return 0, &mistake{fmt.Sprintf("%s has no column %q", f.file, name), hint}
	}
	path := strings.Split(name, ".")
	for i, line := range f.lines {
		v, known := member(line, path)
		if v == nil {
			hint := scenarios.DidYouMean(path[0], known)
			return 0, &mistake{fmt.Sprintf("%s:%d has no %q", f.file, i+1, name), hint}
		}
		f.rows[i] = append(f.rows[i], *v)
	}
	f.columns = append(f.columns, name)
	return len(f.columns) - 1, nil
}

// member returns the value at a path of an object, or nil and the names that
// are there.
func member(object json.RawMessage, path []string) (*value, []string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil, nil
	}
	raw, ok := members[path[0]]
	switch {
	case !ok:
		return nil, sortedKeys(members)
	case len(path) > 1:
		return member(raw, path[1:])
	}
	return &value{text: textOf(raw), json: raw[0] != '"'}, nil
}

// textOf returns a string's content, or any other JSON as it is.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && raw[0] == '"' {
		return s
	}
	return string(raw)
}

// readCSV reads a table whose first line names the columns. Types says which of
// them are not text.
func (f *feed) readCSV(src []byte, types map[string]string) *mistake {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(src, []byte("\ufeff"))))
	r.TrimLeadingSpace = true
	head, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return &mistake{f.file + " is empty", "its first line names the columns"}
	case err != nil:
		return f.malformed(err)
	}
	f.columns = head
	kinds := make([]string, len(head))
	for i, name := range head {
		if name == "" || slices.Index(head, name) < i {
			return &mistake{fmt.Sprintf("%s:1: the column %q is there twice, or has no name", f.file, name), "give each column a name of its own"}
		}
		kinds[i] = types[name]
	}
	for name := range types {
		if !slices.Contains(head, name) {
			return &mistake{fmt.Sprintf("%s has no column %q", f.file, name), scenarios.DidYouMean(name, head)}
		}
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return f.filled()
		}
		if err != nil {
			return f.malformed(err)
		}
		row := make([]value, len(record))
		for i, cell := range record {
			row[i] = typed(cell, kinds[i])
			if row[i].text == "" && kinds[i] != "" {
				line, col := r.FieldPos(i)
				return &mistake{fmt.Sprintf("%s:%d:%d: %q is no %s", f.file, line, col, cell, kinds[i]), "mend the file, or leave the column out of types:"}
			}
		}
		f.rows = append(f.rows, row)
	}
}

// typed returns a cell with its type; one of another type is empty.
func typed(cell, kind string) value {
	switch kind {
	case "number":
		if _, err := strconv.ParseFloat(cell, 64); err != nil || !json.Valid([]byte(cell)) {
			return value{}
		}
		return literal(cell)
	case "boolean":
		if cell != "true" && cell != "false" {
			return value{}
		}
		return literal(cell)
	}
	return text(cell)
}

// malformed says where a CSV file is none.
func (f *feed) malformed(err error) *mistake {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return &mistake{fmt.Sprintf("%s:%d:%d: %s", f.file, e.Line, e.Column, e.Err), "mend the file: each line has as many fields as the first"}
	}
	return &mistake{fmt.Sprintf("%s: %s", f.file, err), "the file has to be a table: a line of names, then lines of as many fields"}
}

// readJSONL reads a file with one JSON object a line.
func (f *feed) readJSONL(src []byte) *mistake {
	src = bytes.TrimRight(src, " \t\r\n")
	for line := range bytes.Lines(src) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] != '{' || !json.Valid(line) {
			return &mistake{fmt.Sprintf("%s:%d: this is not a JSON object", f.file, len(f.lines)+1), "write one JSON object a line"}
		}
		f.lines = append(f.lines, json.RawMessage(bytes.Clone(line)))
		f.rows = append(f.rows, nil)
	}
	return f.filled()
}

// filled makes sure that there is a row.
func (f *feed) filled() *mistake {
	if len(f.rows) == 0 {
		return &mistake{f.file + " has no rows", "write at least one"}
	}
	return nil
}
