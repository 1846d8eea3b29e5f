//go:build integration

package main

import (
	"os/exec"
	"testing"
)

// TestToolsOfPages: scripts of pages leave out what a reader's machine has no tool
// for, which must not happen unseen where all tests run.
func TestToolsOfPages(t *testing.T) {
	for _, tool := range []string{"jq", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Errorf("%v: fixtures/testtools.sh browser installs it", err)
		}
	}
}
