// Package jsonreport reads and writes result.json, the contract between a run
// and everything that is made of it.
package jsonreport

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
)

// ErrVersion is wrapped by the error of reading a result that another major
// version of the format describes.
var ErrVersion = errors.New("unknown version of result.json")

// WriteResult writes r as result.json: indented, its keys always in the same
// order, lists empty rather than null.
func WriteResult(w io.Writer, r *reports.Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(withoutNulls(r)); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// ReadResult reads a result.json. Keys it does not know are ignored, since a
// later minor version may have added them; another major version is an error
// that wraps [ErrVersion].
func ReadResult(rd io.Reader) (*reports.Result, error) {
	data, err := io.ReadAll(rd)
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	if err := readable(head.Schema); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	r := new(reports.Result)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	return r, nil
}

// Version is the version that a result.json says it has, as v2 or v2.3. It is
// empty where it says none.
func Version(data []byte) string {
	var head struct {
		Schema string `json:"schema"`
	}
	if json.Unmarshal(data, &head) != nil || !schemaPattern.MatchString(head.Schema) {
		return ""
	}
	return strings.TrimPrefix(head.Schema, "result/")
}

var schemaPattern = regexp.MustCompile(`^(result/v\d+)(?:\.\d+)?$`)

// readable reports whether a result of the given schema can be read: of the
// same major version, and any minor one.
func readable(schema string) error {
	if schema == "" {
		return fmt.Errorf("%w: it has no \"schema\", so this is not a result.json", ErrVersion)
	}
	m := schemaPattern.FindStringSubmatch(schema)
	if len(m) != 2 || m[1] != reports.SchemaResult {
		return fmt.Errorf("%w: it says %q and this proofload reads %q: use the proofload that wrote it", ErrVersion, schema, reports.SchemaResult)
	}
	return nil
}

// withoutNulls is r with empty lists and maps where it has none.
func withoutNulls(r *reports.Result) *reports.Result {
	c := *r
	c.SchemaURL = reports.SchemaResultURL
	c.FaultsLeft = list(c.FaultsLeft)
	c.Objectives = list(slices.Clone(c.Objectives))
	for i := range c.Objectives {
		c.Objectives[i].Samples = list(c.Objectives[i].Samples)
	}
	c.Checks = list(c.Checks)
	c.Recoveries = list(slices.Clone(c.Recoveries))
	for i := range c.Recoveries {
		if c.Recoveries[i].ByClass == nil {
			c.Recoveries[i].ByClass = map[string]float64{}
		}
	}
	c.Windows = list(c.Windows)
	c.Faults = list(c.Faults)
	c.Series = list(c.Series)
	return &c
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
