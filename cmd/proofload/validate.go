package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE|DIRECTORY...",
		Short: "Check scenario, workload, target files, permits and settings: every mistake, with its place and how to mend it",
		Example: `  proofload validate scenarios/checkout.yaml
  proofload validate scenarios workloads`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong := map[string]bool{} // what several scenarios meet in one target is said once
			say := func(err error) {
				if err != nil && !wrong[err.Error()] {
					wrong[err.Error()] = true
					fmt.Fprintln(a.stderr, err)
				}
			}
			files, err := expand(args)
			say(err)
			for _, name := range files {
				say(a.validate(cmd.Root(), name))
			}
			if len(wrong) > 0 {
				return exit(reports.ExitUsage, nil)
			}
			return nil
		},
	}
}

// validate checks one file of any kind and prints that it is sound.
func (a *app) validate(root *cobra.Command, name string) error {
	src, err := os.ReadFile(name)
	if err != nil {
		return a.validateScenario(name) // of the library; or it is said that there is none
	}
	switch kindOf(src) {
	case "workload":
		return a.validateWorkload(name)
	case "target":
		_, err = a.parseTarget(name, src)
	case "permit":
		_, err = scenarios.ParsePermit(name, src, a.lookup)
	case "config":
		_, err = a.parseSettings(root, name, src)
	default:
		return a.validateScenario(name)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s ok\n", name)
	return nil
}

// validateScenario checks one scenario against its target and prints that it is
// sound, after what is probably not meant.
func (a *app) validateScenario(name string) error {
	sc, err := a.readToPlan(name, planFlags{})
	if err != nil {
		return err
	}
	p, err := a.buildPlan(sc, planFlags{})
	if err != nil {
		return err
	}
	if len(p.Warnings) > 0 {
		doubts := scenarios.Problems{File: sc.File, Source: sc.Source, List: p.Warnings}
		if err := doubts.Format(a.stderr); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stdout, "%s ok\n", name)
	return nil
}

// expand puts the files of some kinds that lie in a directory in its place, of
// all kinds if none is named. Files are found also where there is an error, which
// says what is wrong with other names.
func expand(names []string, kinds ...string) ([]string, error) {
	var files []string
	var errs []error
	for _, name := range names {
		info, err := os.Stat(name)
		_, shipped := library.Open(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() || shipped {
			files = append(files, name)
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("look for files: %w", err))
			continue
		}
		found, err := filesIn(name, kinds...)
		files, errs = append(files, found...), append(errs, err)
	}
	return files, errors.Join(errs...)
}

// scenariosIn lists the scenario files of a directory in alphabetical order.
func scenariosIn(dir string) ([]string, error) { return filesIn(dir, "scenario") }

// filesIn lists the files of some kinds that lie in a directory in alphabetical
// order, those of all kinds if none is named. There has to be one.
func filesIn(dir string, kinds ...string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for files: %w", err)
	}
	var files []string
	var errs []error
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if e.IsDir() || !isFile(file) {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("look for files: %w", err))
			continue
		}
		if kind := kindOf(src); slices.Contains(kinds, kind) || len(kinds) == 0 && kind != "" {
			files = append(files, file)
		}
	}
	if len(files) == 0 && len(errs) == 0 {
		if len(kinds) == 0 {
			return nil, fmt.Errorf("nothing to check in %s: a file of proofload is a .yaml file that begins with proofload: KIND/v1", dir)
		}
		return nil, fmt.Errorf("no %s in %s: a %[1]s is a .yaml file that begins with proofload: %[1]s/v1", kinds[0], dir)
	}
	return files, errors.Join(errs...)
}
