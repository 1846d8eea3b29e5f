package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
)

const (
	gatesWait = "wait"
	gatesYes  = "yes"

	gateLook = 200 * time.Millisecond // how often a run looks for the answer

	// A gate is open while its question is a file in the run directory, and
	// answered when there is one beside it.
	gateQuestion = ".question"
	gateAnswer   = ".answer"
)

// ask puts the question of a gate and waits until another process, or whoever
// can write to the run directory, has answered.
func (s *session) ask(ctx context.Context, name, question string) (yes bool, err error) {
	if s.flags.gates == gatesYes {
		return true, nil
	}
	file := filepath.Join(reports.DirGates, name)
	if err = os.MkdirAll(s.dir.File(reports.DirGates), 0o755); err != nil {
		return false, fmt.Errorf("open gate: %w", err)
	}
	if err = s.dir.Write(file+gateQuestion, []byte(s.app.secrets.hide(question)+"\n")); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.Remove(s.dir.File(file+gateQuestion))) }()
	s.say(fmt.Sprintf("answer with: proofload approve %s, or proofload approve %[1]s --no", s.manifest.Run))
	tick := time.NewTicker(gateLook)
	defer tick.Stop()
	for {
		answer, err := os.ReadFile(s.dir.File(file + gateAnswer))
		switch {
		case err == nil:
			return strings.TrimSpace(string(answer)) == gatesYes, nil
		case !errors.Is(err, fs.ErrNotExist):
			return false, fmt.Errorf("read answer: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (a *app) approveCommand() *cobra.Command {
	var no bool
	cmd := &cobra.Command{
		Use:   "approve RUN [GATE]",
		Short: "Answer the gate at which a run is waiting",
		Long: `Answer the gate at which a run is waiting: yes, or with --no that it is to mend everything
and stop. GATE is the name of its entry, where more than one is open.`,
		Example: `  proofload approve latest
  proofload approve latest --no`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeRuns,
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := findRun(args[0])
			if err != nil {
				return err
			}
			name, err := openGate(dir, args[1:])
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			answer := gatesYes
			if no {
				answer = "no"
			}
			if err := dir.Write(filepath.Join(reports.DirGates, name+gateAnswer), []byte(answer+"\n")); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			fmt.Fprintf(a.stdout, "gate %s: %s\n", name, answer)
			return nil
		},
	}
	cmd.Flags().BoolVar(&no, "no", false, "do not go on: mend everything and stop")
	return cmd
}

// openGate is the one open gate of a run, or the one that is named.
func openGate(dir reports.Directory, named []string) (string, error) {
	files, err := filepath.Glob(dir.File(filepath.Join(reports.DirGates, "*"+gateQuestion)))
	if err != nil {
		return "", fmt.Errorf("find gates: %w", err)
	}
	var open []string
	for _, file := range files {
		open = append(open, strings.TrimSuffix(filepath.Base(file), gateQuestion))
	}
	run := filepath.Base(dir.Path)
	switch {
	case len(open) == 0:
		return "", fmt.Errorf("run %s waits at no gate", run)
	case len(named) > 0 && !slices.Contains(open, named[0]):
		return "", fmt.Errorf("run %s does not wait at gate %q: %s", run, named[0], hint(named[0], open, ""))
	case len(named) > 0:
		return named[0], nil
	case len(open) > 1:
		return "", fmt.Errorf("run %s waits at several gates, name one of %s", run, strings.Join(open, ", "))
	}
	return open[0], nil
}
