package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/html"
	jsonreport "github.com/proofload/proofload/reports/json"
	"github.com/proofload/proofload/reports/junit"
	"github.com/proofload/proofload/reports/markdown"
	"github.com/proofload/proofload/scenarios/run"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check RUN",
		Short: "Judge a recorded run again, from its files alone",
		Long:  "Judge a recorded run again, from its files alone. RUN is a run's directory, its id, the end of its id, or latest.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := reports.FindDirectory(runsRoot, args[0])
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			m, err := dir.ReadManifest()
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			r, err := run.Judge(dir, m)
			if err != nil {
				return exit(reports.ExitInconclusive, err)
			}
			// What only the run itself can know is taken over from it, where
			// it lived long enough to say so.
			if old, err := readResult(dir); err == nil {
				r.TookMS, r.ReadyMS, r.FaultsLeft = old.TookMS, old.ReadyMS, old.FaultsLeft
				if old.Problem != "" {
					r.Verdict, r.Exit, r.Problem = old.Verdict, old.Exit, old.Problem
				}
			}
			if err := run.Render(dir, r); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			return a.summarize(dir, r)
		},
	}
}

func (a *app) reportCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Render the result of a recorded run again, from its files alone",
		Long: `Render the result of a recorded run again. Without --format all documents of the
run directory are written anew and the summary is printed; with it, that one
format goes to the standard output.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := reports.FindDirectory(runsRoot, args[0])
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			r, err := readResult(dir)
			if err != nil {
				return exit(reports.ExitUsage, fmt.Errorf("%w; proofload check %s judges the history again", err, args[0]))
			}
			if format != "" {
				return renderTo(a.stdout, format, r)
			}
			if err := run.Render(dir, r); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			if err := a.summarize(dir, r); err != nil && err.Error() != "" {
				return err
			}
			return nil // a report of a failed run is a report that succeeded
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "one of html, json, junit, markdown")
	return cmd
}

func renderTo(w io.Writer, format string, r *reports.Result) error {
	render, ok := map[string]reports.Renderer{
		"html":     html.Write,
		"json":     jsonreport.WriteResult,
		"markdown": markdown.Write,
		"junit":    func(w io.Writer, r *reports.Result) error { return junit.Write(w, r, junit.Options{}) },
	}[format]
	if !ok {
		return exit(reports.ExitUsage, fmt.Errorf("--format %q: want html, json, junit or markdown", format))
	}
	return render(w, r)
}

// readResult reads the result.json of a run directory.
func readResult(dir reports.Directory) (*reports.Result, error) {
	f, err := os.Open(dir.File(reports.FileResult))
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	defer f.Close()
	return jsonreport.ReadResult(f)
}
