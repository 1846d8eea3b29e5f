package schema

import (
	"embed"
	"strings"
)

const suffix = ".schema.json"

//go:embed *.schema.json
var files embed.FS

// Names lists the kinds of files that there is a schema for, in alphabetical
// order: scenario, workload, ...
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // the embedded directory can always be read
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), suffix)
	}
	return names
}

// File is the name of the file that the schema of a kind is kept in, beside the
// files that it describes.
func File(kind string) string { return kind + suffix }

// Lookup returns the schema of a kind of file, and whether there is one.
func Lookup(kind string) (text string, ok bool) {
	data, err := files.ReadFile(File(kind))
	return string(data), err == nil
}
