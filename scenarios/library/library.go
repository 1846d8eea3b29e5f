// Package library holds the scenarios that ship with proofload.
package library

import (
	"embed"
	"path"
	"strings"
)

//go:embed *.yaml controls/*.yaml
var files embed.FS

// Names lists the scenarios in alphabetical order.
func Names() []string { return in(".") }

// Controls lists in alphabetical order the scenarios that are about proofload
// itself: in some of them nothing may be found although something is broken, of
// others it is known beforehand what is to be measured.
func Controls() []string { return in("controls") }

// in lists the scenarios of a directory by the names that they are opened with.
func in(dir string) []string {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return nil // an embedded directory can always be read
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, path.Join(dir, strings.TrimSuffix(e.Name(), path.Ext(e.Name()))))
		}
	}
	return names
}

// Open returns the source of the scenario of that name, and whether there is
// one.
func Open(name string) ([]byte, bool) {
	src, err := files.ReadFile(name + ".yaml")
	return src, err == nil
}
