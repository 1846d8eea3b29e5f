//go:build integration && pages

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestPagesWithContainers does what readers of the pages do that need an engine:
// every command as it is written, but that runs are rehearsals of one phase
// against a stack that stays up from one to the next. What is looked for at random
// may be found or not, or the time may be too short for it.
func TestPagesWithContainers(t *testing.T) {
	for _, page := range []string{"scenarios/README.md", "README.md"} { // the latter takes everything down
		for _, script := range pageScripts(t, "env PROOFLOAD_ONLY=steady\nenv PROOFLOAD_STACK=warm\n"+explorable+"exits 0 proofload up\n", page) {
			shorten(t, script)
			t.Run(filepath.Base(script), func(t *testing.T) {
				testscript.Run(t, testscript.Params{
					Files: []string{script}, Cmds: commands(),
					Setup: func(env *testscript.Env) error {
						for _, name := range []string{"PROOFLOAD_BIN", "DOCKER_HOST"} {
							env.Setenv(name, os.Getenv(name))
						}
						return nil
					},
				})
			})
		}
	}
}

// explorable makes what is broken at random short, and the same each time.
const explorable = "env PROOFLOAD_SEED=7\nenv PROOFLOAD_FAULTS=pause\nenv PROOFLOAD_WITHIN=3s\nenv PROOFLOAD_SETTLE=8s\n"

// shorten makes what takes its time by a flag of its own short enough for a test.
func shorten(t *testing.T, script string) {
	t.Helper()
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	const other = "shown 0 proofload run primary-failover --option replication=async --repeat 1\n" // than the stack that is up
	short := strings.NewReplacer(
		other, "env PROOFLOAD_STACK=cold\n"+other+"env PROOFLOAD_STACK=warm\n",
		"shown 0 proofload explore --budget 30m", "shown 0|1|4 proofload explore --budget 40s",
		"inject pause app[1] --for 30s", "inject pause app[1] --for 3s",
	).Replace(string(text))
	if err := os.WriteFile(script, []byte(short), 0o600); err != nil {
		t.Fatal(err)
	}
}
