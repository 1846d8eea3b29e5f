package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut"
)

// lastLines is how many lines of a node's log are shown of one that is looked at.
const lastLines = 2

// fetchLogs writes what the nodes logged so far into the run's directory, with no
// secret in it. None are no error: not every target has logs that can be had.
func (s *session) fetchLogs(ctx context.Context, sys *system) (dir string, err error) {
	if sys == nil {
		return "", nil
	}
	collector, ok := sys.env.(sut.LogCollector)
	if !ok {
		return "", nil
	}
	dir = s.dir.File(reports.DirLogs)
	return dir, errors.Join(collector.CollectLogs(ctx, dir), s.app.secrets.hideIn(dir))
}

// collectLogs keeps the nodes' logs, also after a cancellation.
func (s *session) collectLogs(ctx context.Context, sys *system) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logsTimeout)
	defer cancel()
	if _, err := s.fetchLogs(ctx, sys); err != nil {
		s.say("collect logs: " + err.Error())
	}
}

// showLogs tells the newest of what each node logs, and where all of it is.
func (s *session) showLogs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, logsTimeout)
	defer cancel()
	dir, err := s.fetchLogs(ctx, s.system.Load())
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		s.say("collect logs: " + err.Error())
		return
	case dir == "":
		s.say("there are no logs to be had of " + s.plan.Target)
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log")) // in alphabetical order
	if err != nil {
		return // the pattern is well formed
	}
	for _, file := range files {
		lines, err := tail(file, lastLines)
		if err != nil {
			s.say("read log: " + err.Error())
		}
		for _, line := range lines {
			s.say(fmt.Sprintf("%s: %s", strings.TrimSuffix(filepath.Base(file), ".log"), line))
		}
	}
	s.say(fmt.Sprintf("logs of %d nodes as of now: %s", len(files), dir))
}

// painted is what colours text on a terminal.
var painted = regexp.MustCompile("\x1b\\[[0-9;]*m")

// tail returns the last lines of a file, at most n, as one may print them.
func tail(file string, n int) (last []string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		clean := strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, painted.ReplaceAllString(string(line), ""))
		if clean != "" {
			last = append(last, clean)
		}
		last = last[max(0, len(last)-n):]
	}
	return last, nil
}
