package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
)

// fileGuardLog is what the guard of a run says.
const fileGuardLog = "guard.log"

// overdueAfter is how much later than it should a fault may end.
const overdueAfter = time.Minute

// guardCommand is the process that outlives a run. It is begun by the commands
// that break something, not by people.
func (a *app) guardCommand() *cobra.Command {
	var dir, socket string
	cmd := &cobra.Command{
		Use:    "guard",
		Short:  "Watch over a run and mend what it broke if it dies",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.guard(cmd.Context(), reports.Directory{Path: dir}, socket); err != nil {
				return exit(reports.ExitFaultsLeft, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the run")
	cmd.Flags().StringVar(&socket, "socket", "", "where the run is heard")
	return cmd
}

// guard watches over one run.
func (a *app) guard(ctx context.Context, dir reports.Directory, socket string) error {
	m, err := dir.ReadManifest()
	if err != nil {
		return err
	}
	if err = os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listen to the run: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listen to the run: %w", err)
	}
	defer func() { _ = listener.Close() }() // it may be closed already
	file := dir.File(reports.FileJournal)
	tell := a.audited(m.Run, m.Target)
	g := &chaos.Guard{
		Heal: func(ctx context.Context, again bool) error {
			if again {
				return a.healFrom(ctx, dir, m, chaos.HealAgain)
			}
			return a.healFrom(ctx, dir, m, chaos.HealAll)
		},
		Overdue: func() bool { return overdue(file, time.Now()) },
		Say: func(line string) {
			fmt.Fprintf(a.stderr, "%s  %s\n", time.Now().UTC().Format(time.RFC3339), line)
			_ = tell("guard: "+line, chaos.Undo{}, "") // is said, and known in the end
		},
	}
	g.Say(fmt.Sprintf("the guard is process %d", os.Getpid()))
	if err := g.Serve(ctx, listener); err != nil {
		return fmt.Errorf("%w%s", err, byHand(dir))
	}
	return nil
}

// overdue reports whether a fault in a journal should have ended long ago.
func overdue(file string, now time.Time) bool {
	pending, err := chaos.ReadPending(file)
	if err != nil {
		return false
	}
	for _, e := range pending {
		if e.State != chaos.Undone && now.After(e.Until().Add(overdueAfter)) {
			return true
		}
	}
	return false
}

// startGuard starts the guard of a run in a process and a session of its own,
// so that it does not get the Ctrl-C that the run gets. It inherits the right
// to the target, which therefore outlives the run too.
func startGuard(ctx context.Context, dir reports.Directory, h *holding) (*chaos.Lease, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	log, err := os.OpenFile(dir.File(fileGuardLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(self, "guard", "--dir", dir.Path, "--socket", h.socket()) //nolint:noctx // this program, which outlives the context
	cmd.Args[0] = "proofload"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{h.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err = cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	go func() { _ = cmd.Wait() }() // what it has to say is in its log
	lease, err := chaos.NewLease(ctx, h.socket())
	if err != nil {
		return nil, fmt.Errorf("%w: see %s", err, dir.File(fileGuardLog))
	}
	return lease, nil
}
