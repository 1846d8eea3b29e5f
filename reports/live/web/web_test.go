package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/reportstest"
)

func spec() check.Spec {
	return check.Spec{
		Drills: 1,
		Phases: []check.Phase{
			{Name: "steady", For: 5 * time.Second, From: 10, To: 10, Score: true},
			{Name: "failover", Start: 5 * time.Second, For: 5 * time.Second, From: 10, To: 10, Score: true},
		},
		Events:     []check.Entry{{Name: "primary-lost", Verb: "kill", Target: "postgres.primary", Phase: "failover", At: 5 * time.Second}},
		Objectives: []check.Objective{{Subject: "steady", Metric: "p99", Op: "<=", Limit: 250}, {Subject: "primary-lost", Metric: "rto", Op: "<=", Limit: 20_000}},
	}
}

func about() reports.Result {
	return reports.Result{Run: "r1", Scenario: reports.Source{Name: "sim-failover"}, Target: "sim/ledger"}
}

// play is a short run with a primary that was killed a moment ago.
func play(f *Feed) {
	shape, _ := history.Topology{Nodes: []history.TopologyNode{{Name: "pg-1", Role: "postgres", Zone: "a"}}}.Event()
	f.Observe(&shape)
	f.Observe(&history.Event{At: 1, By: history.ByRun, Op: history.RunDrill, Drill: 1})
	for i := range 60 {
		sched := time.Duration(i) * 100 * time.Millisecond
		phase := "steady"
		if i >= 50 {
			phase = "failover"
		}
		f.Observe(&history.Event{
			At: sched + 5*time.Millisecond, By: history.ByLoad, Kind: history.OK, Op: "read-account", Drill: 1,
			Phase: phase, Sched: sched, Sent: sched + time.Millisecond,
		})
	}
	f.Observe(&history.Event{At: 5 * time.Second, By: history.ByFault, Op: history.FaultInject, ID: "primary-lost", Verb: "kill", Target: "pg-1", Drill: 1})
	f.Observe(&history.Event{At: 5100 * time.Millisecond, By: history.ByFault, Op: history.FaultSettled, ID: "primary-lost", Verb: "kill", Target: "pg-1", Drill: 1, Text: "exited"})
}

func atSix() time.Duration { return 6 * time.Second }

func open(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.WithoutCancel(t.Context())) })
	return s
}

func do(t *testing.T, method, url string, change func(*http.Request)) (code int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestPageShowsWhatIsKnown(t *testing.T) {
	s := open(t, Config{})
	f := NewFeed(about(), spec(), atSix)
	s.Begin(f)
	defer f.Close()
	play(f)
	f.Say("images are ready")
	code, page := do(t, http.MethodGet, s.URL(), nil)
	for _, want := range []string{"RUNNING", "Broken: kill postgres.primary", "0:05 of 0:10", "in effect", "kill pg-1", "zone a", "killed", "primary-lost rto", "ok so far", "aria-live"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page (status %d)", want, code)
		}
	}
	if strings.Contains(page, "may still be in place") {
		t.Error("a fault that is meant to be is called left behind")
	}
}

