package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/explain"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain RUN|WORD [VERDICT]",
		Short: "Say why a run's verdicts are what they are, or what a word of the language means",
		Long: `Say why verdicts of a recorded run are what they are: what failed, since when, how
often and on which instances, the first and the worst cases, what the nodes have
logged about them, and what the evidence says of the cause.

Without VERDICT all that are not a pass are explained. VERDICT is the name of a
check, or subject and metric of an objective.

In place of a run, WORD is what may be in a scenario: an entry of the timeline, a
metric, a check, or the path of any key, such as load.phases.rate. Words of other
files begin with their kind: workload.requests.ack. exit-codes lists these.`,
		Example: `  proofload explain latest
  proofload explain latest acknowledged-writes
  proofload explain latest primary-lost rto
  proofload explain kill
  proofload explain load.phases.rate
  proofload explain exit-codes`,
		Args: cobra.RangeArgs(1, 3),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := reports.FindDirectory(runsRoot, args[0])
			if err != nil && len(args) == 1 {
				if known, failed := explainWord(a.stdout, args[0]); known || failed != nil {
					return failed
				}
			}
			if err != nil {
				return exit(reports.ExitUsage, fmt.Errorf("%w; %s", err, hintShort(args[0], append(runNames(), explainable()...))))
			}
			r, err := readResult(dir)
			if err != nil {
				return exit(reports.ExitUsage, fmt.Errorf("%w; proofload check %s judges the history", err, args[0]))
			}
			if err := explain.Write(a.stdout, r, os.DirFS(dir.File(reports.DirLogs)), strings.Join(args[1:], " ")); err != nil {
				return exit(reports.ExitUsage, err)
			}
			return nil
		},
	}
}
