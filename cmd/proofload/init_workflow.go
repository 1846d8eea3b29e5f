package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// workflowFile is where GitHub looks for what it is to do.
const workflowFile = ".github/workflows/proofload.yml"

// installWorkflow writes the workflow, which carries out all scenarios, those to
// come as well: one that is there stays as it is.
func (a *app) installWorkflow(target string) error {
	_, err := os.Stat(workflowFile)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write workflow: %w", err)
	}
	start := ""
	if isURL(target) {
		start = fmt.Sprintf(startSystem, target)
	}
	if err := writeFile(workflowFile, []byte(strings.ReplaceAll(firstWorkflow, "START", start))); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, "wrote "+workflowFile)
	return nil
}

// firstWorkflow begins by hand only: what breaks a build is the reader's choice.
const firstWorkflow = `# Carries out all scenarios of this repository. It begins by hand, on the page Actions;
# take pull_request in to let no change pass that makes the system slower or wrong.
name: proofload
on:
  workflow_dispatch:
  # pull_request:
permissions: {contents: read}

jobs:
  scenarios:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-go@v5
        with: {go-version: stable}
      - run: go install github.com/proofload/proofload/cmd/...@latest
        env: {CGO_ENABLED: "0"}
START      - run: proofload run scenarios/          # exit 1: slower or wrong; 4: could not tell
      - if: always()
        uses: actions/upload-artifact@v4
        with: {name: proofload, path: .proofload/runs/, include-hidden-files: true}
`

// startSystem is what comes before in the workflow of a system of one's own.
const startSystem = `      # Start the system so that it answers at %s, for example:
      # - run: docker compose up --detach --wait
`
