package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports"
)

const watchedDrill = `proofload: scenario/v1
name: sim-watched
target: sim/ledger
load:
  workload: ledger/mixed
  send_lag: 2s
  phases:
    - {name: steady, for: 60s, rate: 50/s}
timeline:
  - at: steady + 200ms
    kill: postgres.primary
    as: primary-lost
verify: [acknowledged-writes]
`

// start runs the command in a directory of its own and returns its lines on
// stderr as they come, and what it ends with.
func start(t *testing.T, scenario string, args ...string) (lines *bufio.Scanner, code func() (int, string)) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("drill.yaml", []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	from, to := io.Pipe()
	var out bytes.Buffer
	ended := make(chan int, 1)
	a := &app{
		stdout: &out, stderr: to, lookup: func(string) (string, bool) { return "", false },
		width: func() int { return 0 }, hurry: make(chan struct{}),
	}
	go func() {
		ended <- a.main(context.WithoutCancel(t.Context()), append([]string{"run", "drill.yaml", "--seed", "7"}, args...))
		to.Close()
	}()
	return bufio.NewScanner(from), func() (int, string) { c := <-ended; return c, out.String() }
}

// await reads lines until one begins with a prefix, and returns the rest of it.
func await(t *testing.T, lines *bufio.Scanner, prefix string) string {
	t.Helper()
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("no %q before the end", prefix)
	return ""
}

// TestStopOnThePage stops a run as a browser does, which is as Ctrl-C is: what
// was broken is mended, and the report is written.
func TestStopOnThePage(t *testing.T) {
	lines, code := start(t, watchedDrill, "--ui", "--progress", "plain")
	url := await(t, lines, "live page")
	await(t, lines, "in effect")
	events, err := http.Get(url + "events") //nolint:noctx,bodyclose // it ends with the run, and is closed below
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	stop, err := http.Post(url+"stop", "", http.NoBody) //nolint:noctx // the same
	if err != nil {
		t.Fatal(err)
	}
	defer stop.Body.Close()
	go func() { _, _ = io.ReadAll(events.Body) }()
	for lines.Scan() { // to the end
	}
	if c, out := code(); c != reports.ExitInterrupted || !strings.Contains(out, "all healed") {
		t.Errorf("exit %d, want %d:\n%s", c, reports.ExitInterrupted, out)
	}
	if _, err := os.Stat(".proofload/runs/latest/report.html"); err != nil {
		t.Error(err)
	}
}
