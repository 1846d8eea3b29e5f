package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proofload/proofload/scenarios"
)

// speakPlainly lets every command say what it takes where it is called with other
// arguments. One that only has commands of its own refuses what is none of them,
// and by itself shows its help.
func speakPlainly(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		switch {
		case c == root: // cobra itself knows which was meant
		case c.HasSubCommands():
			var names []string
			for _, sub := range c.Commands() {
				names = append(names, sub.Name())
			}
			c.Args = oneOfWords(names)
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			c.DisableFlagsInUseLine = true
		case c.Args != nil:
			c.Args = plainly(c.Args)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// plainly replaces what cobra says of a wrong number of arguments.
func plainly(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		_, takes, some := strings.Cut(cmd.Use, " ")
		got := "nothing"
		if len(args) > 0 {
			got = strings.Join(args, " ")
		}
		switch text := err.Error(); {
		case strings.HasPrefix(text, "unknown command"):
			return fmt.Errorf("%s takes no arguments: leave %q out", cmd.CommandPath(), got)
		case some && (strings.HasPrefix(text, "accepts ") || strings.HasPrefix(text, "requires ")):
			return fmt.Errorf("%s takes %s, and was given %s: %[1]s --help says more", cmd.CommandPath(), takes, got)
		}
		return err
	}
}

// refusedValue says what a flag takes, of a value that it does not.
func refusedValue(f *pflag.Flag, value string) error {
	wants := map[string]string{
		"uint64": "a whole number, 0 or more", "int": "a whole number", "float64": "a number",
		"bool": "true or false", "duration": "a time, for example 30s or 1m30s",
	}
	want, ok := wants[f.Value.Type()]
	if !ok {
		want = "another value"
	}
	return fmt.Errorf("--%s %q: want %s", f.Name, value, want)
}

// oneOf says which values a flag has, of one that it has not.
func oneOf(flag, value string, allowed []string) error {
	near := ""
	if c := scenarios.Closest(value, allowed); c != "" {
		near = fmt.Sprintf(": did you mean %q?", c)
	}
	return fmt.Errorf("--%s %q: want one of %q%s", flag, value, allowed, near)
}
