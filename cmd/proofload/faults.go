package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
)

func (a *app) faultsCommand() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "faults [KIND]",
		Short: "Show the faults there are: what each breaks, needs, and what undoes it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c := catalog()
			names := c.Names()
			if len(args) == 1 {
				if _, ok := c[args[0]]; !ok {
					return exit(reports.ExitUsage, fmt.Errorf("no fault %q: %s", args[0], scenarios.DidYouMean(args[0], names)))
				}
				names = args
			}
			w := bufio.NewWriter(a.stdout)
			switch {
			case markdown:
				writeCatalogue(w, c, names)
			case len(args) == 1:
				writeFault(w, c[args[0]])
			default:
				list := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, name := range names {
					fmt.Fprintf(list, "%s\t%s\n", name, c[name].About)
				}
				if err := list.Flush(); err != nil {
					return err
				}
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "as a page")
	return cmd
}

// writeFault describes one fault for a terminal.
func writeFault(w io.Writer, k chaos.Kind) {
	fmt.Fprintf(w, "%s\n  %s\n", k.Name, k.About)
	fmt.Fprintf(w, "  needs    %s\n  undone   %s\n", k.Needs, k.Undone)
	fmt.Fprintf(w, "  lasts    %s unless told otherwise, %s at most\n", chaos.DefaultTTL, chaos.MaxTTL)
	if len(k.Touches) > 0 {
		fmt.Fprintf(w, "  touches  %s: not together with another fault that does, on one target\n", strings.Join(k.Touches, ", "))
	}
	for _, p := range k.Params {
		fmt.Fprintf(w, "  %s=%s  %s (%s)\n", p.Name, strings.ToUpper(string(p.Measure)), p.About, usual(p))
	}
}

// usual says what a parameter is if it is not given, and what it may be.
func usual(p chaos.Param) string {
	text := p.Default + " unless given"
	if p.Default == "" {
		text = "must be given"
	}
	if may := p.May(); may != "" {
		text += "; " + may
	}
	return text
}

// writeCatalogue describes faults as a Markdown page.
func writeCatalogue(w io.Writer, c chaos.Catalog, names []string) {
	fmt.Fprintf(w, "# Faults\n\n%d kinds. Each lasts %s unless told otherwise, and %s at most.\n", len(names), chaos.DefaultTTL, chaos.MaxTTL)
	for _, name := range names {
		k := c[name]
		fmt.Fprintf(w, "\n## %s\n\n%s\n\n", k.Name, k.About)
		fmt.Fprintf(w, "- Needs: %s\n- Undone: %s\n", k.Needs, k.Undone)
		if len(k.Touches) > 0 {
			fmt.Fprintf(w, "- Touches: %s\n", strings.Join(k.Touches, ", "))
		}
		if len(k.Params) == 0 {
			continue
		}
		fmt.Fprint(w, "\n| parameter | is a | unless given | may be | meaning |\n|---|---|---|---|---|\n")
		for _, p := range k.Params {
			fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s |\n", p.Name, p.Measure, p.Default, orDash(p.May()), p.About)
		}
	}
}

func (a *app) auditCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "audit",
		Short: "Show all that was ever done to targets from this directory, and check that nothing of it was changed",
		Long: `Prints the audit log of this directory and verifies its chain of hashes. The last
hash is printed at the end: whoever keeps it sees later whether lines are missing.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f, err := os.Open(auditFile)
			if errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintln(a.stdout, "nothing was done yet")
				return nil
			}
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			defer f.Close()
			n := 0
			head, err := chaos.VerifyAudit(f, func(l chaos.Audit) {
				n++
				fmt.Fprintln(a.stdout, strings.Join(strings.Fields(fmt.Sprintf("%d %s %s %s %s %s %s %s %s",
					l.Seq, l.At.Format(time.RFC3339), l.Who, l.Run, l.System, l.Action, l.Kind, l.Target, l.Detail)), " "))
			})
			if err != nil {
				return exit(reports.ExitFail, err)
			}
			fmt.Fprintf(a.stdout, "%d lines, none changed; the last hash is %s\n", n, head)
			return nil
		},
	}
}
