package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/html"
	jsonreport "github.com/proofload/proofload/reports/json"
	"github.com/proofload/proofload/reports/junit"
	"github.com/proofload/proofload/reports/markdown"
	"github.com/proofload/proofload/reports/openmetrics"
	"github.com/proofload/proofload/scenarios/run"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check RUN",
		Short: "Judge a recorded run again, from its files alone",
		Long:  "Judge a recorded run again, from its files alone. RUN is a run's directory, its id, the end of its id, or latest.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := findRun(args[0])
			if err != nil {
				return err
			}
			r, err := review(dir)
			if err != nil {
				return err
			}
			if err := a.keepOther(dir); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			if err := run.Render(dir, r, a.attached(dir)); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			return a.summarize(dir, r)
		},
	}
}

// review judges a run again, unless it is going on still.
func review(dir reports.Directory) (r *reports.Result, err error) {
	unlock, err := reports.Lock(dir.File(reports.FileLock))
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	m, err := dir.ReadManifest()
	if err != nil {
		return nil, exit(reports.ExitUsage, err)
	}
	old, err := readResult(dir)
	if err != nil {
		old = nil // it is made anew
	}
	r, err = run.Review(dir, m, old)
	if err != nil {
		return nil, exit(reports.ExitInconclusive, err)
	}
	return r, nil
}

// keepOther keeps the result and the report that another major version of
// proofload wrote: they say what the history does not, and others are about to
// take their place.
func (a *app) keepOther(dir reports.Directory) error {
	data, err := os.ReadFile(dir.File(reports.FileResult))
	if err != nil {
		return nil //nolint:nilerr // there is nothing to keep
	}
	_, unread := jsonreport.ReadResult(bytes.NewReader(data))
	if !errors.Is(unread, jsonreport.ErrVersion) {
		return nil
	}
	version := cmp.Or(jsonreport.Version(data), "other")
	var kept []string
	for _, name := range []string{reports.FileResult, reports.FileHTML} {
		data, err := os.ReadFile(dir.File(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
		end := filepath.Ext(name)
		beside := strings.TrimSuffix(name, end) + "." + version + end
		if err := dir.Write(beside, data); err != nil {
			return err
		}
		kept = append(kept, dir.File(beside))
	}
	fmt.Fprintf(a.stderr, "%v; it is judged from its history, and what was there is kept as %s: only that knows how long the run took and what kept it from its end\n",
		unread, strings.Join(kept, " and "))
	return nil
}

func (a *app) reportCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Render the result of a recorded run again, from its files alone",
		Long: `Render the result of a recorded run again. Without --format all documents of the
run directory are written anew and the summary is printed; with it, that one
format goes to the standard output. A run without a result, as it died, is judged
from its history first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := findRun(args[0])
			if err != nil {
				return err
			}
			r, err := a.resultOf(dir, args[0])
			if err != nil {
				return err
			}
			if format != "" {
				return renderTo(a.stdout, format, r)
			}
			if err := run.Render(dir, r, a.attached(dir)); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			if err := a.summarize(dir, r); err != nil && err.Error() != "" {
				return err
			}
			return nil // a report of a failed run is a report that succeeded
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "one of html, json, junit, markdown, openmetrics")
	return cmd
}

// resultOf reads the result of a run. A run that has none that can be read, as
// it died, is judged from its history, so that what there is can be shown. A
// result of another version is left to the proofload that wrote it.
func (a *app) resultOf(dir reports.Directory, name string) (*reports.Result, error) {
	r, err := readResult(dir)
	switch {
	case err == nil:
		return r, nil
	case errors.Is(err, jsonreport.ErrVersion):
		return nil, exit(reports.ExitUsage, fmt.Errorf("%w; %s shows what it says, and proofload check %s judges the history again", err, dir.File(reports.FileHTML), name))
	}
	fmt.Fprintf(a.stderr, "%v; it is judged from its history\n", err)
	return review(dir)
}

func renderTo(w io.Writer, format string, r *reports.Result) error {
	render, ok := map[string]reports.Renderer{
		"html":        html.Write,
		"json":        jsonreport.WriteResult,
		"markdown":    markdown.Write,
		"openmetrics": openmetrics.Write,
		"junit":       func(w io.Writer, r *reports.Result) error { return junit.Write(w, r, junit.Options{}) },
	}[format]
	if !ok {
		return exit(reports.ExitUsage, fmt.Errorf("--format %q: want html, json, junit, markdown or openmetrics", format))
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
