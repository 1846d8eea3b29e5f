package probe

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

const exposition = `# HELP ledger_http_requests_total Requests by route and status code.
# TYPE ledger_http_requests_total counter
ledger_http_requests_total{method="GET",route="/v2/{id}",status="200"} 40
ledger_http_requests_total{method="PUT",route="a \"}\" b",status="201"} 2 1700000000
ledger_http_requests_in_flight 3
go_gc_duration_seconds{quantile="1"} NaN
ledger_other_total +Inf
`

// TestCounters probes an instance that says what it counts, then fails.
func TestCounters(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if asked <= 2 {
			_, _ = io.WriteString(w, exposition)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	var file bytes.Buffer
	rec, err := history.NewRecorder(&file)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Tap(func(e *history.Event) {
		if e.Kind == history.Fail {
			stop()
		}
	})()
	Run(ctx, []Target{{Node: "api-1", Op: history.ProbeCounter, URL: server.URL, Counters: map[string]string{
		history.CounterRequests: "ledger_http_requests_total", history.CounterInFlight: "ledger_http_requests_in_flight", "none": "no_such_total",
	}}}, Pace{Calm: time.Millisecond}, rec)
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	var got []history.Event
	for e, err := range history.Read(&file) {
		if err != nil {
			t.Fatal(err)
		}
		e.At = 0
		got = append(got, *e)
	}
	seen := func(name string, v int64) history.Event {
		return history.Event{Kind: history.Info, By: history.ByProbe, Op: history.ProbeCounter, Node: "api-1", Target: name, Value: v}
	}
	want := []history.Event{
		seen(history.CounterInFlight, 3), seen(history.CounterRequests, 42),
		seen(history.CounterInFlight, 3), seen(history.CounterRequests, 42), // it is a number, so it says the same again
		{Kind: history.Fail, By: history.ByProbe, Op: history.ProbeCounter, Node: "api-1", Text: "ask for metrics: the answer is 503 Service Unavailable"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func FuzzMetrics(f *testing.F) {
	f.Add(exposition)
	f.Add("a{b=\"c\"\nd\n{e} 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		sums, err := sumMetrics(strings.NewReader(text))
		for name := range sums {
			if name == "" || strings.ContainsAny(name, "{ #") && name[0] == '#' {
				t.Errorf("metric %q of %q, %v", name, text, err)
			}
		}
	})
}

// TestSumMetricsByLabel says that what has a label in common is added up too.
func TestSumMetricsByLabel(t *testing.T) {
	got, err := sumMetrics(strings.NewReader(`# HELP gets Copies.
gets{kind="a,b",result="hit"} 3
gets{kind="c",result="hit",} 4
gets{kind="c",result="miss"} 5
plain 7
broken{result="hit" 1
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"gets": 12, `gets{result="hit"}`: 7, `gets{result="miss"}`: 5, `gets{kind="c"}`: 9, `gets{kind="a,b"}`: 3, "plain": 7, "broken": 0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}
