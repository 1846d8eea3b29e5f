package run

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/html"
	jsonreport "github.com/proofload/proofload/reports/json"
	"github.com/proofload/proofload/reports/junit"
	"github.com/proofload/proofload/reports/markdown"
)

// The verdicts of a run that has no judgement to stand on.
const (
	VerdictError       = "error"
	VerdictStopped     = "stopped"
	VerdictInterrupted = "interrupted"
)

// Judge judges the history that a run directory holds.
func Judge(dir reports.Directory, m *reports.Manifest) (*reports.Result, error) {
	events, closeFile, err := history.Open(dir.File(history.FileName))
	if err != nil {
		return nil, err
	}
	j, err := check.Judge(m.Spec, events)
	if err = errors.Join(err, closeFile()); err != nil {
		return nil, fmt.Errorf("judge run %s: %w", m.Run, err)
	}
	r := &reports.Result{
		Schema: reports.SchemaResult, Run: m.Run, Scenario: m.Scenario, Target: m.Target, Seed: m.Seed,
		Began: m.Began, FaultsLeft: []string{}, Judgement: *j,
	}
	r.Verdict = string(j.Outcome)
	r.Exit = exitOf(j.Outcome)
	return r, nil
}

// exitOf maps a judgement to the exit code of the process.
func exitOf(o check.Outcome) int {
	switch o {
	case check.Pass:
		return reports.ExitPass
	case check.Fail:
		return reports.ExitFail
	default:
		return reports.ExitInconclusive
	}
}

// Conclude says in r how the run ended, which outweighs what was judged.
func Conclude(r *reports.Result, end Ending, took, ready time.Duration) {
	r.TookMS = float64(took.Milliseconds())
	r.ReadyMS = float64(ready.Milliseconds())
	switch {
	case end.Canceled:
		r.Verdict, r.Exit, r.Problem = VerdictInterrupted, reports.ExitInterrupted, "interrupted before the end"
	case end.NotReady != nil:
		r.Verdict, r.Exit, r.Problem = VerdictError, reports.ExitEnvironment, end.NotReady.Error()
	case end.Stopped != nil:
		r.Verdict, r.Exit, r.Problem = VerdictStopped, reports.ExitStopped, end.Stopped.Error()
	case end.Failed != nil:
		// A run that could not be carried out as planned is never a pass.
		r.Problem = end.Failed.Error()
		if r.Outcome == check.Pass {
			r.Outcome, r.Verdict, r.Exit = check.Inconclusive, string(check.Inconclusive), reports.ExitInconclusive
		}
	}
	if len(end.Left) > 0 {
		r.Exit = reports.ExitFaultsLeft
		r.FaultsLeft = describe(end.Left)
	}
}

// describe lists what may still be broken with the commands that mend it.
func describe(left []chaos.Undo) []string {
	lines := make([]string, 0, len(left))
	for _, u := range left {
		lines = append(lines, strings.Join(append([]string{u.Kind + " " + u.Target}, u.Manual...), "\n  "))
	}
	return lines
}

// Render writes all documents of a result into its run directory.
func Render(dir reports.Directory, r *reports.Result) error {
	for name, render := range map[string]reports.Renderer{
		reports.FileResult:   jsonreport.WriteResult,
		reports.FileHTML:     html.Write,
		reports.FileMarkdown: markdown.Write,
		reports.FileJUnit: func(w io.Writer, r *reports.Result) error {
			return junit.Write(w, r, junit.Options{Report: reports.FileHTML})
		},
	} {
		if err := RenderFile(dir, name, func(w io.Writer) error { return render(w, r) }); err != nil {
			return err
		}
	}
	return nil
}

// RenderFile writes one document as a whole or not at all.
func RenderFile(dir reports.Directory, name string, render func(io.Writer) error) error {
	var b bytes.Buffer
	if err := render(&b); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return dir.Write(name, b.Bytes())
}
