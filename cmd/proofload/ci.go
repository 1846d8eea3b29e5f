package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/markdown"
)

// The CI systems that are told more than the exit code.
const (
	ciAuto   = "auto"
	ciGitHub = "github"
	ciGitLab = "gitlab"
	ciNone   = "none"
)

// What GitHub shows of one step.
const (
	maxSummary = 1 << 20 // bytes of its summary, above which it drops all of it
	maxNotes   = 4 << 10 // bytes of these that are kept for saying what did not fit
)

// logLines is how much is printed of the log of each node of a run that failed;
// all of it is in the run's directory.
const logLines = 50

// tellCI says in the way of a CI system how a run ended.
func (a *app) tellCI(ci string, e ended) error {
	if e.result == nil {
		return nil
	}
	switch a.ciOf(ci) {
	case ciGitHub:
		var errs []error
		if e.result.Exit != reports.ExitPass {
			errs = append(errs, a.groupLogs(filepath.Join(e.dir, reports.DirLogs)))
		}
		return errors.Join(append(errs, a.stepSummary(e.dir))...)
	case ciGitLab:
		fmt.Fprintln(a.stderr, "proofload: JUnit report for artifacts:reports:junit: "+filepath.Join(e.dir, reports.FileJUnit))
	}
	return nil
}

// annotate marks the lines of what was missed, of all runs of this call at
// once: a CI system shows few marks of one step.
func (a *app) annotate(ci string, suite []ended) {
	if a.ciOf(ci) != ciGitHub {
		return
	}
	root, _ := a.lookup("GITHUB_WORKSPACE") // where GitHub takes the paths of marks from
	var results []*reports.Result
	for _, e := range suite {
		if e.result == nil {
			continue
		}
		r := *e.result
		if !strings.HasPrefix(r.Scenario.File, inLibrary) {
			r.Scenario.File = pathFrom(root, r.Scenario.File)
		}
		results = append(results, &r)
	}
	for _, command := range markdown.Annotations(results...) {
		fmt.Fprintln(a.stdout, command)
	}
}

// attached is the path by which a CI system finds the report that junit.xml
// attaches: GitLab looks for it from the root of the project on, and all others take a
// whole path.
func (a *app) attached(dir reports.Directory) string {
	file := dir.File(reports.FileHTML)
	if root, _ := a.lookup("CI_PROJECT_DIR"); root != "" {
		return pathFrom(root, file)
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		return file // the working directory is gone
	}
	return whole
}

// pathFrom is the path of a file from a directory on, as CI systems write paths. A
// file that lies elsewhere keeps the path that it has.
func pathFrom(root, file string) string {
	whole, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	inside, err := filepath.Rel(root, whole)
	if err != nil || !filepath.IsLocal(inside) {
		return file
	}
	return filepath.ToSlash(inside)
}

// ciOf is the CI system that is told: the one that was asked for, or the one
// that this process runs in.
func (a *app) ciOf(ci string) string {
	if ci == ciAuto {
		return a.detectCI()
	}
	return ci
}

// detectCI finds out where this process runs.
func (a *app) detectCI() string {
	for variable, ci := range map[string]string{"GITHUB_ACTIONS": ciGitHub, "GITLAB_CI": ciGitLab} {
		if v, _ := a.lookup(variable); v == "true" {
			return ci
		}
	}
	return ciNone
}

// stepSummary appends a run's summary to that of the step. What does not fit is
// cut off, and both the summary and the terminal say so.
func (a *app) stepSummary(dir string) (err error) {
	file, ok := a.lookup("GITHUB_STEP_SUMMARY")
	if !ok || file == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write step summary: %w", err)
		}
	}()
	summary, err := os.ReadFile(filepath.Join(dir, reports.FileMarkdown))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if room := maxSummary - maxNotes - int(at); len(summary) > room {
		whole := filepath.Join(dir, reports.FileMarkdown)
		fmt.Fprintf(a.stderr, "proofload: the summary of the step is full; all of this run's is in %s\n", whole)
		summary = markdown.Cut(summary, room, "Cut here, since a step's summary may have 1 MiB: all of it is in "+whole+".")
		if int(at)+len(summary) > maxSummary {
			return nil // there is not even room to say so
		}
	}
	_, err = f.Write(summary)
	return err
}

// groupLogs prints the ends of the logs of the nodes, each in a group that
// GitHub folds. What nodes log is never taken for a command.
func (a *app) groupLogs(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return fmt.Errorf("list logs: %w", err)
	}
	for _, file := range files {
		lines, err := tail(file, logLines)
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		word := rand.Text() // nobody who writes to a log knows it
		var end strings.Builder
		for _, line := range lines {
			end.WriteString(line + "\n")
		}
		fmt.Fprintf(a.stdout, "::group::log of %s, last %d lines; all of it is in %s\n::stop-commands::%s\n%s::%s::\n::endgroup::\n",
			strings.TrimSuffix(filepath.Base(file), ".log"), len(lines), file, word, end.String(), word)
	}
	return nil
}
