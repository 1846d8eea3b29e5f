package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios/schema"
)

const (
	schemaDir      = "schema" // where scenarios and workloads find theirs: ../schema
	editorSettings = ".vscode/settings.json"
)

func (a *app) schemaCommand() *cobra.Command {
	var install bool
	kinds := schema.Names()
	cmd := &cobra.Command{
		Use:   "schema [" + strings.Join(kinds, "|") + "]",
		Short: "Print the JSON Schema of a kind of file, or install all for editors",
		Long: `Print the JSON Schema (draft-07) of a kind of file, of scenarios unless told
otherwise. With --install all of them are written to ./schema, and if there are
no settings of VS Code yet, it is told which files they are for. Other editors
follow the first line of a file:

  # yaml-language-server: $schema=../schema/scenario.schema.json`,
		Args:      oneOfWords(kinds),
		ValidArgs: kinds,
		RunE: func(_ *cobra.Command, args []string) error {
			if install {
				if err := a.installSchemas(); err != nil {
					return exit(reports.ExitUsage, err)
				}
				return nil
			}
			kind := "scenario"
			if len(args) == 1 {
				kind = args[0]
			}
			text, ok := schema.Lookup(kind)
			if !ok {
				return exit(reports.ExitUsage, fmt.Errorf("no schema %q", kind))
			}
			_, err := fmt.Fprint(a.stdout, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&install, "install", false, "write all schemas to ./schema, and settings for VS Code where there are none")
	return cmd
}

// installSchemas writes the schemas, which are ours to replace, and the settings
// of the editor, which are not.
func (a *app) installSchemas() error {
	for _, kind := range schema.Names() {
		text, _ := schema.Lookup(kind)
		file := filepath.Join(schemaDir, schema.File(kind))
		if err := writeFile(file, []byte(text)); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, "wrote "+file)
	}
	settings, err := editorFor(schema.Names())
	if err != nil {
		return err
	}
	have, err := os.ReadFile(editorSettings)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = writeFile(editorSettings, settings)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, "wrote "+editorSettings)
	case err != nil:
		return fmt.Errorf("install schemas: %w", err)
	case !bytes.Contains(have, []byte(schema.File("scenario"))):
		fmt.Fprintf(a.stdout, "%s is there already: add to it\n%s", editorSettings, settings)
	}
	return nil
}

// editorFor says to VS Code which files the schemas are for.
func editorFor(kinds []string) ([]byte, error) {
	globs := map[string][]string{}
	for _, kind := range kinds {
		globs["./"+schemaDir+"/"+schema.File(kind)] = []string{kind + "s/*.yaml", "*." + kind + ".yaml"}
	}
	text, err := json.MarshalIndent(map[string]any{"yaml.schemas": globs}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("install schemas: %w", err)
	}
	return append(text, '\n'), nil
}

// writeFile writes a file, and the directory that it is in where that is
// missing.
func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// isNew reports whether none of the files is there.
func isNew(files ...string) error {
	for _, f := range slices.Sorted(slices.Values(files)) {
		if _, err := os.Stat(f); err == nil {
			return fmt.Errorf("%s is there already: nothing was written", f)
		}
	}
	return nil
}
