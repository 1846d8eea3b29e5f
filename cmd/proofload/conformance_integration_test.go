//go:build integration

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// TestConformance injects every kind of fault into the real stack, lets it end,
// and kills who injected it: see [chaostest.Conformance].
func TestConformance(t *testing.T) {
	program := installed{dir: t.TempDir()}
	if out, err := program.run(t.Context(), "up"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		out, err := program.run(ctx, "heal")
		if err != nil {
			t.Errorf("heal: %v: %s", err, out)
		}
		if out, err = program.run(ctx, "down"); err != nil {
			t.Errorf("down: %v: %s", err, out)
		}
	})
	s, err := stack.Attach(t.Context(), stack.Config{Name: stack.LedgerName, AsIs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Detach() }() // all was asked
	suite := &chaostest.Conformance{Program: program}
	for _, row := range conformanceRows(s) {
		suite.Test(t, row)
	}
	pitfalls(t, program, s)
	points(t, program, s)
	suite.Log(t)
	if out, err := program.run(t.Context(), "audit"); err != nil || !strings.Contains(out, "none changed") {
		t.Errorf("audit: %v: %s", err, out)
	}
}

// An installed is proofload in a directory, as its users start it.
type installed struct{ dir string }

func (c installed) make(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "proofload", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "HOME="+c.dir)
	return cmd
}

// run runs it to its end and returns what it printed.
func (c installed) run(ctx context.Context, args ...string) (string, error) {
	out, err := c.make(ctx, args...).CombinedOutput()
	return string(out), err
}

// Start implements [chaostest.Program].
func (c installed) Start(ctx context.Context) error {
	out, err := c.run(ctx, "heal")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// Inject implements [chaostest.Program].
func (c installed) Inject(t *testing.T, r chaostest.Row, last time.Duration) chaostest.Process {
	t.Helper()
	args := append([]string{"inject", r.Kind, r.Target, "--for", last.String()}, r.Values...)
	i := &injecting{cmd: c.make(t.Context(), args...), command: c, lines: make(chan string)}
	i.cmd.Stderr = &i.complaint
	out, err := i.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go i.listen(out)
	t.Cleanup(func() { _ = i.cmd.Process.Kill() }) // it may have ended; its guard mends
	return i
}

// injecting is one execution of proofload inject.
type injecting struct {
	command   installed
	cmd       *exec.Cmd
	complaint bytes.Buffer
	lines     chan string // what it prints; closed at its end
	dir       string      // of its journal, once it has one
}

func (i *injecting) listen(out io.Reader) {
	defer close(i.lines)
	for s := bufio.NewScanner(out); s.Scan(); {
		i.lines <- s.Text()
	}
}

// hear waits for a line and returns the time in it.
func (i *injecting) hear(ctx context.Context, pattern string) (time.Duration, error) {
	want := regexp.MustCompile(pattern)
	for {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for %q: %w", pattern, context.Cause(ctx))
		case line, ok := <-i.lines:
			if !ok {
				return 0, fmt.Errorf("wait for %q: %w", pattern, i.end())
			}
			if m := want.FindStringSubmatch(line); m != nil {
				return time.ParseDuration(m[1])
			}
		}
	}
}

// end waits for the end and says why it came.
func (i *injecting) end() error {
	err := i.cmd.Wait()
	complaint := strings.TrimSpace(i.complaint.String())
	if err == nil {
		return nil
	}
	if strings.Contains(complaint, sut.ErrUnsupported.Error()) {
		err = fmt.Errorf("%w: %w", sut.ErrUnsupported, err)
	}
	return fmt.Errorf("%w: %s", err, complaint)
}

// Settled implements [chaostest.Process].
func (i *injecting) Settled(ctx context.Context) (time.Duration, error) {
	took, err := i.hear(ctx, `in effect after (\S+) on`)
	if err != nil {
		return 0, err
	}
	i.dir, err = filepath.EvalSymlinks(filepath.Join(i.command.dir, injectionsRoot, "latest"))
	return took, err
}

// Ended implements [chaostest.Process].
func (i *injecting) Ended(ctx context.Context) (time.Duration, error) {
	took, err := i.hear(ctx, `gone after (\S+):`)
	if err != nil {
		return 0, err
	}
	for range i.lines { // until it is silent
	}
	return took, i.end()
}

// Kill implements [chaostest.Process]. The guard goes first, and the runner
// before it has noticed.
func (i *injecting) Kill(guardToo bool) error {
	var errs []error
	if guardToo {
		pid, err := i.guard()
		if err != nil {
			return err
		}
		errs = append(errs, syscall.Kill(pid, syscall.SIGKILL))
	}
	errs = append(errs, i.cmd.Process.Kill())
	for range i.lines { // until it is silent
	}
	_ = i.cmd.Wait() // says that it was killed
	return errors.Join(errs...)
}

// guard returns the process of the guard.
func (i *injecting) guard() (int, error) {
	log, err := os.ReadFile(filepath.Join(i.dir, fileGuardLog))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(log), "the guard is process ")
	line, _, _ := strings.Cut(rest, "\n")
	return strconv.Atoi(line)
}

// Pending implements [chaostest.Process].
func (i *injecting) Pending() (int, error) {
	dir := i.dir
	if dir == "" {
		dir = filepath.Join(i.command.dir, injectionsRoot, "latest")
	}
	pending, err := chaos.ReadPending(filepath.Join(dir, reports.FileJournal))
	return len(pending), err
}
