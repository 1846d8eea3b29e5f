//go:build integration

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

const gatedDrill = `proofload: scenario/v1
name: sim-gated
target: sim/ledger
load:
  workload: ledger/mixed
  send_lag: 2s
  phases:
    - {name: steady, for: 18s, rate: 50/s}
    - {name: failover, for: 6s, rate: 50/s}
timeline:
  - {at: steady + 500ms, gate: Start the outage?, within: 17s}
  - at: failover + 1s
    kill: postgres.primary
    as: primary-lost
objectives:
  primary-lost: {lost_writes: 0}
verify: [acknowledged-writes]
`

// watching is the script of somebody who looks at the page: it notes what is
// new, and presses the button when asked.
const watching = `"use strict"
const seen = []
const note = text => { if (!seen.includes(text)) seen.push(text) }
const look = () => {
  for (const h of document.querySelectorAll("#state header")) note("state " + h.dataset.word)
  for (const r of document.querySelectorAll("#faults tbody tr")) note("fault " + r.querySelector("th").textContent + " " + r.querySelector("td").textContent)
  for (const t of document.querySelectorAll("#chart .wide text")) note("chart " + t.textContent)
  for (const t of document.querySelectorAll("#system .wide text")) note("system " + t.textContent)
  if ($("announcement").textContent) note("said " + $("announcement").textContent)
  for (const d of document.querySelectorAll(".tiles dt")) note("tile " + d.textContent)
  const yes = document.querySelector("#asked .yes")
  if (yes && !yes.disabled) { note("asked " + document.querySelector("#asked h2").textContent); yes.focus(); yes.click() }
  if (seen.includes("asked Start the outage?") && !$("asked").firstChild) note("answered")
  note("width " + (document.documentElement.scrollWidth <= innerWidth ? "fits" : document.documentElement.scrollWidth + " of " + innerWidth))
  if (document.body.dataset.ended === "yes" && !$("seen")) {
    note("report " + $("report").protocol)
    const pre = document.createElement("pre")
    pre.id = "seen"
    pre.textContent = seen.join("\n")
    document.body.append(pre)
    if (parent !== window) parent.postMessage(pre.textContent, "*")
  }
}
new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true})
look()
`

// phone shows a page in a window as narrow as that of a phone, and what its
// script has seen.
const phone = `<!DOCTYPE html><script>addEventListener("message", e => {
  const pre = document.createElement("pre")
  pre.id = "seen"
  pre.textContent = e.data
  document.body.append(pre)
})</script><iframe src="%s?framed" width="360" height="900"></iframe>`

// inserted serves a page as it is, with a script that looks at it; below
// phone.html as on a phone, for which it allows to be framed.
func inserted(t *testing.T, page string) string {
	t.Helper()
	target, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
			if r.In.Header.Get("Origin") != "" {
				r.Out.Header.Set("Origin", "http://"+target.Host)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				return nil
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				return err
			}
			text = bytes.Replace(text, []byte("</body>"), []byte(`<script src="watching.js" defer></script></body>`), 1)
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
			if resp.Request.URL.RawQuery == "framed" {
				resp.Header.Del("Content-Security-Policy")
			}
			resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/watching.js") {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = io.WriteString(w, watching)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/phone.html") {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, phone, target.Path)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + target.Path
}

// chromiumBinary finds the browser as fixtures/testtools.sh does.
func chromiumBinary(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	t.Fatal("no Chromium: fixtures/testtools.sh browser installs it")
	return ""
}

// browse opens a page until it has nothing more to load, and returns what it
// shows and what the console says.
func browse(t *testing.T, page string, args ...string) (dom string, console []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromiumBinary(t), append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars", "--enable-logging=stderr",
		"--user-data-dir=" + reportstest.BrowserProfile(t), "--virtual-time-budget=60000", "--dump-dom", page,
	}, args...)...)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, log.String())
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			console = append(console, strings.TrimSpace(line))
		}
	}
	return string(out), console
}

// TestBrowserFollowsARun has two browsers follow a run to its end, of which a
// gate is answered by whichever is first.
func TestBrowserFollowsARun(t *testing.T) {
	lines, code := start(t, gatedDrill, "--ui", "--progress", "plain")
	page := inserted(t, await(t, lines, "live page"))
	go func() {
		for lines.Scan() { // to the end, or the run would wait for its reader
		}
	}()
	narrow := make(chan string, 1)
	go func() {
		dom, _ := browse(t, page+"phone.html")
		narrow <- dom
	}()
	dom, console := browse(t, page, "--window-size=1440,1000")
	for _, line := range console {
		t.Error(line)
	}
	if c, out := code(); c != reports.ExitPass {
		t.Errorf("exit %d:\n%s", c, out)
	}
	for name, text := range map[string]string{"wide": dom, "narrow": <-narrow} {
		_, rest, _ := strings.Cut(text, `<pre id="seen">`)
		seen, _, ok := strings.Cut(rest, "</pre>")
		if !ok {
			t.Errorf("%s: the page did not come to its end:\n%s", name, text)
			continue
		}
		for _, want := range []string{
			"state RUNNING", "state PASS", "chart steady", "chart failover", "answered", "width fits", "report blob:",
			"fault kill postgres.primary planned", "fault kill postgres.primary in effect", "system zone a", "system pg-1", "system killed",
			"tile Offered", "tile Achieved", "tile Completed", "tile Shed", "said gate-1 passed by the live page",
		} {
			if !strings.Contains(seen+"\n", want+"\n") {
				t.Errorf("%s: nobody saw %q in:\n%s", name, want, seen)
			}
		}
		if strings.Count(seen, "width ") > 1 { // "fits", and others
			t.Errorf("%s: the page is wider than its window:\n%s", name, seen)
		}
	}
	if !strings.Contains(dom, "asked Start the outage?") {
		t.Error("the gate was not shown")
	}
}
