package reportstest

import (
	"embed"
	"io/fs"
)

// runs are directories of runs, as they were recorded, without what is rendered
// from them. How to make them anew is in runs/README.md.
//
//go:embed runs
var runs embed.FS

// Recorded lists the recorded runs: a gate that passed, a drill that failed, an
// outage of the broker, and a run that died midway.
func Recorded() []string {
	return []string{"gate-passed", "drill-failed", "broker-outage", "died-midway"}
}

// Run is the directory of a recorded run. It panics for a name that
// [Recorded] does not list.
func Run(name string) fs.FS {
	dir, err := fs.Sub(runs, "runs/"+name)
	if err != nil {
		panic(err)
	}
	return dir
}
