package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut/stack"
)

// targetDirs are where target files are looked for by name: beside a scenario,
// beside its directory, and in the working directory, whose paths are the same for
// who names no scenario.
func targetDirs(scenario string) []string {
	dirs := []string{"targets"}
	if scenario != "" {
		dir := filepath.Dir(scenario)
		dirs = []string{filepath.Join(dir, "targets"), filepath.Join(dir, "..", "targets"), "targets"}
	}
	return dirs
}

// targetName is what a target file can be called by its name alone.
var targetName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// namedTarget returns the file of a target that is called by its name: staging is
// targets/staging.yaml. What is no name, or has no file, stays as it is.
func namedTarget(target, scenario string) string {
	if !targetName.MatchString(target) {
		return target
	}
	for _, dir := range targetDirs(scenario) {
		for _, ending := range []string{".yaml", ".yml"} {
			file := filepath.Join(dir, target+ending)
			if info, err := os.Stat(file); err == nil && !info.IsDir() {
				return file
			}
		}
	}
	return target
}

// meantTarget is the hint for a target that there is not, with paths as they are
// written in a scenario, or on the command line if that is empty.
func meantTarget(target, scenario string) string {
	dirs := targetDirs(scenario)
	if isFile(target) {
		dirs = append(dirs, filepath.Dir(beside(scenario, target)))
	}
	known := []string{stackPrefix + stack.LedgerName}
	meant := slices.Clone(known)
	for _, dir := range dirs {
		files, err := filesIn(dir, "target")
		if err != nil {
			continue // there is none in it
		}
		for _, f := range files {
			path := asWritten(scenario, f)
			known, meant = append(known, path), append(meant, path)
			if filepath.Base(dir) == "targets" {
				known, meant = append(known, title(f)), append(meant, title(f))
			} else {
				known, meant = append(known, title(f)), append(meant, path)
			}
		}
	}
	for _, said := range []string{target, title(target)} {
		if near := scenarios.Closest(said, known); near != "" {
			return fmt.Sprintf("did you mean %q?", meant[slices.Index(known, near)])
		}
	}
	if isFile(target) && scenario != "" {
		return "the path of a target file is relative to the scenario"
	}
	return "write " + stackPrefix + stack.LedgerName + ", http://localhost:PORT, or the path of a target file or its name in targets/"
}

// asWritten returns the path of a file as a scenario writes it: relative to its own.
// On the command line, where there is no scenario, it stays as it is.
func asWritten(scenario, file string) string {
	if scenario == "" {
		return file
	}
	dir, err := filepath.Abs(filepath.Dir(scenario))
	if err != nil {
		return file
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	inside, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(inside)
}
