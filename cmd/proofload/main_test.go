package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proofload/proofload/reports/reportstest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"proofload": func() { os.Exit(mainCode()) },
		"shop":      func() { os.Exit(shop()) },
	})
}

// TestScripts runs the command as its users do: see testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds:                commands(),
	})
}

// commands are what scripts can do beside the commands of testscript.
func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"build":       build,
		"capture":     capture,
		"exits":       exits,
		"fetch":       fetch,
		"freeport":    freePort,
		"goinstall":   goInstall,
		"nowhere":     nowhere,
		"openmetrics": openMetrics,
		"readenv":     readEnv,
		"recorded":    recorded,
		"shown":       asShown,
		"waitfor":     waitFor,
	}
}

// recorded copies a recorded run: recorded NAME DIRECTORY.
func recorded(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: recorded NAME DIRECTORY")
	}
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), reportstest.Run(args[0])))
}

// exits runs a command and asserts its exit code: exits CODE COMMAND [ARG...].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = codeOf(err)
	}
	if code != args[0] {
		ts.Fatalf("%v exited with %s, want %s", args[1:], code, args[0])
	}
}

// codeOf returns the exit code that an error of a command carries.
func codeOf(err error) string {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return strconv.Itoa(e.ExitCode())
	}
	return err.Error()
}

// waitFor waits until a file has a match of a regular expression: waitfor FILE
// REGEXP.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP")
	}
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(3 * time.Minute)
	defer deadline.Stop()
	for {
		if data, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && want.Match(data) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			ts.Fatalf("there is still no %s in %s", args[1], args[0])
		}
	}
}
