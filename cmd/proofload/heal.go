package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// fileClosed is what the journal of a run is renamed to once the stack that it
// is about is gone, and everything broken in it with it.
const fileClosed = "journal.closed.ndjson"

func (a *app) healCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "heal",
		Short: "Mend what runs that died left broken",
		Long: `Mends what runs and injections that died left broken, from their journals, also
where they were begun in another directory of this machine. Where the guard of one of
them is still at it, that is waited for. What cannot be mended is printed with the
commands that mend it by hand: exit 6.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("proofload heal mends what any run left, and takes no name of one: leave %q out", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := errors.Join(a.healLeftovers(cmd.Context()), a.healElsewhere(cmd.Context()))
			if err != nil {
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
			errs = append(errs, fmt.Errorf("heal run %s: %w%s", filepath.Base(dir.Path), err, byHand(dir)))
		}
	}
	return errors.Join(errs...)
}

// healElsewhere mends what the last ones to hold each target of this machine left,
// wherever their journals are. Who lives looks after itself.
func (a *app) healElsewhere(ctx context.Context) error {
	owners, err := filepath.Glob(filepath.Join(holdingsRoot(), "*", fileOwner))
	if err != nil {
		return fmt.Errorf("look for what is left: %w", err)
	}
	var errs []error
	for _, file := range owners {
		dir := filepath.Dir(file)
		last := (&holding{dir: dir}).readOwner()
		pending, err := chaos.ReadPending(reports.Directory{Path: last.Dir}.File(reports.FileJournal))
		if last.Dir == "" || err == nil && len(pending) == 0 {
			continue
		}
		held, err := a.holdTarget(ctx, filepath.Base(dir))
		switch {
		case err == nil:
			errs = append(errs, a.sweep(ctx, held), held.release())
		case !errors.Is(err, errInUse):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// byHand lists what is left in a run and the commands that mend it.
func byHand(dir reports.Directory) string {
	left, err := chaos.ReadPending(dir.File(reports.FileJournal))
	if err != nil {
		return fmt.Sprintf("\nwhat is left cannot be said: %v\n  by hand: the commands under \"manual\" of each of its lines", err)
	}
	var b strings.Builder
	for _, e := range left {
		fmt.Fprintf(&b, "\n%s %s may still be in effect", e.Undo.Kind, e.Undo.Target)
		for _, command := range e.Undo.Manual {
			b.WriteString("\n  by hand: " + command)
		}
	}
	return b.String()
}

// journalled lists the run directories that have a journal.
func journalled() []reports.Directory {
	var dirs []reports.Directory
	for _, root := range []string{runsRoot, injectionsRoot} {
		files, err := filepath.Glob(filepath.Join(root, "*-*", reports.FileJournal))
		if err != nil {
			continue // only a malformed pattern is an error
		}
		for _, f := range files {
			dirs = append(dirs, reports.Directory{Path: filepath.Dir(f)})
		}
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
	pending, err := chaos.ReadPending(dir.File(reports.FileJournal))
	if err != nil || len(pending) == 0 {
		return err
	}
	m, err := dir.ReadManifest()
	if err != nil {
		return err
	}
	if m.Target == simTarget {
		return closeJournal(dir) // it died with its process
	}
	// Nobody else mends it meanwhile, and it is not broken anew.
	id := holdID(m.Target, m.Stack)
	if id == "" {
		return a.healFrom(ctx, dir, m, chaos.HealAll)
	}
	held, err := a.holdTarget(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	return a.healFrom(ctx, dir, m, chaos.HealAll)
}

// healFrom mends what the journal in a run's directory says, by all or again.
// The caller sees to it that nobody else does.
func (a *app) healFrom(ctx context.Context, dir reports.Directory, m *reports.Manifest,
	heal func(context.Context, chaos.Catalog, sut.Environment, *chaos.Journal) error,
) (err error) {
	journal, err := chaos.OpenJournal(dir.File(reports.FileJournal))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	journal.Observe(a.audited(m.Run, m.Target))
	for _, odd := range journal.Odd() {
		fmt.Fprintf(a.stderr, "the journal of run %s: %s; passed over\n", m.Run, odd)
	}
	if len(journal.All()) == 0 {
		return nil
	}
	tell := func(where string) {
		if n := len(journal.Pending()); n > 0 {
			fmt.Fprintf(a.stderr, "run %s left %d faults in %s: mending them\n", m.Run, n, where)
		}
	}
	if isDeployed(m.Target) { // the journal says all that is needed
		tell(m.Target)
		return heal(ctx, a.faults(nil), urlEnv{m.Target}, journal)
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
	tell("stack " + m.Stack)
	return heal(ctx, catalog(), st, journal)
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
