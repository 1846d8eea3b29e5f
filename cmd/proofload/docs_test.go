package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proofload/proofload/scenarios"
)

// A block is a fenced block of a page.
type block struct{ language, text string }

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$") //nolint:gocritic // (?m): ^ begins a line

// pages reads the blocks of every page of the repository, by its path.
func pages(t *testing.T) map[string][]block {
	t.Helper()
	root := filepath.Join("..", "..")
	found := map[string][]block{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".proofload", "bin", "testdata", "node_modules"}, d.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // our own sources
		for _, m := range fence.FindAllSubmatch(text, -1) {
			found[path] = append(found[path], block{string(m[1]), string(m[2])})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// commandsOf lists the calls of proofload in a block, as arguments.
func commandsOf(b block) [][]string {
	if b.language != "" && b.language != "sh" {
		return nil
	}
	var calls [][]string
	for line := range strings.Lines(b.text) {
		line, _, _ = strings.Cut(line, " #")
		for call := range strings.SplitSeq(line, "&&") {
			if words := strings.Fields(call); len(words) > 1 && filepath.Base(words[0]) == "proofload" {
				calls = append(calls, words[1:])
			}
		}
	}
	return calls
}

// harmless are the commands that touch nothing but files below the working
// directory, and end by themselves.
func harmless(args []string) bool {
	if slices.ContainsFunc(args[1:], func(a string) bool { // what only the reader has
		return !strings.HasPrefix(a, "-") && (strings.ToUpper(a) == a || missing(a))
	}) {
		return false
	}
	return slices.Contains([]string{"init", "schema", "plan", "validate", "list", "version", "completion"}, args[0])
}

// missing reports whether an argument looks like a file, and is none.
func missing(arg string) bool {
	if ext := filepath.Ext(arg); ext != ".yaml" && ext != ".json" && ext != ".har" {
		return false
	}
	_, err := os.Stat(arg)
	return err != nil
}

// TestCommandsOfPages checks every command that a page shows: that there is such
// a command with such flags, and that it works where it needs no containers.
func TestCommandsOfPages(t *testing.T) {
	ran := 0
	for path, blocks := range pages(t) {
		t.Run(strings.TrimPrefix(path, "../../"), func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, b := range blocks {
				for _, args := range commandsOf(b) {
					checkCall(t, args)
					if !harmless(args) {
						continue
					}
					ran++
					var stderr bytes.Buffer
					a := quietApp()
					a.stderr = &stderr
					if code := a.main(t.Context(), args); code != 0 {
						t.Errorf("proofload %s: exit code %d: %s", strings.Join(args, " "), code, stderr.String())
					}
				}
			}
		})
	}
	if ran < 10 {
		t.Errorf("only %d commands were run: pages or patterns have changed", ran)
	}
}

// checkCall checks that there is such a command, and that it takes such flags.
func checkCall(t *testing.T, args []string) {
	t.Helper()
	root := quietApp().command()
	root.InitDefaultCompletionCmd()
	c, rest, err := root.Find(args)
	if err != nil || c == root {
		t.Errorf("proofload %s: no such command: %v", strings.Join(args, " "), err)
		return
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("proofload %s: %v", strings.Join(args, " "), err)
	}
}

// TestScenariosOfPages checks every whole scenario that a page shows.
func TestScenariosOfPages(t *testing.T) {
	checked := 0
	for path, blocks := range pages(t) {
		for _, b := range blocks {
			if kindOf([]byte(b.text)) != "scenario" {
				continue
			}
			checked++
			if _, err := scenarios.Parse(path, []byte(b.text), nil); err != nil {
				t.Error(err)
			}
		}
	}
	if checked == 0 {
		t.Error("no page shows a scenario")
	}
}
