package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of a run directory.
const (
	FileScenario      = "scenario.yaml"
	FileWorkload      = "workload.yaml" // where the scenario names a workload file
	FilePlan          = "plan.txt"
	FileManifest      = "manifest.json"
	FileResult        = "result.json"
	FileHTML          = "report.html"
	FileLinked        = "report-linked.html" // the report with its style sheet in report.css, for servers that forbid it inside, as Jenkins does
	FileJUnit         = "junit.xml"
	FileMarkdown      = "summary.md"
	FileMetrics       = "metrics.txt" // OpenMetrics
	FileJournal       = "journal.ndjson"
	FileBaseline      = "baseline.json"       // what the run is compared with, as it was when the run began
	FileCompare       = "compare.html"        // the comparison as a page
	FileCompareLinked = "compare-linked.html" // the same with its style sheet in report.css
	FileLock          = "lock"                // held by the process that carries the run out
	DirLogs           = "logs"

	// Latest is the name of the link to the newest run directory.
	Latest = "latest"
)

// A Directory holds everything that is known about one run.
type Directory struct {
	Path string
}

// CreateDirectory makes the directory of run id below root and points the
// latest link to it.
func CreateDirectory(root, id string) (Directory, error) {
	d := Directory{Path: filepath.Join(root, id)}
	if err := os.MkdirAll(filepath.Join(d.Path, DirLogs), 0o755); err != nil {
		return d, fmt.Errorf("create run directory: %w", err)
	}
	// The new link takes the old one's place at once, so that a reader never
	// finds none.
	link := filepath.Join(root, Latest)
	if err := os.Symlink(id, link+".new"); err != nil && !errors.Is(err, fs.ErrExist) {
		return d, fmt.Errorf("link latest run: %w", err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		return d, fmt.Errorf("link latest run: %w", err)
	}
	return d, nil
}

// FindDirectory finds a run below root by its id, the last part of its id,
// "latest", or by a path.
func FindDirectory(root, name string) (Directory, error) {
	for _, path := range []string{filepath.Join(root, name), name} {
		if _, err := os.Stat(filepath.Join(path, FileManifest)); err == nil {
			resolved, err := filepath.EvalSymlinks(path)
			if err != nil {
				return Directory{}, fmt.Errorf("find run %s: %w", name, err)
			}
			return Directory{Path: resolved}, nil
		}
	}
	found, err := filepath.Glob(filepath.Join(root, "*-"+name))
	switch {
	case err != nil || len(found) == 0:
		return Directory{}, fmt.Errorf("no run %q below %s: name a run directory, the end of its name, or latest", name, root)
	case len(found) > 1:
		return Directory{}, fmt.Errorf("run %q could be any of %s", name, strings.Join(found, ", "))
	}
	return Directory{Path: found[0]}, nil
}

// File returns the path of one of the directory's files.
func (d Directory) File(name string) string { return filepath.Join(d.Path, name) }

// Write replaces a file as a whole: after a crash there is the old or the new
// one, never half of one.
func (d Directory) Write(name string, data []byte) error {
	tmp := d.File(name + ".tmp")
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(tmp, d.File(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// WriteManifest writes manifest.json.
func (d Directory) WriteManifest(m *Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return d.Write(FileManifest, append(data, '\n'))
}

// ReadManifest reads manifest.json.
func (d Directory) ReadManifest() (*Manifest, error) {
	data, err := os.ReadFile(d.File(FileManifest))
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", d.File(FileManifest), err)
	}
	if m.Schema != SchemaManifest {
		return nil, fmt.Errorf("read manifest %s: it is %q, this version reads %s", d.File(FileManifest), m.Schema, SchemaManifest)
	}
	return &m, nil
}
