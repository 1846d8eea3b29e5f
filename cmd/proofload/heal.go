package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut/stack"
)

// fileClosed is what the journal of a run is renamed to once the stack that it
// is about is gone, and everything broken in it with it.
const fileClosed = "journal.closed.ndjson"

func (a *app) healCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "heal",
		Short: "Mend what runs that died left broken",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.healLeftovers(cmd.Context()); err != nil {
				return exit(reports.ExitFaultsLeft, err)
			}
			fmt.Fprintln(a.stdout, "nothing is broken")
			return nil
		},
	}
}

// healLeftovers mends what the journals of runs that are over still have
// pending. A run that is going on looks after itself.
func (a *app) healLeftovers(ctx context.Context) error {
	var errs []error
	for _, dir := range journalled() {
		if err := a.healRun(ctx, dir); err != nil && !errors.Is(err, reports.ErrLocked) {
			errs = append(errs, fmt.Errorf("heal run %s: %w", filepath.Base(dir.Path), err))
		}
	}
	return errors.Join(errs...)
}

// journalled lists the run directories that have a journal.
func journalled() []reports.Directory {
	files, err := filepath.Glob(filepath.Join(runsRoot, "*-*", reports.FileJournal))
	if err != nil {
		return nil // only a malformed pattern is an error
	}
	dirs := make([]reports.Directory, len(files))
	for i, f := range files {
		dirs[i] = reports.Directory{Path: filepath.Dir(f)}
	}
	return dirs
}

// healRun mends what one run left.
func (a *app) healRun(ctx context.Context, dir reports.Directory) (err error) {
	unlock, err := reports.Lock(dir.File(reports.FileLock))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	journal, err := chaos.OpenJournal(dir.File(reports.FileJournal))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	pending := journal.Pending()
	if len(pending) == 0 {
		return nil
	}
	m, err := dir.ReadManifest()
	if err != nil {
		return err
	}
	if m.Target == simTarget {
		return closeJournal(dir) // it died with its process
	}
	if isDeployed(m.Target) { // the journal says all that is needed
		fmt.Fprintf(a.stderr, "run %s left %d faults in %s: mending them\n", m.Run, len(pending), m.Target)
		return chaos.HealAll(ctx, catalog(), urlEnv{m.Target}, journal)
	}
	cfg := stackConfig(m.Target, m.Options, m.Run, nil)
	cfg.ID, cfg.AsIs = m.Stack, true
	st, err := stack.Attach(ctx, cfg)
	if errors.Is(err, stack.ErrNotUp) {
		return closeJournal(dir)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Detach()) }()
	fmt.Fprintf(a.stderr, "run %s left %d faults in stack %s: mending them\n", m.Run, len(pending), m.Stack)
	return chaos.HealAll(ctx, catalog(), st, journal)
}

// forgetJournals closes the journals of runs whose stacks are gone.
func (a *app) forgetJournals(ctx context.Context) error {
	var errs []error
	for _, dir := range journalled() {
		m, err := dir.ReadManifest()
		if err != nil || isDeployed(m.Target) {
			continue // not a run of this version, or of no stack
		}
		cfg := stackConfig(m.Target, m.Options, m.Run, nil)
		cfg.ID, cfg.AsIs = m.Stack, true
		st, err := stack.Attach(ctx, cfg)
		switch {
		case errors.Is(err, stack.ErrNotUp):
			errs = append(errs, closeJournal(dir))
		case err == nil:
			errs = append(errs, st.Detach())
		}
	}
	return errors.Join(errs...)
}

// closeJournal puts a journal aside that says nothing about anything that is.
func closeJournal(dir reports.Directory) error {
	if err := os.Rename(dir.File(reports.FileJournal), dir.File(fileClosed)); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
