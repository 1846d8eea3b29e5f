package run

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/compare"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/html"
	jsonreport "github.com/proofload/proofload/reports/json"
	"github.com/proofload/proofload/reports/junit"
	"github.com/proofload/proofload/reports/markdown"
	"github.com/proofload/proofload/reports/openmetrics"
)

// Judge judges the history that a run directory holds.
func Judge(dir reports.Directory, m *reports.Manifest) (*reports.Result, error) {
	events, closeFile, err := history.Open(dir.File(history.FileName))
	if err != nil {
		return nil, err
	}
	comparison, comparisonErr := comparisonOf(dir, m)
	planned, planErr := planOf(dir)
	if err = errors.Join(comparisonErr, planErr); err != nil {
		return nil, errors.Join(err, closeFile())
	}
	var extra []check.Checker
	if comparison != nil {
		extra = []check.Checker{comparison}
	}
	j, err := check.Judge(m.Spec, events, extra...)
	if err = errors.Join(err, closeFile()); err != nil {
		return nil, fmt.Errorf("judge run %s: %w", m.Run, err)
	}
	r := &reports.Result{
		Schema: reports.SchemaResult, Run: m.Run, Scenario: m.Scenario, Target: m.Target, Options: m.Options, Drills: m.Spec.Drills, Seed: m.Seed, Client: m.Client,
		Began: m.Began, FaultsLeft: []string{}, Judgement: *j,
		Versions: map[string]string{"proofload": m.Version, "go": m.Go}, Host: m.Host, Images: m.Images, Plan: planned,
	}
	if comparison != nil {
		r.Comparison = comparison.Comparison()
	}
	r.Verdict = string(j.Outcome)
	r.Exit = exitOf(r.Verdict)
	return r, nil
}

// planOf reads what a run was to do, empty if its directory does not say.
func planOf(dir reports.Directory) (string, error) {
	text, err := os.ReadFile(dir.File(reports.FilePlan))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read plan: %w", err)
	}
	return string(text), nil
}

// comparisonOf returns the checker that compares a run with the baseline in its
// directory, nil if the scenario asks for none.
func comparisonOf(dir reports.Directory, m *reports.Manifest) (*compare.Checker, error) {
	if m.Spec.Compare == nil {
		return nil, nil //nolint:nilnil // nothing was asked for
	}
	f, err := os.Open(dir.File(reports.FileBaseline))
	if errors.Is(err, fs.ErrNotExist) {
		return compare.NewChecker(m, nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	baseline, err := compare.Decode(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return compare.NewChecker(m, baseline), nil
}

// Render writes all documents of a result into its run directory, and the
// pictures that belong to its verdicts where it was just judged. report is the
// path by which a CI system, which reads junit.xml, finds report.html.
func Render(dir reports.Directory, r *reports.Result, report string) error {
	for name, render := range map[string]reports.Renderer{
		reports.FileResult:   jsonreport.WriteResult,
		reports.FileHTML:     html.Write,
		reports.FileLinked:   html.WriteLinked,
		html.StyleFile:       html.WriteStyle,
		reports.FileMarkdown: markdown.Write,
		reports.FileMetrics:  openmetrics.Write,
		reports.FileJUnit: func(w io.Writer, r *reports.Result) error {
			return junit.Write(w, r, junit.Options{Report: report})
		},
	} {
		if err := RenderFile(dir, name, func(w io.Writer) error { return render(w, r) }); err != nil {
			return err
		}
	}
	if c := r.Comparison; c != nil {
		for name, write := range map[string]func(io.Writer, *reports.Comparison) error{
			reports.FileCompare:       html.WriteComparison,
			reports.FileCompareLinked: html.WriteComparisonLinked,
		} {
			if err := RenderFile(dir, name, func(w io.Writer) error { return write(w, c) }); err != nil {
				return err
			}
		}
	}
	for _, v := range r.Checks {
		for name, picture := range v.Pictures {
			if err := dir.Write(name, picture); err != nil {
				return err
			}
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
