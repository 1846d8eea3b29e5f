//go:build integration

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut/defects"
)

// A sought is a defect of the catalogue for explore to find.
type sought struct {
	name   string
	checks []string // any of these names it, under whatever explore breaks
}

func soughtDefects() []sought {
	return []sought{
		{"pool-closed-for-good", []string{"instances-recover", "goodput-returns", "jobs-done"}},
		{"projection-counts-again", []string{"balances", "no-duplicates"}},
		{"no-fencing", []string{"one-primary", "acknowledged-writes", "observed-writes"}},
	}
}

// BenchmarkExplore is what make explore-defects runs: each defect is planted in
// the stack, explore looks for it, and the scenario that it saved is run once
// more. DEFECT names some of them, separated by commas; EXPLORE_ARGS are further
// arguments of explore. The stack stays up, for a service whose pool breaks at the
// first failure would not survive that its database is not there yet.
func BenchmarkExplore(b *testing.B) {
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	b.Cleanup(stop)
	g := newGrader(ctx, b)
	only := strings.FieldsFunc(os.Getenv("DEFECT"), func(r rune) bool { return r == ',' })
	for _, h := range soughtDefects() {
		if len(only) > 0 && !slices.Contains(only, h.name) {
			continue
		}
		b.Run(h.name, func(b *testing.B) { g.seek(ctx, b, h) })
	}
}

// seek has explore look for a defect, and runs what it saved.
func (g *grader) seek(ctx context.Context, b *testing.B, h sought) {
	b.Helper()
	d, err := defects.Find(h.name)
	if err != nil {
		b.Fatal(err)
	}
	bin := g.plant(ctx, b, d)
	b.Setenv("PROOFLOAD_BIN", bin)
	put := func() {
		if err := g.ready(ctx, bin, nil, []defects.Defect{d}); err != nil {
			b.Fatal(err)
		}
	}
	put()
	file := h.name + ".yaml"
	if err := os.Remove(filepath.Join(g.dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Fatal(err)
	}
	args := append([]string{"explore", "--out", file, "--stack", "warm"}, strings.Fields(os.Getenv("EXPLORE_ARGS"))...)
	began := time.Now()
	found, code := g.program(ctx, b, bin, args...)
	took := time.Since(began).Round(time.Second)
	named, _, _ := strings.Cut(found, " in run ")
	right := slices.ContainsFunc(h.checks, func(name string) bool { return strings.Contains(named, name) })
	if code != reports.ExitFail || !right {
		b.Fatalf("%s was not found by any of %v in %s: exit %d", h.name, h.checks, took, code)
	}
	put()
	again, code := g.program(ctx, b, bin, "run", file, "--stack", "warm", "--progress", "quiet")
	same := slices.ContainsFunc(h.checks, func(name string) bool { return strings.Contains(again, name+" MISSED") })
	if code != reports.ExitFail || !same {
		b.Errorf("what was saved for %s did not fail again by any of %v: exit %d", h.name, h.checks, code)
	}
	say("%s: found and shortened in %s; run again: exit %d", h.name, took, code)
}

// program runs the proofload of a directory, shows what it says and returns what it
// printed.
func (g *grader) program(ctx context.Context, b *testing.B, bin string, args ...string) (printed string, code int) {
	b.Helper()
	say("proofload %s", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "proofload"), args...) //nolint:gosec // the arguments are those of whoever runs it
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = g.dir, io.MultiWriter(&out, os.Stdout), os.Stdout
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, closeTimeout
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		b.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
