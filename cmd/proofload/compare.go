package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/compare"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/html"
)

func (a *app) compareCommand() *cobra.Command {
	var threshold float64
	var page string
	cmd := &cobra.Command{
		Use:   "compare BEFORE AFTER",
		Short: "Say whether a run was slower than another, beyond chance",
		Long: `Say whether the run AFTER was slower, or failed more often, than the run BEFORE.
Each is a run, or baseline/NAME: one that was kept for the scenario of the other.

Both are cut into windows of five seconds, and the windows of each phase and
operation that both have are compared by a Mann-Whitney test, which takes into
account that neighbours are alike. A difference counts if it is beyond chance (one
in a hundred for all comparisons together) and larger than the threshold; of the
operations, one in a thousand more must fail.

Exit codes: 0 not worse, 1 worse, 4 there was too little to compare.`,
		Example: `  proofload compare 20260102-030405-ab12 latest
  proofload compare baseline/main latest --html comparison.html
  proofload compare ../baseline/.proofload/runs/latest latest --threshold 10`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if threshold <= 0 {
				return exit(reports.ExitUsage, fmt.Errorf("--threshold %g: want a percentage above 0", threshold))
			}
			before, after, err := sides(args[0], args[1])
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			c := compare.Compare(before, after, compare.DefaultLimits(threshold))
			if page != "" {
				if err := writeWhole(page, func(w io.Writer) error { return html.WriteComparison(w, c) }); err != nil {
					return exit(reports.ExitUsage, err)
				}
			}
			return a.compare(c)
		},
	}
	cmd.Flags().Float64Var(&threshold, "threshold", compare.DefaultThreshold, "how much slower AFTER may be, in percent")
	cmd.Flags().StringVar(&page, "html", "", "write the comparison as a page to this file, too")
	return cmd
}

// compare prints a comparison and returns its exit code.
func (a *app) compare(c *reports.Comparison) error {
	if err := compare.Write(a.stdout, c); err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	switch c.Outcome {
	case check.Fail:
		return exit(reports.ExitFail, nil)
	case check.Pass:
		return nil
	default:
		return exit(reports.ExitInconclusive, nil)
	}
}

// sides reads the two runs of a comparison. A baseline without a scenario is
// that of the other one's.
func sides(first, second string) (before, after *compare.Profile, err error) {
	names, found := []string{first, second}, make([]*compare.Profile, 2)
	scenario := ""
	for i, name := range names {
		if strings.HasPrefix(name, compare.Prefix) {
			continue
		}
		if found[i], err = profileOf(name); err != nil {
			return nil, nil, err
		}
		scenario = found[i].Scenario
	}
	for i, name := range names {
		if found[i] != nil {
			continue
		}
		if found[i], err = findBaseline(name, scenario); err != nil {
			return nil, nil, err
		}
	}
	return found[0], found[1], nil
}

// profileOf reads what a run looked like.
func profileOf(name string) (*compare.Profile, error) {
	dir, err := findRun(name)
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
	p, err := compare.Read(m, events)
	if err = errors.Join(err, closeFile()); err != nil {
		return nil, fmt.Errorf("%w; what a run that died has recorded is not compared", err)
	}
	// A run without a verdict, or of a newer version, is compared by its history alone.
	if r, err := readResult(dir); err == nil && r.Generator.Fell {
		p.Behind = r.Generator.Reason
	}
	return p, nil
}

// writeWhole writes a file as a whole or not at all.
func writeWhole(name string, write func(io.Writer) error) error {
	dir := reports.Directory{Path: filepath.Dir(name)}
	var b strings.Builder
	if err := write(&b); err != nil {
		return err
	}
	if err := os.MkdirAll(dir.Path, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return dir.Write(filepath.Base(name), []byte(b.String()))
}
