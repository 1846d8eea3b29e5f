package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proofload/proofload/reports/reportstest"
)

// capture sets a variable to what the group of a regular expression matches in a
// file, once it does: capture NAME FILE REGEXP.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: capture NAME FILE REGEXP")
	}
	waitFor(ts, false, args[1:])
	m := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(m) != 2 {
		ts.Fatalf("%s has %d groups, want one", args[2], len(m)-1)
	}
	ts.Setenv(args[0], m[1])
}

// fetch writes what is at a URL to a file: fetch URL FILE.
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: fetch URL FILE")
	}
	resp, err := http.Get(args[0]) //nolint:noctx // the script is the context
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("GET %s is answered with %s", args[0], resp.Status)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o600))
}

// freePort sets a variable to a port that nobody listens on: freeport NAME.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	ts.Check(err)
	defer l.Close()
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		ts.Setenv(args[0], strconv.Itoa(addr.Port))
	}
}

// goInstall builds a program of a module into bin/: goinstall PACKAGE@VERSION.
func goInstall(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: goinstall PACKAGE@VERSION")
	}
	cmd := exec.Command("go", "install", args[0]) //nolint:noctx // the script is the context
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "GOBIN="+ts.MkAbs("bin"), "GOFLAGS=-mod=mod", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("go install %s: %v: %s", args[0], err, out)
	}
}

// build builds another program of this repository into bin/: build NAME.
func build(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: build NAME")
	}
	cmd := exec.Command("go", "build", "-o", ts.MkAbs("bin")+"/", "../"+args[0]) //nolint:noctx // the script is the context
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("go build %s: %v: %s", args[0], err, out)
	}
}

// openMetrics reads a file, or what is answered at a URL, as OpenMetrics strictly,
// and asserts that families have samples: openmetrics FILE|URL [FAMILY...].
func openMetrics(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: openmetrics FILE|URL [FAMILY...]")
	}
	var text string
	if strings.HasPrefix(args[0], "http://") {
		resp, err := http.Get(args[0]) //nolint:noctx // the script is the context
		ts.Check(err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		ts.Check(err)
		if got := resp.Header.Get("Content-Type"); got != "application/openmetrics-text; version=1.0.0; charset=utf-8" {
			ts.Fatalf("GET %s is answered with %s, of type %q", args[0], resp.Status, got)
		}
		text = string(body)
	} else {
		text = ts.ReadFile(args[0])
	}
	found, err := reportstest.OpenMetrics(text)
	if err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	for _, family := range args[1:] {
		if found[family] == 0 {
			ts.Fatalf("%s has no sample of %s:\n%s", args[0], family, text)
		}
	}
}
