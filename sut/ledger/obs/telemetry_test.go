package obs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/proofload/proofload/sut/ledger/obs"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// A receiver is a trace collector.
type receiver struct {
	url string

	mu     sync.Mutex
	status int // of answers; 0 is 200
	spans  []*spans.Span
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	c := &receiver{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("collector got %s: %v", r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.status != 0 {
			w.WriteHeader(c.status)
			return
		}
		var req collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &req); err != nil {
			t.Error(err)
		}
		for _, rs := range req.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				c.spans = append(c.spans, ss.GetSpans()...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

// names returns the names of the spans in the order they ended.
func (c *receiver) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, s := range c.spans {
		names = append(names, s.GetName())
	}
	return names
}

func newTelemetry(t *testing.T, opts obs.TelemetryOptions) *obs.Telemetry {
	t.Helper()
	opts.Service, opts.Instance = "ledger-api", "api-1"
	tel, err := obs.NewTelemetry(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := tel.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return tel
}

// serve has the middleware serve a request with a handler below it.
func serve(tel *obs.Telemetry, r *http.Request, h http.HandlerFunc) {
	route := func(r *http.Request) string { return r.Header.Get("Route") }
	tel.Middleware(route)(h).ServeHTTP(httptest.NewRecorder(), r)
}

func request(method, route string) *http.Request {
	r := httptest.NewRequest(method, "/somewhere", http.NoBody) //nolint:noctx // needs no context
	r.Header.Set("Route", route)
	return r
}

func TestRequestMetrics(t *testing.T) {
	tel := newTelemetry(t, obs.TelemetryOptions{})
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	serve(tel, request("GET", "/v1/accounts/{id}"), func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	serve(tel, request("GET", "/v1/accounts/{id}"), status(404))
	serve(tel, request("PUT", "/v1/transfers/{id}"), status(503))
	serve(tel, request("BREW", ""), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints) // is not the answer yet
		w.WriteHeader(http.StatusTeapot)
	})
	func() {
		defer func() { _ = recover() }()
		serve(tel, request("GET", "/v1/accounts/{id}"), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}()
	want := []string{
		`ledger_http_requests_total{method="GET",route="/v1/accounts/{id}",status="200"} 1`,
		`ledger_http_requests_total{method="GET",route="/v1/accounts/{id}",status="404"} 1`,
		`ledger_http_requests_total{method="GET",route="/v1/accounts/{id}",status="aborted"} 1`,
		`ledger_http_requests_total{method="PUT",route="/v1/transfers/{id}",status="503"} 1`,
		`ledger_http_requests_total{method="other",route="unmatched",status="418"} 1`,
	}
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)) //nolint:noctx // needs no context
	var got []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "ledger_http_requests_total{") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	for _, series := range []string{
		`ledger_http_request_duration_seconds_count{method="GET",route="/v1/accounts/{id}"} 3`,
		"ledger_http_requests_in_flight 0", "go_goroutines ", "go_gc_heap_live_bytes ", "process_open_fds ",
	} {
		if !strings.Contains(w.Body.String(), "\n"+series) {
			t.Errorf("metrics lack %s", series)
		}
	}
}

// TestSpans follows a trace from a request through a message to its end.
func TestSpans(t *testing.T) {
	c := newReceiver(t)
	tel := newTelemetry(t, obs.TelemetryOptions{OTLPEndpoint: c.url})
	r := request("PUT", "/v1/transfers/{id}")
	r.Header.Set("Traceparent", traceparent)
	var message string
	serve(tel, r, func(w http.ResponseWriter, r *http.Request) {
		message = obs.Traceparent(r.Context())
		w.Header().Set(obs.CorrelationHeader, "corr-1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, span := tel.Tracer.Start(obs.WithTraceparent(t.Context(), message), "settle")
	span.End()
	if err := tel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"PUT /v1/transfers/{id}", "settle"}, c.names()); diff != "" {
		t.Fatalf("spans (-want +got):\n%s", diff)
	}
	served, settled := c.spans[0], c.spans[1]
	if !bytes.Equal(settled.GetTraceId(), served.GetTraceId()) || !bytes.Equal(settled.GetParentSpanId(), served.GetSpanId()) {
		t.Error("the second span is not below the first")
	}
	got := map[string]any{}
	for _, a := range served.GetAttributes() {
		got[a.GetKey()] = a.GetValue().GetStringValue()
		if n := a.GetValue().GetIntValue(); n != 0 {
			got[a.GetKey()] = n
		}
	}
	want := map[string]any{
		"http.request.method": "PUT", "http.route": "/v1/transfers/{id}", "url.path": "/somewhere",
		"http.response.status_code": int64(503), "http.response.body.size": "", "correlation_id": "corr-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if served.GetStatus().GetCode() != spans.Status_STATUS_CODE_ERROR {
		t.Errorf("status of a 503 = %s; want an error", served.GetStatus())
	}
}

// TestSampling has only those traces recorded that are to be.
func TestSampling(t *testing.T) {
	tests := []struct {
		name        string
		ratio       float64
		traceparent string
		recorded    bool
	}{
		{"none of ours", 0, "", false},
		{"all of ours", 1, "", true},
		{"the client's", 0, traceparent, true},
		{"the client does not want it", 1, traceparent[:len(traceparent)-1] + "0", false},
		{"not a trace", 0, "00-garbage", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newReceiver(t)
			tel := newTelemetry(t, obs.TelemetryOptions{OTLPEndpoint: c.url, SampleRatio: tt.ratio})
			r := request("GET", "/x")
			if tt.traceparent != "" {
				r.Header.Set("Traceparent", tt.traceparent)
			}
			serve(tel, r, func(_ http.ResponseWriter, r *http.Request) {
				_, span := tel.Tracer.Start(r.Context(), "below")
				span.End()
			})
			if err := tel.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := len(c.names()) == 2; got != tt.recorded {
				t.Errorf("spans %v; want recorded %t", c.names(), tt.recorded)
			}
		})
	}
}

