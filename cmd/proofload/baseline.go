package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/compare"
)

const (
	baselineMain = "main"  // the name where none is given
	baselineFile = ".json" // what the name of a baseline's file ends with
)

// baselinesRoot is where baselines are kept, by name and scenario. They are
// small and may be put under version control.
var baselinesRoot = filepath.Join(".proofload", "baselines") //nolint:gochecknoglobals // a constant that the language has no form for

// baselineName is what a baseline may be called.
var baselineName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (a *app) baselineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Keep runs that later ones are compared with",
		Long: `Keep runs that later ones are compared with. A baseline has a name, main unless told
otherwise, and is of one scenario; compare: in a scenario names it, and so does
proofload compare baseline/NAME RUN. It is one file of some ten kilobytes,
` + filepath.Join(baselinesRoot, "NAME", "SCENARIO") + baselineFile + `, that may be kept under version control
or in the cache of a CI system.`,
	}
	cmd.AddCommand(a.baselineSetCommand(), a.baselineListCommand(), a.baselineShowCommand())
	return cmd
}

func (a *app) baselineSetCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "set RUN [NAME]",
		Short: "Make a run the baseline of its scenario",
		Long: `Make a run the baseline of its scenario. It has to have met its objectives and checks; that
it was worse than the baseline it replaces, or had none, does not matter.`,
		Example: `  proofload baseline set latest
  proofload baseline set latest release-3`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			name := baselineMain
			if len(args) == 2 {
				name = strings.TrimPrefix(args[1], compare.Prefix)
			}
			return a.setBaseline(args[0], name, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "keep the run whatever its verdict is")
	return cmd
}

func (a *app) setBaseline(runName, name string, force bool) error {
	if !baselineName.MatchString(name) {
		return exit(reports.ExitUsage, fmt.Errorf("%q is not a name for a baseline: use a to z, 0 to 9 and -, and begin with a letter", name))
	}
	dir, err := findRun(runName)
	if err != nil {
		return err
	}
	if !force {
		if err = fit(dir, runName); err != nil {
			return exit(reports.ExitUsage, err)
		}
	}
	p, err := profileOf(runName)
	if err != nil {
		return exit(reports.ExitUsage, err)
	}
	file := filepath.Join(baselinesRoot, name, p.Scenario+baselineFile)
	if err := writeWhole(file, p.Encode); err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	fmt.Fprintf(a.stdout, "%s%s of %s is now run %s: %s\n", compare.Prefix, name, p.Scenario, p.Run, file)
	return nil
}

// fit refuses a run that should not be what others are compared with.
func fit(dir reports.Directory, name string) error {
	r, err := readResult(dir)
	if err != nil {
		return fmt.Errorf("%w; proofload check %s judges the history again", err, name)
	}
	if why := unfit(r); why != "" {
		return fmt.Errorf("run %s is no baseline: %s; --force keeps it all the same", r.Run, why)
	}
	return nil
}

// unfit says why a run should not be what others are compared with, or nothing.
func unfit(r *reports.Result) string {
	if r.Problem != "" {
		return r.Problem
	}
	if r.Verdict == string(check.Pass) {
		return ""
	}
	if r.Generator.Fell {
		return "the load generator fell behind"
	}
	own := []check.Outcome{check.Pass}
	for _, o := range r.Objectives {
		own = append(own, o.Outcome)
	}
	for _, v := range r.Checks {
		if v.Check != compare.CheckName {
			own = append(own, v.Outcome)
		}
	}
	compared := slices.ContainsFunc(r.Checks, func(v check.Verdict) bool { return v.Check == compare.CheckName && v.Outcome != check.Pass })
	if compared && check.Worst(own...) == check.Pass && (r.Verdict == string(check.Fail) || len(r.Reasons) == 1) {
		return "" // but for the comparison it passed
	}
	return "its verdict is " + r.Verdict
}

func (a *app) baselineListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the baselines",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			names := baselines()
			if len(names) == 0 {
				fmt.Fprintln(a.stderr, "proofload: there is no baseline: proofload baseline set RUN keeps one")
				return nil
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "BASELINE\tSCENARIO\tRUN\tBEGAN\tCOMMIT")
			for _, name := range names {
				p, err := findBaseline(name, "")
				if err != nil {
					fmt.Fprintf(w, "%s\t%v\n", name, err)
					continue
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", filepath.ToSlash(filepath.Dir(name)), p.Scenario, p.Run,
					p.Began.UTC().Format(time.DateTime), p.Git[:min(12, len(p.Git))])
			}
			return w.Flush()
		},
	}
}

func (a *app) baselineShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME/SCENARIO",
		Short: "Show what a baseline is",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := findBaseline(args[0], "")
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			return compare.Describe(a.stdout, p)
		},
	}
}

// baselines lists baseline/NAME/SCENARIO of what was kept.
func baselines() []string {
	files, err := filepath.Glob(filepath.Join(baselinesRoot, "*", "*"+baselineFile))
	if err != nil {
		return nil // the pattern is well formed
	}
	var names []string
	for _, file := range files {
		scenario := strings.TrimSuffix(filepath.Base(file), baselineFile)
		names = append(names, compare.Prefix+filepath.Base(filepath.Dir(file))+"/"+scenario)
	}
	return names
}

// findBaseline reads baseline/NAME/SCENARIO; baseline/NAME is that of the given
// scenario, or of the only one that there is.
func findBaseline(name, scenario string) (*compare.Profile, error) {
	label, own, given := strings.Cut(strings.TrimPrefix(name, compare.Prefix), "/")
	if given {
		scenario = own
	}
	if scenario == "" {
		found := slices.DeleteFunc(baselines(), func(b string) bool { return !strings.HasPrefix(b, compare.Prefix+label+"/") })
		if len(found) > 1 {
			return nil, fmt.Errorf("%s could be any of %s", name, strings.Join(found, ", "))
		}
		if len(found) == 1 {
			scenario = found[0][len(compare.Prefix)+len(label)+1:]
		}
	}
	full := compare.Prefix + label + "/" + scenario
	if !slices.Contains(baselines(), full) {
		return nil, fmt.Errorf("no baseline %s: %w; %s", strings.TrimPrefix(full, compare.Prefix), fs.ErrNotExist,
			hint(full, baselines(), "there are none: proofload baseline set RUN keeps one"))
	}
	f, err := os.Open(filepath.Join(baselinesRoot, label, scenario+baselineFile))
	if err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	p, err := compare.Decode(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return p, nil
}

// keepBaseline copies what a run is to be compared with into its directory, so
// that it can be judged again as it was. Where there is none, the run goes on
// and says so in the end.
func (s *session) keepBaseline() error {
	c := s.manifest.Spec.Compare
	if c == nil {
		return nil
	}
	p, err := findBaseline(c.To, s.manifest.Scenario.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := p.Encode(io.Writer(&b)); err != nil {
		return err
	}
	return s.dir.Write(reports.FileBaseline, []byte(b.String()))
}
