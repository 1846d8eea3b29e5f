package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/compare"
	"github.com/proofload/proofload/reports/history"
)

func (a *app) compareCommand() *cobra.Command {
	var threshold float64
	cmd := &cobra.Command{
		Use:   "compare BEFORE AFTER",
		Short: "Say whether a run was slower than another, beyond chance",
		Long: `Say whether the run AFTER was slower, or failed more often, than the run BEFORE.

Both are cut into windows of five seconds, and the windows of each phase and
operation that both have are compared by a Mann-Whitney test, which takes into
account that neighbours are alike. A difference counts if it is beyond chance (one
in a hundred for all comparisons together) and larger than the threshold; of the
operations, one in a thousand more must fail.

Exit codes: 0 not worse, 1 worse, 4 there was too little to compare.`,
		Example: `  proofload compare 20260102-030405-ab12 latest
  proofload compare ../baseline/.proofload/runs/latest latest --threshold 10`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if threshold <= 0 {
				return exit(reports.ExitUsage, fmt.Errorf("--threshold %g: want a percentage above 0", threshold))
			}
			before, err := collect(args[0])
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			after, err := collect(args[1])
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			return a.compare(compare.Compare(before, after, threshold))
		},
	}
	cmd.Flags().Float64Var(&threshold, "threshold", compare.DefaultThreshold, "how much slower AFTER may be, in percent")
	return cmd
}

// compare prints a comparison and returns its exit code.
func (a *app) compare(c *compare.Comparison) error {
	if err := compare.Write(a.stdout, c); err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	switch {
	case c.Worse() > 0:
		return exit(reports.ExitFail, nil)
	case len(c.Differences) == 0:
		return exit(reports.ExitInconclusive, errors.New("compare: the runs have nothing in common that is long enough"))
	}
	return nil
}

// collect reads what a run looked like.
func collect(name string) (*compare.Series, error) {
	dir, err := reports.FindDirectory(runsRoot, name)
	if err != nil {
		return nil, err
	}
	m, err := dir.ReadManifest()
	if err != nil {
		return nil, err
	}
	events, closeFile, err := history.Open(dir.File(history.FileName))
	if err != nil {
		return nil, err
	}
	s, err := compare.Collect(m.Spec, events)
	if err = errors.Join(err, closeFile()); err != nil {
		return nil, fmt.Errorf("read run %s: %w", m.Run, err)
	}
	return s, nil
}