// TestTracesOff checks that without a collector nothing is recorded, and the
// client's trace is passed on all the same.
func TestTracesOff(t *testing.T) {
	tel := newTelemetry(t, obs.TelemetryOptions{SampleRatio: 1})
	r := request("GET", "/x")
	r.Header.Set("Traceparent", traceparent)
	out := http.Header{}
	serve(tel, r, func(_ http.ResponseWriter, r *http.Request) {
		_, span := tel.Tracer.Start(r.Context(), "below")
		if span.IsRecording() {
			t.Error("a span is recorded")
		}
		obs.Inject(obs.WithCorrelation(r.Context(), "corr-1"), out)
	})
	want := http.Header{"Traceparent": {traceparent}, "X-Correlation-Id": {"corr-1"}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got := obs.Traceparent(t.Context()); got != "" {
		t.Errorf("Traceparent outside of a trace = %q", got)
	}
	for range 2 {
		if err := errors.Join(tel.Flush(t.Context()), tel.Shutdown(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// TestCollectorFails drops spans when the collector refuses them, says so once,
// and says when it is back.
func TestCollectorFails(t *testing.T) {
	c := newReceiver(t)
	c.status = http.StatusBadRequest
	var out bytes.Buffer
	tel := newTelemetry(t, obs.TelemetryOptions{
		OTLPEndpoint: c.url, SampleRatio: 1, Log: slog.New(slog.NewTextHandler(&out, nil)), FlushWait: time.Hour,
	})
	end := func() {
		t.Helper()
		_, span := tel.Tracer.Start(t.Context(), "a")
		span.End()
		if err := tel.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	end()
	end()
	c.mu.Lock()
	c.status = 0
	c.mu.Unlock()
	end()
	if failed, back := strings.Count(out.String(), "trace collector failed"), strings.Count(out.String(), "is back"); failed != 1 || back != 1 {
		t.Errorf("log %s; want one failure and one return", out.String())
	}
	text := exposition(t, tel.Registry)
	for _, series := range []string{
		`ledger_trace_spans_dropped_total{reason="export_failed"} 2`, `ledger_trace_spans_dropped_total{reason="queue_full"} 0`,
		"ledger_trace_spans_exported_total 1",
	} {
		if !strings.Contains(text, series+"\n") {
			t.Errorf("metrics lack %s", series)
		}
	}
}

// TestSpanQueueIsBounded ends more spans than may wait.
func TestSpanQueueIsBounded(t *testing.T) {
	c := newReceiver(t)
	tel := newTelemetry(t, obs.TelemetryOptions{OTLPEndpoint: c.url, SampleRatio: 1, SpanQueue: 3, FlushWait: time.Hour})
	c.mu.Lock() // the collector does not answer
	for range 10 {
		_, span := tel.Tracer.Start(t.Context(), "a")
		span.End()
	}
	c.mu.Unlock()
	if err := tel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(c.names()); n != 3 {
		t.Errorf("%d spans arrived; want 3", n)
	}
	if text := exposition(t, tel.Registry); !strings.Contains(text, `ledger_trace_spans_dropped_total{reason="queue_full"} 7`) {
		t.Error("the metrics do not say that 7 spans were dropped")
	}
}

func TestNewTelemetryRefuses(t *testing.T) {
	for name, opts := range map[string]obs.TelemetryOptions{
		"ratio above 1": {SampleRatio: 1.1},
		"ratio below 0": {SampleRatio: -0.1},
		"no scheme":     {OTLPEndpoint: "host:4318"},
		"no host":       {OTLPEndpoint: "http:///v1/traces"},
	} {
		if _, err := obs.NewTelemetry(t.Context(), opts); err == nil {
			t.Errorf("NewTelemetry with %s = nil; want an error", name)
		}
	}
}

func TestLoggerAddsTrace(t *testing.T) {
	var out bytes.Buffer
	log := obs.NewLogger(&out, slog.LevelInfo, "api-1")
	ctx := obs.WithTraceparent(t.Context(), traceparent)
	log.InfoContext(ctx, "sampled")
	log.Log(trace.ContextWithSpanContext(ctx, trace.SpanContext{}), obs.LevelCritical, "no trace")
	lines := strings.Split(out.String(), "\n")
	if !strings.Contains(lines[0], `"trace_id":"0af7651916cd43dd8448eb211c80319c"`) {
		t.Errorf("log line %s lacks the trace", lines[0])
	}
	if strings.Contains(lines[1], "trace_id") || !strings.Contains(lines[1], `"critical":true`) {
		t.Errorf("log line %s; want no trace, critical", lines[1])
	}
}
