package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
)

// uiVersion is the version of what --progress json writes. Within 1, changes
// only add.
const uiVersion = "1.0"

// An ended run is one scenario of a suite.
type ended struct {
	name   string
	code   int
	took   time.Duration
	dir    string          // of the run; empty if it did not come to one
	result *reports.Result // nil if there is none
}

// runAll carries scenarios out, one after the other, and returns the worst of
// their exit codes. All are read and planned before the first begins.
func (a *app) runAll(ctx context.Context, names []string, flags runFlags) error {
	list, err := a.readAll(names, flags)
	if err != nil {
		return err
	}
	if flags.progress == progressJSON {
		a.line(map[string]any{"type": "version", "ui": uiVersion, "proofload": version()})
	}
	signal.Ignore(syscall.SIGPIPE) // who reads along may leave, and the run goes on
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer a.listenToKeys(list, flags, stop)()
	if flags.views, err = a.openViews(ctx, flags, stop); err != nil {
		return err
	}
	defer flags.views.close(ctx)
	suite := make([]ended, 0, len(list))
	defer func() { a.annotate(flags.ci, suite) }()
	for _, sc := range list {
		e, err := a.runOne(ctx, sc, flags)
		suite = append(suite, e)
		if err != nil && err.Error() != "" {
			if len(list) == 1 {
				return err
			}
			fmt.Fprintln(a.stderr, "proofload: "+scenarios.Printable(err.Error()))
		}
		if ctx.Err() != nil || e.code == reports.ExitFaultsLeft {
			break // nothing may be broken on top of that
		}
	}
	if len(list) > 1 {
		if err := a.summarizeSuite(list, suite); err != nil {
			return err
		}
	}
	if code := flags.exitCode(worst(suite)); code != reports.ExitPass {
		return exit(code, nil)
	}
	return nil
}

// readAll reads and plans all scenarios, and reports everything that is wrong
// with any of them.
func (a *app) readAll(names []string, flags runFlags) ([]*scenarios.Scenario, error) {
	var list []*scenarios.Scenario
	var errs []error
	files, err := expand(names, "scenario")
	if err != nil {
		errs = append(errs, exit(reports.ExitUsage, err))
	}
	for _, file := range files {
		sc, err := a.readToPlan(file, flags.plan)
		if err == nil && len(files) > 1 {
			_, err = a.buildPlan(sc, flags.plan)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, sc)
	}
	switch len(errs) {
	case 0:
		return list, nil
	case 1:
		return nil, errs[0]
	}
	return nil, exit(reports.ExitUsage, errors.Join(errs...))
}

// runOne carries one scenario out and tells those who read along by machine.
func (a *app) runOne(ctx context.Context, sc *scenarios.Scenario, flags runFlags) (ended, error) {
	began, before := time.Now(), latestRun()
	err := a.run(ctx, sc, flags)
	e := ended{name: sc.Name, code: exitOf(err), took: time.Since(began)}
	if dir := latestRun(); dir != before {
		e.dir = dir
		if r, readErr := readResult(reports.Directory{Path: dir}); readErr == nil {
			e.result = r
		}
	}
	if flags.progress == progressJSON {
		line := map[string]any{"type": "result", "scenario": sc.Name, "exit": e.code}
		if e.result != nil {
			line["verdict"], line["run"], line["directory"] = e.result.Verdict, e.result.Run, e.dir
		}
		a.line(line)
	}
	return e, errors.Join(err, a.tellCI(flags.ci, e))
}

// latestRun is the directory of the newest run, or empty.
func latestRun() string {
	id, err := os.Readlink(filepath.Join(runsRoot, reports.Latest))
	if err != nil {
		return ""
	}
	return filepath.Join(runsRoot, id)
}

// line writes one line of what --progress json says.
func (a *app) line(v map[string]any) {
	_ = json.NewEncoder(a.stderr).Encode(v) //nolint:errchkjson // a reader that is gone must not end the run
}

// exitOf is the exit code that belongs to the error of a command.
func exitOf(err error) int {
	if err == nil {
		return reports.ExitPass
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return reports.ExitUsage
}

// worst is the exit code of several runs: what leaves most to do comes first.
func worst(suite []ended) int {
	for _, code := range []int{
		reports.ExitFaultsLeft, reports.ExitInterrupted, reports.ExitUsage, reports.ExitEnvironment, reports.ExitStopped,
		reports.ExitFail, reports.ExitInconclusive,
	} {
		if slices.ContainsFunc(suite, func(e ended) bool { return e.code == code }) {
			return code
		}
	}
	return reports.ExitPass
}

// summarizeSuite prints one line a scenario, also of those that were not begun.
func (a *app) summarizeSuite(list []*scenarios.Scenario, suite []ended) error {
	passed, took := 0, time.Duration(0)
	for _, e := range suite {
		took += e.took
		if e.code == reports.ExitPass {
			passed++
		}
	}
	fmt.Fprintf(a.stdout, "\nSUITE  %d of %d scenarios passed   %s\n\n", passed, len(list), took.Round(time.Second))
	w := tabwriter.NewWriter(a.stdout, 0, 0, 3, ' ', 0)
	for i, sc := range list {
		if i >= len(suite) {
			fmt.Fprintf(w, "  not run\t%s\t\n", sc.Name)
			continue
		}
		e := suite[i]
		report := "no run directory"
		if e.dir != "" {
			report = filepath.Join(e.dir, reports.FileHTML)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", exitWord(e.code), e.name, e.took.Round(time.Second), report)
	}
	return w.Flush()
}
