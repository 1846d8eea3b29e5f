package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
)

// planted is a secret with everything in it that anything escapes.
const planted = `s3cret/pl ant+ed&"<x>'`

const tellingDrill = `proofload: scenario/v1
name: telling
target: gossip.yaml
load:
  workload: orders.yaml
  send_lag: 2s
  phases:
    - {name: steady, for: 2s, rate: 40/s}
timeline:
  - {at: steady + 100ms, partition: "zone:b", for: 500ms}
  - {at: steady + 300ms, gate: "Go on?", within: 1m}
  - {at: steady + 400ms, http: POST /orders, with: {headers: {X-Api-Key: "Key ${secret:TOKEN}"}}}
objectives:
  steady: {errors: 0%, p99: 10s}
verify: [acknowledged-writes]
abort: {errors: 100%, for: 1m}
`

// tellingTarget has the secret by another name, in a header, and in the environment
// of commands that repeat it.
const tellingTarget = `proofload: target/v1
name: gossip
class: sandbox
base: ${TARGET}
secrets: {TOKEN: {env: PLANTED}}
health: {get: /orders, status: 405, headers: {X-Api-Key: "${secret:TOKEN}"}}
allow: {faults: [partition, kill, http], on: ["zone:b", db]}
components:
  zone:b:
    partition:
      inject: {exec: 'echo "$TOKEN" >&2; : >isolated'}
      heal: {exec: 'echo "$TOKEN"; rm -f isolated'}
      look: {exec: 'echo "it is $TOKEN"; [ -e isolated ]'}
  db:
    kill: {inject: {exec: 'echo "no way with $TOKEN"; exit 1'}, heal: {exec: 'echo "nor with $TOKEN"; exit 1'}}
`

const tellingOrders = `proofload: workload/v1
name: orders
headers: {X-Api-Key: "${secret:PLANTED}"}
requests:
  - name: order
    weight: 4
    post: /orders
    query: {key: "${secret:PLANTED}"}
    json: {note: "${secret:PLANTED}"}
    expect: {status: 201}
    ack: {key: $.id, lookup: {get: "/orders/${key}", within: 100ms}}
  - name: broken
    get: "/broken/${secret:PLANTED}"
    expect: {status: 200}
  - name: redirected
    get: "/redirected/${secret:PLANTED}"
    expect: {status: 200, json: {$.said: never}}
`

// gossip is a system that repeats what it was sent in whatever it answers, and
// loses all of it.
func gossip() http.Handler {
	var made atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": fmt.Sprintf("%d-%s", made.Add(1), r.Header.Get("X-Api-Key"))})
	})
	mux.HandleFunc("GET /broken/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("GET /redirected/", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"said": r.Header.Get("X-Api-Key")})
	})
	return mux
}

// sinks keep what went to each.
type sinks struct {
	mu   sync.Mutex
	text map[string][]byte
}

func (s *sinks) add(name string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text[name] = append(s.text[name], text...)
}

// fetch adds the answer to a request.
func (s *sinks) fetch(t *testing.T, name, method, address string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil && name != "events" { // these may be cut off at the end
		t.Errorf("%s: %v", name, err)
	}
	s.add(name, body)
}

// collect is a collector of OpenTelemetry.
func (s *sinks) collect(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	text, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.add("otlp "+r.URL.Path, text)
}

