package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestLogsAreShown looks at the logs of a system while it runs: the newest lines
// of each node, without what colours them and without secrets, which are not in
// the files either.
func TestLogsAreShown(t *testing.T) {
	a := quietApp()
	var out bytes.Buffer
	a.stderr = &out
	a.secrets.add("s3cret-value")
	s := &session{app: a, dir: reports.Directory{Path: t.TempDir()}, plan: &planned{Plan: &plan.Plan{Scenario: &scenarios.Scenario{}, Target: "stack/ledger"}}}
	var err error
	if s.recorder, err = history.Create(s.dir.File(history.FileName)); err != nil {
		t.Fatal(err)
	}
	defer s.recorder.Close()
	s.showLogs(t.Context())
	if got := out.String(); !strings.Contains(got, "there are no logs to be had of stack/ledger") {
		t.Errorf("before it is up: %q", got)
	}
	out.Reset()
	s.system.Store(&system{env: chattyEnv{logs: map[string]string{
		"api-1": "one\ntwo\n\x1b[31mlogin with s3cret-value\x1b[0m\r\nfour\n\n",
		"pg-1":  "",
	}}})
	s.showLogs(t.Context())
	for _, want := range []string{"  api-1: login with [secret]\n", "  api-1: four\n", "  logs of 2 nodes as of now: " + s.dir.File(reports.DirLogs)} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
	if strings.Contains(out.String(), "two") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("more than the newest text is shown: %q", out.String())
	}
	if kept, err := os.ReadFile(filepath.Join(s.dir.File(reports.DirLogs), "api-1.log")); err != nil || bytes.Contains(kept, []byte("s3cret")) {
		t.Errorf("the file has %q, %v", kept, err)
	}
}
