package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
)

const (
	settingsFile   = "proofload.yaml" // in the working directory
	settingsPrefix = "PROOFLOAD_"     // of a variable that stands for a flag
)

// colors are the values of --color.
var colors = []string{"auto", "always", "never"} //nolint:gochecknoglobals // a constant that the language has no form for

// A setting is the value of a flag that stands in the file of settings.
type setting struct {
	values []string
	place  string
}

// registerSettings lets every flag of every command be given in a file or in the
// environment as well: file < environment < flag.
func (a *app) registerSettings(root *cobra.Command) {
	root.PersistentFlags().StringVar(&a.settings, "config", "", "file with settings for flags (default: "+settingsFile+", if it is there)")
	root.PersistentFlags().BoolVar(&a.origins.shown, "show-origin", false, "say of every setting where it comes from, and of all that a plan is made of")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if strings.HasPrefix(cmd.Name(), "__") || cmd.Name() == "completion" || cmd.Parent() != nil && cmd.Parent().Name() == "completion" {
			return nil // a broken file must not break the shell
		}
		if err := a.applySettings(cmd); err != nil {
			return exit(reports.ExitUsage, err)
		}
		if !slices.Contains(colors, a.color) {
			return exit(reports.ExitUsage, oneOf("color", a.color, colors))
		}
		return nil
	}
}

// applySettings sets the flags of a command that the command line does not.
func (a *app) applySettings(cmd *cobra.Command) error {
	given, err := a.readSettings(cmd.Root())
	if err != nil {
		return err
	}
	origins := map[string]string{"config": a.settingsOrigin(cmd)}
	a.origins.flags = origins
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		variable := variableOf(f.Name)
		value, ok := a.lookup(variable)
		switch s, inFile := given[f.Name]; {
		case !settable(f.Name):
		case f.Changed:
			origins[f.Name] = originFlag
		case ok && value != "":
			origins[f.Name] = "environment " + variable
			errs = append(errs, assign(cmd, f, origins[f.Name], value))
		case inFile:
			origins[f.Name] = "file " + s.place
			if _, list := f.Value.(pflag.SliceValue); len(s.values) > 1 && !list {
				errs = append(errs, fmt.Errorf("%s: --%s takes one value, and was given %q", origins[f.Name], f.Name, s.values))
				return
			}
			errs = append(errs, assign(cmd, f, origins[f.Name], s.values...))
		default:
			origins[f.Name] = originDefault
		}
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if a.origins.shown {
		return a.printOrigins(cmd)
	}
	return nil
}

// settable reports whether a flag may be given elsewhere than on the command
// line: not what says where to look, and not what confirms something.
func settable(flag string) bool {
	return !slices.Contains([]string{"config", "show-origin", "help", "version", "i-mean", "output"}, flag)
}

// variableOf is the variable of the environment that stands for a flag.
func variableOf(flag string) string {
	return settingsPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func assign(cmd *cobra.Command, f *pflag.Flag, origin string, values ...string) error {
	for _, v := range values {
		if err := cmd.Flags().Set(f.Name, v); err != nil {
			return fmt.Errorf("%s: %w", origin, refusedValue(f, v))
		}
	}
	return nil
}

// readSettings reads the file of settings, if there is one. It may have any flag
// of any command.
func (a *app) readSettings(root *cobra.Command) (map[string]setting, error) {
	file, optional := a.settingsPath()
	src, err := os.ReadFile(file)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return a.parseSettings(root, file, src)
}

// parseSettings reads what a file of settings says.
func (a *app) parseSettings(root *cobra.Command, file string, src []byte) (map[string]setting, error) {
	r, n, err := scenarios.Open("config", file, src, a.lookup)
	if err != nil {
		return nil, err
	}
	given := map[string]setting{}
	fields := []scenarios.Field{{Key: "proofload", Need: true, Set: func(_, _ *scenarios.Node) {}}}
	for _, flag := range flagNames(root) {
		fields = append(fields, scenarios.Field{Key: flag, Set: func(_, v *scenarios.Node) {
			s := setting{place: fmt.Sprintf("%s:%d:%d", file, v.Pos().Line, v.Pos().Col)}
			each := func(v *scenarios.Node) {
				if text, ok := r.Scalar(v, flag); ok {
					s.values = append(s.values, text)
				}
			}
			if v.IsList() {
				r.List(v, flag, each)
			} else {
				each(v)
			}
			given[flag] = s
		}})
	}
	r.Mapping(n, "settings", fields)
	return given, r.Err()
}

// flagNames lists the flags of all commands that may be given elsewhere.
func flagNames(root *cobra.Command) []string {
	var names []string
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		note := func(f *pflag.Flag) {
			if settable(f.Name) && !f.Hidden {
				names = append(names, f.Name)
			}
		}
		c.LocalFlags().VisitAll(note)
		c.PersistentFlags().VisitAll(note)
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	slices.Sort(names)
	return slices.Compact(names)
}

// settingsOrigin says who named the file of settings.
func (a *app) settingsOrigin(cmd *cobra.Command) string {
	variable := variableOf("config")
	named, _ := a.lookup(variable)
	switch {
	case cmd.Flags().Changed("config"):
		return originFlag
	case named != "":
		return "environment " + variable
	}
	return originDefault
}

// settingsPath is the file of settings that is read, and whether it need not be
// there.
func (a *app) settingsPath() (file string, optional bool) {
	if file = a.settings; file == "" {
		file, _ = a.lookup(variableOf("config"))
	}
	if file == "" {
		return settingsFile, true
	}
	return file, false
}

// printOrigins says of every flag what it is and where that comes from. What
// confirms something, and can be given nowhere else, is a flag or not there.
func (a *app) printOrigins(cmd *cobra.Command) error {
	var rows []originRow
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		from, ok := a.origins.flags[f.Name]
		value := f.Value.String()
		switch {
		case f.Name == "config":
			value, _ = a.settingsPath()
		case ok:
		case f.Changed && f.Name != "show-origin":
			from = originFlag
		default:
			return
		}
		rows = append(rows, originRow{f.Name, value, from})
	})
	return writeOrigins(a.stderr, rows)
}

func orDash(s string) string {
	if s == "" || s == "[]" {
		return "-"
	}
	return s
}