// addFiles adds all files below a directory, compressed ones as they are read.
func (s *sinks) addFiles(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // made by this test
		if err == nil && filepath.Ext(path) == ".zst" {
			text, err = plain(text)
		}
		s.add("file "+filepath.Base(path), text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// forms are how something may be written.
func forms(value string) []string {
	quoted, _ := json.Marshal(value) //nolint:errchkjson // a string can always be
	return []string{
		value, url.QueryEscape(value), url.PathEscape(value), (&url.URL{Path: value}).EscapedPath(),
		strings.ToLower(url.QueryEscape(value)), url.UserPassword("", value).String()[1:],
		html.EscapeString(value), strings.Trim(string(quoted), `"`), fmt.Sprintf("%q", value), "s3cret",
	}
}

// TestSecretsAreInNoSink runs against a system that repeats a secret everywhere,
// with everything open that shows a run, and then tells of the run in every way.
func TestSecretsAreInNoSink(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PLANTED", planted) // for guards
	system := httptest.NewServer(gossip())
	defer system.Close()
	all := &sinks{text: map[string][]byte{}}
	collector := httptest.NewServer(http.HandlerFunc(all.collect))
	defer collector.Close()
	for name, text := range map[string]string{"drill.yaml": tellingDrill, "orders.yaml": tellingOrders, "gossip.yaml": tellingTarget} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"PLANTED": planted, "TARGET": system.URL, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "step.md"}[name]
		return v, ok
	}
	from, to := io.Pipe()
	var out bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		a := &app{stdout: &out, stderr: to, lookup: lookup, width: func() int { return 0 }, hurry: make(chan struct{})}
		ended <- a.main(context.WithoutCancel(t.Context()), []string{
			"run", "drill.yaml", "--seed", "7", "--ui", "--metrics=0", "--otlp=" + collector.URL, "--progress", "plain",
		})
		to.Close()
	}()
	all.watch(t, bufio.NewScanner(from))
	if code := <-ended; code != reports.ExitFail {
		t.Errorf("exit %d, want %d:\n%s", code, reports.ExitFail, out.String())
	}
	all.add("stdout", out.Bytes())
	tellAgain(t, all, lookup)
	all.addFiles(t, ".")
	for _, want := range []string{
		"page", "script", "events", "answer", "metrics", "otlp /v1/metrics", "otlp /v1/traces", "stderr", "stdout", "explain", "file step.md", "file audit.ndjson",
		"file history.ndjson.zst", "file junit.xml", "file summary.md", "file report.html", "file result.json", "file metrics.txt",
	} {
		if len(all.text[want]) == 0 {
			t.Errorf("nothing went to %q", want)
		}
	}
	for name, text := range all.text {
		for _, form := range forms(planted) {
			if bytes.Contains(text, []byte(form)) {
				i := bytes.Index(text, []byte(form))
				t.Errorf("%s holds %q: …%q", name, form, text[max(0, i-80):min(len(text), i+80)])
				break
			}
		}
	}
	for _, name := range []string{"file history.ndjson.zst", "workload", "file audit.ndjson", "inject"} {
		if !bytes.Contains(all.text[name], []byte(hidden)) {
			t.Errorf("%s: no secret came so far: %q", name, all.text[name][:min(len(all.text[name]), 600)])
		}
	}
}

// watch looks at everything that shows the run while it goes on, and passes its
// gate.
func (s *sinks) watch(t *testing.T, lines *bufio.Scanner) {
	t.Helper()
	var watching sync.WaitGroup
	defer watching.Wait()
	page, metrics := "", ""
	for lines.Scan() {
		line := lines.Text()
		s.add("stderr", []byte(line+"\n"))
		if _, address, ok := strings.Cut(line, "live page  "); ok {
			page = address
			watching.Go(func() { s.fetch(t, "events", http.MethodGet, page+"events") })
		}
		if _, address, ok := strings.Cut(line, "metrics  "); ok {
			metrics = address
		}
		if strings.Contains(line, "gate-1: Go on?") {
			s.fetch(t, "page", http.MethodGet, page)
			s.fetch(t, "script", http.MethodGet, page+"live.js")
			s.fetch(t, "metrics", http.MethodGet, metrics)
			s.fetch(t, "answer", http.MethodPost, page+"answer/gate-1/continue")
			s.fetch(t, "answer", http.MethodPost, page+"answer/gate-1/continue")
		}
	}
}

// tellAgain tells of the run that is over in every other way, and fails in some.
func tellAgain(t *testing.T, all *sinks, lookup func(string) (string, bool)) {
	t.Helper()
	unreachable := strings.Replace(tellingOrders, "requests:", `base: "http://127.0.0.1:1/${secret:PLANTED}"`+"\nrequests:", 1)
	wrong := strings.Replace(tellingOrders, "status: 201", `status: "${secret:PLANTED}"`, 1)
	for name, text := range map[string]string{"unreachable.yaml": unreachable, "wrong.yaml": wrong} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range []string{
		"validate gossip.yaml", "list targets", "inject partition zone:b --target gossip.yaml --for 4s", "inject kill db --target gossip.yaml --for 1s", "heal",
		"check latest", "explain latest", "report latest", "report latest --format markdown", "report latest --format junit", "list runs", "list runs --json",
		"schema --install", "plan drill.yaml", "plan drill.yaml --json", "plan drill.yaml --show-origin", "validate orders.yaml wrong.yaml",
		"workload try orders.yaml --base " + lookupOr(lookup, "TARGET"), "workload try unreachable.yaml", "audit",
	} {
		var out bytes.Buffer
		for range 600 { // the guard of the run may hold the target for a moment after it
			out.Reset()
			a := &app{stdout: &out, stderr: &out, lookup: lookup, width: func() int { return 40 }, hurry: make(chan struct{})}
			a.main(t.Context(), strings.Fields(call))
			held := strings.HasPrefix(call, "inject partition") && bytes.Contains(out.Bytes(), []byte(errInUse.Error()))
			if !held || !passed(t.Context(), 100*time.Millisecond) {
				break
			}
		}
		all.add(strings.Fields(call)[0], out.Bytes())
	}
	a := quietApp()
	a.secrets.add(planted)
	a.audited("run", "target")("inject", chaos.Undo{Kind: "kill", Target: "app"}, "it says "+planted)
}

// passed reports whether a time passes before ctx is done.
func passed(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func lookupOr(lookup func(string) (string, bool), name string) string {
	value, _ := lookup(name)
	return value
}
