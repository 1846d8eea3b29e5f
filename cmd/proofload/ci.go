package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// maxSummary is the size in bytes of a step's summary above which GitHub drops
// all of it.
const maxSummary = 1 << 20

// tellCI says in the way of a CI system how a run ended.
func (a *app) tellCI(ci string, e ended) error {
	if ci == ciAuto {
		ci = a.detectCI()
	}
	if e.result == nil {
		return nil
	}
	switch ci {
	case ciGitHub:
		for _, command := range markdown.Annotations(e.result) {
			fmt.Fprintln(a.stdout, command)
		}
		return a.stepSummary(e.dir)
	case ciGitLab:
		fmt.Fprintln(a.stderr, "proofload: JUnit report for artifacts:reports:junit: "+filepath.Join(e.dir, reports.FileJUnit))
	}
	return nil
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

// stepSummary appends a run's summary to that of the step.
func (a *app) stepSummary(dir string) error {
	file, ok := a.lookup("GITHUB_STEP_SUMMARY")
	if !ok || file == "" {
		return nil
	}
	summary, err := os.ReadFile(filepath.Join(dir, reports.FileMarkdown))
	if err != nil {
		return fmt.Errorf("write step summary: %w", err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write step summary: %w", err)
	}
	at, err := f.Seek(0, io.SeekEnd)
	if err == nil && at+int64(len(summary)) <= maxSummary {
		_, err = f.Write(summary)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write step summary: %w", err)
	}
	return nil
}
