//go:build integration

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestDrills runs drills against the real stack, one after another: they share
// the machine's cores.
func TestDrills(t *testing.T) {
	scripts, err := filepath.Glob("testdata/integration/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files:               []string{script},
				RequireExplicitExec: true,
				UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
				Cmds:                commands(),
				Setup: func(env *testscript.Env) error {
					for _, name := range []string{"PROOFLOAD_BIN", "DOCKER_HOST"} {
						env.Setenv(name, os.Getenv(name))
					}
					library, err := filepath.Abs("../../scenarios/library")
					env.Setenv("LIBRARY", library)
					return err
				},
			})
		})
	}
}
