package obs

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

const (
	unmatched = "unmatched" // route of requests that have none
	other     = "other"     // what exceeds the fixed set of label values
	aborted   = "aborted"   // status of requests whose handler gave up the connection

	// maxSeries bounds the combinations of method, route and status. It is
	// far from what the routes of the service can make.
	maxSeries = 2000
)

// httpMetrics are the rate, the errors and the durations of requests.
type httpMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge

	mu     sync.RWMutex
	series map[seriesKey]series // found once: looking labels up costs more than counting
}

type seriesKey struct {
	method, route string
	status        int // 0 for aborted
}

type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

func newHTTPMetrics() *httpMetrics {
	return &httpMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ledger_http_requests_total", Help: "Requests by route and status code.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ledger_http_request_duration_seconds", Help: "Time until the handler of a request returned.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ledger_http_requests_in_flight", Help: "Requests being served.",
		}),
		series: map[seriesKey]series{},
	}
}

func (m *httpMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration, m.inFlight}
}

func (m *httpMetrics) observe(key seriesKey, took time.Duration) {
	m.mu.RLock()
	s, ok := m.series[key]
	m.mu.RUnlock()
	if !ok {
		s = m.add(key)
	}
	s.requests.Inc()
	s.duration.Observe(took.Seconds())
}

func (m *httpMetrics) add(key seriesKey) series {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.series) >= maxSeries {
		key.route = other
		if s, ok := m.series[key]; ok {
			return s
		}
	}
	status := aborted
	if key.status != 0 {
		status = strconv.Itoa(key.status)
	}
	s := series{
		requests: m.requests.WithLabelValues(key.method, key.route, status),
		duration: m.duration.WithLabelValues(key.method, key.route),
	}
	m.series[key] = s
	return s
}

// Middleware counts and times requests, and traces those that are to be
// recorded. The pattern of the route is asked for after the request was
// served, for routers know it only then; "" means that none matched.
func (t *Telemetry) Middleware(route func(*http.Request) string) func(http.Handler) http.Handler {
	kind := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			ctx := extract(r.Context(), r.Header)
			span := trace.Span(nil)
			if t.provider != nil {
				ctx, span = t.Tracer.Start(ctx, r.Method, kind...)
			}
			if traced(ctx) {
				r = r.WithContext(ctx)
			}
			answer := &answer{ResponseWriter: w, status: http.StatusOK}
			t.http.inFlight.Inc()
			returned := false
			defer func() {
				t.http.inFlight.Dec()
				key := seriesKey{method: methodLabel(r.Method), route: route(r)}
				if key.route == "" {
					key.route = unmatched
				}
				if returned {
					key.status = answer.status
				}
				t.http.observe(key, time.Since(began))
				if span != nil {
					describe(span, r, key, answer)
					span.End()
				}
			}()
			next.ServeHTTP(answer, r)
			returned = true
		})
	}
}

// describe tells a span what became of the request, in the terms of the
// semantic conventions of OpenTelemetry.
func describe(span trace.Span, r *http.Request, key seriesKey, a *answer) {
	if !span.IsRecording() {
		return
	}
	span.SetName(key.method + " " + key.route)
	span.SetAttributes(
		attribute.String("http.request.method", key.method),
		attribute.String("http.route", key.route),
		attribute.String("url.path", r.URL.Path),
		attribute.Int("http.response.body.size", a.bytes),
	)
	// The header is there wherever in the chain it was set.
	if id := a.Header().Get(CorrelationHeader); id != "" {
		span.SetAttributes(attribute.String(correlationKeyName, id))
	}
	if key.status == 0 {
		span.SetStatus(codes.Error, aborted)
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", key.status))
	if key.status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(key.status))
	}
}

// methodLabel keeps clients from making up label values.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return method
	}
	return other
}

// answer watches what a handler writes.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int
	begun  bool
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if !a.begun && status >= http.StatusOK {
		a.begun, a.status = true, status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	a.begun = true
	n, err := a.ResponseWriter.Write(p)
	a.bytes += n
	return n, err
}

// Flush implements [http.Flusher].
func (a *answer) Flush() {
	a.begun = true
	_ = http.NewResponseController(a.ResponseWriter).Flush() // as much as the writer below can do
}

// Unwrap serves [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
