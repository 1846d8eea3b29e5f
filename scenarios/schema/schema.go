// Package schema holds the JSON Schemas (draft-07) of the files that people
// write for proofload, for their editors.
package schema

import _ "embed" // for the schemas

//go:embed scenario.schema.json
var scenario string

//go:embed workload.schema.json
var workload string

//go:embed target.schema.json
var target string

// Scenario is the schema of scenario files, version 1. It is looser than the
// parser: that an entry has exactly one verb, say, is left to the parser,
// because editors explain such rules badly.
func Scenario() string { return scenario }

// Workload is the schema of workload files, version 1. It is looser than the
// parser in the same way.
func Workload() string { return workload }

// Target is the schema of target files, version 1. It is looser than the parser
// in the same way.
func Target() string { return target }
