package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/loadgen/httpload"
	"github.com/proofload/proofload/loadgen/httpload/draft"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/run"
	"github.com/proofload/proofload/sut/remote"
)

func (a *app) workloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "workload",
		Short: "Write and check workload files, which load any HTTP system",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.workloadValidateCommand(), a.workloadTryCommand(),
		a.draftCommand("from-openapi", "Write a first workload from an OpenAPI 3 document, JSON or YAML", draft.OpenAPI),
		a.draftCommand("from-har", "Write a first workload from a browser's recording, an HTTP Archive", draft.HAR),
	)
	return cmd
}

func (a *app) workloadValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check workload files and their data: every mistake, with its place and how to mend it",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			bad := 0
			for _, name := range args {
				if err := a.validateWorkload(name); err != nil {
					bad++
					fmt.Fprintln(a.stderr, err)
				}
			}
			if bad > 0 {
				return exit(reports.ExitUsage, nil)
			}
			return nil
		},
	}
}

// validateWorkload checks one workload file and prints that it is sound, with
// its operations.
func (a *app) validateWorkload(name string) error {
	f, err := a.parseWorkload(name)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s ok: %s\n", name, strings.Join(f.Ops(), ", "))
	return nil
}

// kindOf returns what a file says that it is: a scenario, a workload, a target, a
// permit, a config; or nothing.
func kindOf(src []byte) string {
	for line := range bytes.Lines(src) {
		if version, ok := bytes.CutPrefix(line, []byte("proofload:")); ok {
			kind, _, _ := bytes.Cut(bytes.Trim(version, " \t\r\n\"'"), []byte("/"))
			return string(kind)
		}
	}
	return ""
}

// parseWorkload reads a workload file.
func (a *app) parseWorkload(path string) (*httpload.File, error) {
	return a.parseWorkloadFor(path, nil)
}

// parseWorkloadFor reads a workload file for a target, whose file may say where its
// secrets are.
func (a *app) parseWorkloadFor(path string, t *remote.Target) (*httpload.File, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read workload: %w", err)
	}
	lookup := a.origins.noting(a.lookup)
	return httpload.Parse(path, src, httpload.Options{Lookup: a.secrets.learn(src, func(name string) (string, bool) {
		if t == nil {
			return lookup(name)
		}
		if where, ok := t.Secrets()[name]; ok {
			return a.secretAt(where)
		}
		return lookup(name)
	})})
}

// draftCommand writes a workload from another file.
func (a *app) draftCommand(name, about string, write func(file string, src []byte) ([]byte, error)) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   name + " FILE",
		Short: about,
		Example: fmt.Sprintf(`  proofload workload %s FILE --output workload.yaml
  proofload workload validate workload.yaml`, name),
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			src, err := os.ReadFile(args[0])
			if err != nil {
				return exit(reports.ExitUsage, fmt.Errorf("read %s: %w", name, err))
			}
			text, err := write(args[0], src)
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			if output == "" {
				_, err = a.stdout.Write(text)
				return err
			}
			if err := writeNew(output, text); err != nil {
				return exit(reports.ExitUsage, err)
			}
			fmt.Fprintf(a.stderr, "%s written; next: proofload workload validate %s\n", output, output)
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this file, which must not exist (default: the standard output)")
	return cmd
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write workload: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write workload: %w", err)
	}
	return nil
}

// isFile reports whether what a scenario names is a file, and not something that
// is built in.
func isFile(name string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name))
}

// scenarioWorkload reads the workload file that a scenario names, relative to
// itself. It returns nil where the workload is built in.
func (a *app) scenarioWorkload(sc *scenarios.Scenario, t *remote.Target) (*httpload.File, error) {
	name := sc.Load.Workload
	if !isFile(name) {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	name = beside(sc.File, name)
	f, err := a.parseWorkloadFor(name, t)
	if errors.Is(err, fs.ErrNotExist) {
		problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
		problems.Add(sc.Load.WorkloadPos, len(sc.Load.Workload), "there is no workload file "+name, "its path is relative to the scenario")
		return nil, problems.Err()
	}
	if err != nil {
		return nil, err
	}
	return f, answerable(sc, f)
}

// loadFrom gives a rig the load of a workload file in place of the system's own.
// The returned function ends what goes on beside it.
func (s *session) loadFrom(ctx context.Context, rig *run.Rig) (end func(), err error) {
	c := httpload.Config{
		Seed: s.plan.Seed, BaseURL: rig.BaseURL, TLS: s.plan.Client.TLS, Timeouts: s.plan.Client.Timeouts,
		AllowHosts: rig.AllowHosts, Endpoint: rig.Env.Endpoint, NoAudit: !s.plan.workload.Counts(), Dir: s.dir.Path,
	}
	if _, err = rand.Read(c.Nonce[:]); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	w, err := httpload.New(context.WithoutCancel(ctx), s.plan.workload, c)
	if err != nil {
		return nil, err
	}
	gate, audit := rig.Gate, rig.Audit
	rig.Workload = w
	rig.NodeHeader, rig.TimelineHeader = s.plan.workload.Answers()
	rig.Gate = func(ctx context.Context) error {
		if err := gate(ctx); err != nil {
			return err
		}
		return w.Ready(ctx)
	}
	rig.Audit = func(ctx context.Context, f run.FinalReads) error {
		return errors.Join(audit(ctx, f), s.auditWorkload(ctx, w, f))
	}
	return w.Close, nil
}

// auditWorkload looks the writes of a drill up, after the system's own final
// reads, and records what went wrong between the workload file and the system.
func (s *session) auditWorkload(ctx context.Context, w *httpload.Workload, f run.FinalReads) error {
	err := w.Audit(ctx, httpload.AuditConfig{Drill: f.Drill, Earlier: f.Earlier, Recorder: s.recorder})
	if err != nil {
		s.recorder.Record(history.Event{Kind: history.Fail, By: history.ByAudit, Op: history.AuditDone, Drill: f.Drill, Text: err.Error()})
	}
	notes, open := w.Findings()
	for _, n := range notes {
		s.recorder.Record(history.Event{Kind: history.Info, By: history.ByRun, Op: history.RunMisfit, Drill: f.Drill, Text: n})
	}
	return errors.Join(err, open)
}
