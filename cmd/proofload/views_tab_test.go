//go:build integration

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// waitingDrill goes on until it is answered, so that a browser has the time that it
// takes to begin.
const waitingDrill = `proofload: scenario/v1
name: sim-short
target: sim/ledger
load:
  workload: ledger/mixed
  send_lag: 2s
  phases:
    - {name: steady, for: 2s, rate: 10/s}
timeline:
  - {at: steady + 500ms, gate: Is anybody there?, within: 2m}
verify: [acknowledged-writes]
`

// A tab is a page that stays open in a browser, as somebody leaves it.
type tab struct {
	t    *testing.T
	list string // URL that tells the titles of the browser's pages
	gone chan struct{}
}

// openTab opens a page. The browser ends with the test, and no sooner.
func openTab(t *testing.T, page string) *tab {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, chromiumBinary(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--remote-debugging-port=0", "--user-data-dir="+reportstest.BrowserProfile(t), page)
	log, err := cmd.StderrPipe()
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	b := &tab{t: t, gone: make(chan struct{})}
	t.Cleanup(func() { cancel(); <-b.gone })
	lines := bufio.NewScanner(log)
	_, address, _ := strings.Cut(await(t, lines, "DevTools listening on "), "//")
	host, _, _ := strings.Cut(address, "/")
	b.list = "http://" + host + "/json/list"
	go func() {
		defer close(b.gone)
		_, _ = io.Copy(io.Discard, log)
		_ = cmd.Wait() // it is killed in the end
	}()
	return b
}

// title is that of the page; empty if the browser has ended.
func (b *tab) title() string {
	resp, err := http.Get(b.list) //nolint:noctx // it is on this machine
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var pages []struct{ Type, Title string }
	if json.NewDecoder(resp.Body).Decode(&pages) != nil {
		return ""
	}
	for _, p := range pages {
		if p.Type == "page" {
			return p.Title
		}
	}
	return ""
}

// sees waits until the title has a prefix.
func (b *tab) sees(prefix string) {
	b.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for range 1200 {
		if last = b.title(); strings.HasPrefix(last, prefix) {
			return
		}
		<-tick.C
	}
	b.t.Fatalf("the page is called %q, want %s", last, prefix)
}

// pass answers a gate once it is open: a page may be there before it is.
func pass(t *testing.T, gate string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 1200 {
		resp, err := http.Post(gate, "", http.NoBody) //nolint:noctx,gosec // it is on this machine
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusConflict {
			return
		}
		<-tick.C
	}
	t.Fatal("the gate did not open")
}

// TestOpenTabHoldsNothingUp leaves the page of a run open in a browser: the run
// exits, and the page shows how it came out although nobody serves it any more.
func TestOpenTabHoldsNothingUp(t *testing.T) {
	lines, code := start(t, waitingDrill, "--ui", "--progress", "plain")
	page := await(t, lines, "live page")
	go func() {
		for lines.Scan() { // to the end, or the run would wait for its reader
		}
	}()
	b := openTab(t, page)
	b.sees("RUNNING sim-short")
	pass(t, page+"answer/gate-1/continue")
	verdict := "PASS"
	switch c, out := code(); c {
	case reports.ExitPass:
	case reports.ExitInconclusive: // the browser left the generator no processor
		verdict = "INCONCLUSIVE"
	default:
		t.Fatalf("exit %d:\n%s", c, out)
	}
	select {
	case <-b.gone:
		t.Fatal("the browser has ended before the run")
	default:
	}
	if resp, err := http.Get(page); err == nil { //nolint:noctx,gosec // it is that of the run, and is refused
		resp.Body.Close()
		t.Error("the page is still served")
	}
	b.sees(verdict + " sim-short")
}