// TestPageIsOnlyForItsOwnBrowser tries what a foreign page could: to guess the
// address, to come by a name of its own, and to post across origins.
func TestPageIsOnlyForItsOwnBrowser(t *testing.T) {
	stopped := 0
	s := open(t, Config{Stop: func() { stopped++ }})
	_, port, _ := strings.Cut(s.host, ":")
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, tt := range []struct {
		name, method, path string
		change             func(*http.Request)
		code               int
	}{
		{"its own", http.MethodGet, "", nil, http.StatusOK},
		{"by the other name of this machine", http.MethodGet, "", func(r *http.Request) { r.Host = "localhost:" + port }, http.StatusOK},
		{"no token", http.MethodGet, "../", nil, http.StatusNotFound},
		{"another token", http.MethodGet, "../guess/", nil, http.StatusNotFound},
		{"DNS rebinding", http.MethodGet, "", func(r *http.Request) { r.Host = "evil.example:" + port }, http.StatusForbidden},
		{"a foreign origin", http.MethodPost, "stop", header("Origin", "http://evil.example"), http.StatusForbidden},
		{"another server of this machine", http.MethodPost, "stop", header("Origin", "http://127.0.0.1:1"), http.StatusForbidden},
		{"no origin", http.MethodPost, "stop", header("Origin", "null"), http.StatusForbidden},
		{"a foreign site", http.MethodPost, "stop", header("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		{"a link", http.MethodGet, "stop", nil, http.StatusMethodNotAllowed},
		{"nothing asked", http.MethodPost, "answer/x/continue", nil, http.StatusNotFound},
	} {
		if code, body := do(t, tt.method, strings.Replace(s.URL()+tt.path, s.token+"/../", "", 1), tt.change); code != tt.code {
			t.Errorf("%s: status %d, want %d: %s", tt.name, code, tt.code, body)
		}
	}
	if stopped != 0 {
		t.Fatalf("the run was stopped %d times by those who may not", stopped)
	}
	for range 2 {
		code, _ := do(t, http.MethodPost, s.URL()+"stop", header("Origin", "http://"+s.host))
		if code != http.StatusSeeOther {
			t.Errorf("stop: status %d", code)
		}
	}
	if stopped != 2 {
		t.Errorf("stopped %d times, want 2", stopped)
	}
}

// stream is an open connection of a browser.
type stream struct{ lines *bufio.Scanner }

func connect(t *testing.T, s *Server, last string) stream {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	return stream{lines}
}

// next reads an event: its id, its kind and the name of the part.
func (s stream) next(t *testing.T) (id, event, name string) {
	t.Helper()
	for s.lines.Scan() {
		key, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch key {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			var p html.Part
			if err := json.Unmarshal([]byte(value), &p); err != nil {
				t.Fatal(err)
			}
			return id, event, p.Name
		}
	}
	t.Fatalf("the stream is over: %v", s.lines.Err())
	return "", "", ""
}

func TestEventsBeginWithAllAndGoOnFromThere(t *testing.T) {
	s := open(t, Config{})
	s.board.put(eventPart, "state", "one")
	s.board.put(eventPart, "chart", "two")
	first, second := connect(t, s, ""), connect(t, s, "1")
	var got []string
	take := func(from stream) {
		id, event, name := from.next(t)
		got = append(got, id+" "+event+" "+name)
	}
	take(first)
	take(first)
	take(second)
	s.board.put(eventPart, "chart", "two") // nothing new
	s.board.put(eventPart, "state", "three")
	take(first)
	take(second)
	take(connect(t, s, "2"))
	take(connect(t, s, "77")) // of another time
	want := []string{"1 part state", "2 part chart", "2 part chart", "3 part state", "3 part state", "3 part state", "2 part chart"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestCloseWaitsForNobody closes while one browser reads and one does not.
func TestCloseWaitsForNobody(t *testing.T) {
	s := open(t, Config{})
	reads := connect(t, s, "")
	connect(t, s, "")
	for range 64 { // more than fits into the buffers of a connection
		s.board.put(eventPart, "state", strings.Repeat(time.Now().String(), 10_000))
	}
	f := NewFeed(about(), spec(), atSix)
	s.Begin(f)
	play(f)
	result := reportstest.Pass()
	if err := s.Finish(t.Context(), f, result, "runs/r1/report.html"); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close(t.Context()) }()
	seen := map[string]bool{}
	for event := ""; event != eventEnd; {
		var name string
		_, event, name = reads.next(t)
		seen[event+" "+name] = true
	}
	select {
	case <-closed:
	case <-time.After(time.Minute): // a farewell takes a second
		t.Fatal("who does not read holds the end up")
	}
	for _, want := range []string{"part state", "part ended", "report ", "end "} {
		if !seen[want] {
			t.Errorf("no %q before the end: %v", want, seen)
		}
	}
	if text := s.board.text("state"); !strings.Contains(text, "PASS") || !strings.Contains(text, "runs/r1/report.html") {
		t.Errorf("the last state is %s", text)
	}
	if _, err := http.Get(s.URL()); err == nil { //nolint:bodyclose,noctx // there is none
		t.Error("it still listens")
	}
}

// TestFeedNeverWaits gives more events than anybody takes.
func TestFeedNeverWaits(t *testing.T) {
	f := NewFeed(about(), spec(), atSix)
	for range queued + 7 {
		f.Observe(&history.Event{At: 1, By: history.ByLoad, Kind: history.OK, Op: "pay", Phase: "steady"})
	}
	if n := f.unseen.Load(); n != 7 {
		t.Errorf("%d events were let go, want 7", n)
	}
	var none *Server
	none.Begin(f)
	r := f.Result(t.Context())
	f.Close()
	if r == nil || f.Result(t.Context()) != nil {
		t.Errorf("result %v while it goes on, and one after it", r)
	}
}

// pass lets time pass.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// TestFeedDrawsForThoseWhoLook counts the drawings of four seconds.
func TestFeedDrawsForThoseWhoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var drawn atomic.Int32
		var looks atomic.Bool
		f := NewFeed(about(), spec(), func() time.Duration { return time.Since(began) })
		f.paint, f.watched = func(*html.Live) { drawn.Add(1) }, looks.Load
		go f.follow()
		pass(t, 4500*time.Millisecond)
		synctest.Wait()
		if n := drawn.Load(); n != 0 {
			t.Errorf("drawn %d times for nobody", n)
		}
		f.draw(context.Background())
		looks.Store(true)
		pass(t, 4*time.Second)
		synctest.Wait()
		if n := drawn.Load(); n != 5 {
			t.Errorf("drawn %d times in four seconds and on demand, want 5", n)
		}
		f.Observe(&history.Event{At: 1, By: history.ByFault, Op: history.FaultInject, ID: "x", Verb: "kill"})
		pass(t, soon)
		synctest.Wait()
		if n := drawn.Load(); n != 6 {
			t.Errorf("drawn %d times after a fault, want 6", n)
		}
		f.Close()
	})
}

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"": "127.0.0.1 0", "8080": "127.0.0.1 8080", ":8080": "127.0.0.1 8080", "localhost:1": "localhost 1", "[::1]:9": "::1 9",
	} {
		host, port, err := Address(address)
		if got := host + " " + port; err != nil || got != want {
			t.Errorf("Address(%q) = %s, %v, want %s", address, got, err, want)
		}
	}
	for _, address := range []string{"0.0.0.0:80", ":x", "host", "example.com:80", "99999", "[::]:1"} {
		if _, _, err := Address(address); err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("Address(%q): %v", address, err)
		}
	}
}

