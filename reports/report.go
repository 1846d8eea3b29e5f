// Package reports holds the result of a run: what a run directory's
// result.json says, and what every renderer draws from.
//
// The renderers are in the packages below: text, json, junit, markdown and
// html. Each is a function of the [Result] alone.
package reports

import (
	"io"
	"time"

	"github.com/proofload/proofload/reports/check"
)

// The exit codes, which CI jobs may rely on.
const (
	ExitPass         = 0
	ExitFail         = 1   // an objective or a check was missed
	ExitUsage        = 2   // the command line or a file is wrong; nothing was touched
	ExitEnvironment  = 3   // the environment did not come up or was not healthy before the load
	ExitInconclusive = 4   // the run does not settle an objective
	ExitStopped      = 5   // stopped by abort: or a gate
	ExitFaultsLeft   = 6   // a fault may still be in place; wins over all others
	ExitInterrupted  = 130 // interrupted, and healed
)

// SchemaResult names the format of result.json. Within v1, changes only add.
const SchemaResult = "result/v1"

// SchemaResultURL identifies the JSON Schema of result.json.
const SchemaResultURL = "https://proofload.dev/schema/result.v1.json"

// SchemaManifest names the format of manifest.json.
const SchemaManifest = "manifest/v1"

// A Result is everything that is said about one run.
type Result struct {
	SchemaURL  string            `json:"$schema"` // [SchemaResultURL]
	Schema     string            `json:"schema"`
	Run        string            `json:"run"`               // its id, the name of its directory
	Verdict    string            `json:"verdict"`           // pass, fail, inconclusive; or error, stopped, interrupted where the run did not end by itself
	Exit       int               `json:"exit"`              // the exit code of the process
	Problem    string            `json:"problem,omitempty"` // why there is no verdict
	Scenario   Source            `json:"scenario"`
	Target     string            `json:"target"`
	Options    map[string]string `json:"options,omitempty"` // of the target, as they were given; the others were at their defaults
	Drills     int               `json:"drills,omitempty"`  // how many the run was to have
	Seed       uint64            `json:"seed"`
	Client     string            `json:"client,omitempty"` // of HTTP, that load was sent with
	Began      time.Time         `json:"began"`
	TookMS     float64           `json:"took_ms"`
	ReadyMS    float64           `json:"environment_ready_ms"` // from nothing, or from a warm stack, to ready; making images included
	ImagesMS   float64           `json:"images_ms,omitempty"`  // of that, for making the images that were missing
	FaultsLeft []string          `json:"faults_left"`          // what may still be broken, with the commands that mend it

	// What made the numbers, and what was to be done. A result that was written
	// before these were part of it has none of them.
	Versions map[string]string `json:"versions,omitempty"` // proofload and go
	Host     map[string]string `json:"host,omitempty"`     // the machine that the load came from: os, kernel, cores, memory
	Images   map[string]string `json:"images,omitempty"`   // node to image id
	Plan     string            `json:"plan,omitempty"`     // plan.txt

	// Comparison is that with a baseline, where the scenario asks for it and
	// there is one.
	Comparison *Comparison `json:"comparison,omitempty"`

	check.Judgement
}

// Source says which scenario file a run carried out.
type Source struct {
	Name   string `json:"name"`
	About  string `json:"about,omitempty"`
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Git    string `json:"git,omitempty"` // commit of the working tree that the run was started in
}

// A Manifest is manifest.json: what is needed to repeat the run and to judge
// its history again.
type Manifest struct {
	Schema   string            `json:"schema"` // [SchemaManifest]
	Run      string            `json:"run"`
	Scenario Source            `json:"scenario"`
	Target   string            `json:"target"`
	Stack    string            `json:"stack,omitempty"`   // by what the target is found again: id of a stack, path of a target file
	Options  map[string]string `json:"options,omitempty"` // of the target, for example replication: async
	Seed     uint64            `json:"seed"`
	Client   string            `json:"client,omitempty"` // of HTTP, that load is sent with
	Arrivals string            `json:"arrivals_sha256"`  // hash of the arrival schedule of the first drill
	Began    time.Time         `json:"began"`
	Version  string            `json:"proofload_version"`
	Go       string            `json:"go_version"`
	Git      string            `json:"git_commit,omitempty"`
	Host     map[string]string `json:"host"`   // os, kernel, cores, memory, engine
	Images   map[string]string `json:"images"` // node to image id
	Spec     check.Spec        `json:"spec"`
}

// A Renderer writes a result in one format.
type Renderer func(w io.Writer, r *Result) error
