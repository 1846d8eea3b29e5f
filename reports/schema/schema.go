// Package schema holds the JSON Schemas (draft-07) of the files that proofload
// writes for other programs.
package schema

import _ "embed" // for the schemas

//go:embed result.schema.json
var result string

// Result is the schema of result.json, version 1.
func Result() string { return result }
