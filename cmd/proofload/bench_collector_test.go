//go:build integration

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/proofload/proofload/sut/stack"
)

const (
	maxExport   = 16 << 20        // bytes of one request with spans
	spansQuiet  = 3 * time.Second // after which no more spans come: processes send them once a second
	spansAtMost = 30 * time.Second
)

// A span is what the split of a request's time needs of one.
type span struct {
	id, parent  string
	kind        otlp.Span_SpanKind
	name        string
	correlation string // of the request, in the span of its handler
	system      string // of the store that is called: redis or postgresql
	statements  string // that are sent to PostgreSQL, with "; " between them
	hit         bool   // a copy was found in the cache
	begin, end  time.Duration
}

// A traceCollector takes traces over OTLP/HTTP, at an address which only the
// containers of this machine can reach.
type traceCollector struct {
	url string

	mu     sync.Mutex
	traces map[string][]span // by id of the trace; nil while nothing is kept
	last   time.Time         // when spans came
}

func startCollector(b *testing.B) *traceCollector {
	b.Helper()
	address, err := stack.HostAddress(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(b.Context(), "tcp4", net.JoinHostPort(address.String(), "0"))
	if err != nil {
		b.Fatal(err)
	}
	c := &traceCollector{url: "http://" + listener.Addr().String()}
	server := &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	b.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	return c
}

// ServeHTTP implements [http.Handler].
func (c *traceCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxExport))
	var request collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &request) != nil {
		http.Error(w, "not a request to export traces", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				if c.traces != nil {
					c.traces[string(s.GetTraceId())] = append(c.traces[string(s.GetTraceId())], newSpan(s))
				}
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func newSpan(s *otlp.Span) span {
	result := span{
		id: string(s.GetSpanId()), parent: string(s.GetParentSpanId()), kind: s.GetKind(), name: s.GetName(),
		begin: time.Duration(s.GetStartTimeUnixNano()), end: time.Duration(s.GetEndTimeUnixNano()), //nolint:gosec // before 2262
	}
	for _, a := range s.GetAttributes() {
		switch value := a.GetValue(); a.GetKey() {
		case "correlation_id":
			result.correlation = value.GetStringValue()
		case "db.system":
			result.system = value.GetStringValue()
		case "db.query.text":
			result.statements = value.GetStringValue()
		case "cache.hit":
			result.hit = value.GetBoolValue()
		}
	}
	return result
}

// keep begins to keep what comes.
func (c *traceCollector) keep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traces = map[string][]span{}
}

// take waits until no more spans come, and returns what was kept.
func (c *traceCollector) take(ctx context.Context) map[string][]span {
	ctx, cancel := context.WithTimeout(ctx, spansAtMost)
	defer cancel()
	tick := time.NewTicker(spansQuiet / 10)
	defer tick.Stop()
	for began := time.Now(); ; {
		c.mu.Lock()
		quiet := time.Since(c.last) > spansQuiet && time.Since(began) > spansQuiet
		c.mu.Unlock()
		if quiet {
			break
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		break
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.traces
	c.traces = nil
	return kept
}