// TestMetricsOfARun reads a scrape as Prometheus does.
func TestMetricsOfARun(t *testing.T) {
	m, err := OpenMetrics("0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if code, _ := do(t, http.MethodGet, m.URL(), nil); code != http.StatusServiceUnavailable {
		t.Errorf("before the first run: status %d", code)
	}
	if code, _ := do(t, http.MethodGet, m.URL(), func(r *http.Request) { r.Host = "evil.example" }); code != http.StatusForbidden {
		t.Errorf("by another name: status %d", code)
	}
	f := NewFeed(about(), spec(), atSix)
	var none *Server
	none.Begin(f)
	m.Begin(f)
	play(f)
	during := scrape(t, m)
	if got := during["proofload_operations"]; got != 120 { // all of them, and by operation
		t.Errorf("proofload_operations during the run add up to %g, want 120", got)
	}
	if _, over := during["proofload_run_exit_code"]; over {
		t.Error("a run that goes on has an exit code")
	}
	if got := during["proofload_recovery_seconds"]; got != 0 {
		t.Errorf("recovery of %g s, and nothing recovered", got)
	}
	f.Close()
	m.Finish(reportstest.Pass())
	after := scrape(t, m)
	for name := range during {
		if _, ok := after[name]; !ok {
			t.Errorf("%s is there during the run, and not in the file after it", name)
		}
	}
	if after["proofload_generator_operations"] == 0 {
		t.Error("no numbers after the run")
	}
}

// scrape adds up the samples of each family.
func scrape(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	code, text := do(t, http.MethodGet, m.URL(), nil)
	if code != http.StatusOK || !strings.HasSuffix(text, "\n# EOF\n") {
		t.Fatalf("scrape: status %d\n%s", code, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	sums := map[string]float64{}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			sums[name] += metric.GetGauge().GetValue()
		}
	}
	return sums
}
