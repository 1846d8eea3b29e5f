package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/loadgen/httpload"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/history"
)

func (a *app) workloadTryCommand() *cobra.Command {
	var where tryFlags
	cmd := &cobra.Command{
		Use:   "try FILE",
		Short: "Send each request of a workload file once, and say whether file and system fit",
		Long: `Send each request of a workload file once, one after another, to the base of the
file or another, or to a stack that is up. What was written is looked up again.

Exit codes: 0 every answer was as expected, 1 not so, 3 the system was not there.`,
		Example: "  proofload workload try orders.yaml --base http://localhost:8080",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := a.parseWorkload(args[0])
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			c := httpload.Config{Seed: 1}
			if err := a.place(cmd.Context(), f, where, &c); err != nil {
				return err
			}
			return a.try(cmd.Context(), f, c)
		},
	}
	cmd.Flags().StringVar(&where.base, "base", "", "where the system is (default: base: of the file)")
	cmd.Flags().StringVar(&where.target, "target", "", "the stack that is up, for example stack/ledger: its entry point and its endpoints")
	return cmd
}

// tryFlags say where the system is.
type tryFlags struct{ base, target string }

// place sets where the requests of a file go.
func (a *app) place(ctx context.Context, f *httpload.File, where tryFlags, c *httpload.Config) error {
	c.BaseURL = cmp.Or(where.base, f.Base)
	if where.target == "" {
		if err := f.Check("", nil); err != nil {
			return exit(reports.ExitUsage, err)
		}
	} else if err := a.placeInStack(ctx, f, where, c); err != nil {
		return err
	}
	if c.BaseURL == "" && f.CheckDirect("") == nil {
		return nil
	}
	if c.BaseURL == "" {
		return exit(reports.ExitUsage, fmt.Errorf("%s has no base: say where the system is with --base http://localhost:PORT", f.Path))
	}
	if _, err := describeURL(c.BaseURL, nil); err != nil {
		return exit(reports.ExitUsage, err)
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	return nil
}

// placeInStack sets that requests go to a stack.
func (a *app) placeInStack(ctx context.Context, f *httpload.File, where tryFlags, c *httpload.Config) error {
	if !strings.HasPrefix(where.target, stackPrefix) {
		return exit(reports.ExitUsage, fmt.Errorf("--target %s is no stack: an address is given with --base", where.target))
	}
	topology, err := describeTarget(where.target, nil)
	if err == nil {
		err = f.Check(where.target, endpointsOf(topology))
	}
	if err != nil {
		return exit(reports.ExitUsage, err)
	}
	s, err := a.attach(ctx, stackFlags{target: where.target})
	if err != nil {
		return err
	}
	c.Endpoint = s.Endpoint
	if where.base == "" {
		c.BaseURL, _ = s.Endpoint("api")
	}
	return nil
}

// try sends each request of a file once.
func (a *app) try(ctx context.Context, f *httpload.File, c httpload.Config) error {
	if _, err := rand.Read(c.Nonce[:]); err != nil {
		return fmt.Errorf("make a nonce: %w", err)
	}
	w, err := httpload.New(ctx, f, c)
	if err != nil {
		return exit(reports.ExitUsage, err)
	}
	defer w.Close()
	if c.BaseURL != "" {
		err = askAnything(ctx, c.BaseURL, loadgen.Config{}.Client())
	}
	if err = errors.Join(err, w.Ready(ctx)); err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	rec, err := history.NewRecorder(io.Discard)
	if err != nil {
		return err
	}
	defer func() { _ = rec.Close() }() // it goes nowhere
	t := &trial{once: w.Once(), base: c.BaseURL, recorder: rec}
	defer rec.Tap(t.observe)()
	for n := range t.once.Len() {
		if err := t.journey(ctx, n+1); err != nil {
			return exit(reports.ExitInconclusive, err)
		}
	}
	return t.report(a.stdout)
}

// A trial is a file that is being tried.
type trial struct {
	once     *httpload.Once
	base     string
	recorder *history.Recorder

	rows  []history.Event // how each operation ended
	found map[string]bool // by the id of a write, whether it was found again
	notes []string
}

// observe takes the next event. The recorder calls it one at a time.
func (t *trial) observe(e *history.Event) {
	switch {
	case e.By == history.ByLoad && e.Kind != history.Invoke:
		t.rows = append(t.rows, *e)
	case e.By == history.ByAudit && e.Op == history.AuditWrite:
		if t.found == nil {
			t.found = map[string]bool{}
		}
		t.found[e.ID] = e.Kind != history.Fail
	}
}

// journey goes through one journey, and looks up what it wrote.
func (t *trial) journey(ctx context.Context, n int) error {
	_, err := loadgen.Drive(ctx, loadgen.Config{
		BaseURL: t.base, Drill: n, Workload: t.once, Recorder: t.recorder,
		Phases: []loadgen.Phase{{Name: "try", For: time.Millisecond, From: 1000, To: 1000}},
	})
	if err != nil {
		return err
	}
	for _, op := range t.once.Steps(n) {
		if !slices.ContainsFunc(t.rows, func(e history.Event) bool { return e.Op == op }) {
			t.rows = append(t.rows, history.Event{Op: op, Class: "not reached"})
		}
	}
	if err := t.once.Audit(ctx, httpload.AuditConfig{Drill: n, Recorder: t.recorder}); err != nil {
		t.notes = append(t.notes, err.Error())
	}
	notes, _ := t.once.Findings() // every one of them is printed
	t.notes = append(t.notes, notes...)
	return nil
}

// report prints what was found.
func (t *trial) report(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	bad := len(t.notes)
	for _, e := range t.rows {
		status, took, write := "", "", ""
		if e.Status != 0 {
			status = strconv.Itoa(e.Status)
		}
		if e.Kind != "" {
			took = fmt.Sprintf("%.1f ms", float64(e.At-e.Sched)/float64(time.Millisecond))
		}
		outcome := "ok"
		if e.Kind != history.OK {
			outcome = e.Class
			bad++
		}
		if found, known := t.found[e.ID]; known && e.ID != "" {
			write = "found again"
			if !found {
				write = "not found again"
				bad++
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.Op, outcome, status, took, write)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range t.rows {
		if e.Text != "" { // what was said of the error, which its class is not
			fmt.Fprintf(w, "%s: %s\n", e.Op, strings.Join(strings.Fields(e.Text), " "))
		}
	}
	for _, n := range t.notes {
		fmt.Fprintln(w, n)
	}
	if bad > 0 {
		return exit(reports.ExitFail, nil)
	}
	return nil
}
