package obs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const (
	defaultSpanQueue  = 4096
	defaultSpanFlush  = time.Second
	maxSpanBatch      = 512
	exportTryTimeout  = 3 * time.Second
	exportTimeout     = 10 * time.Second // with repetitions
	scrapesAtOnce     = 2
	scrapeTimeout     = 5 * time.Second
	tracesPath        = "/v1/traces"
	instrumentingName = "github.com/proofload/proofload/sut/ledger"
)

// TelemetryOptions say what a process tells about itself.
type TelemetryOptions struct {
	Service      string  // for traces, such as "ledger-api"
	Instance     string  // for traces
	OTLPEndpoint string  // base URL of the trace collector, such as http://host:4318; "" for no traces
	SampleRatio  float64 // of the traces that begin here, 0 to 1

	SpanQueue int           // spans that may wait for the collector; 0 means 4096
	FlushWait time.Duration // how long a span may wait for others to go with; 0 means 1 s

	Log *slog.Logger // hears when the collector fails and when it is back; nil for nobody
}

// Telemetry is what a process tells about itself: metrics and traces.
type Telemetry struct {
	Registry *prometheus.Registry
	// Tracer begins spans. A span below one that is not recorded costs next to
	// nothing, for it is that same span; there are no new roots there.
	Tracer trace.Tracer

	http     *httpMetrics
	provider *sdktrace.TracerProvider // nil without traces
	abort    context.CancelFunc       // gives up what is being exported
	client   *http.Client
}

// CheckEndpoint reports whether a URL can be used as the endpoint of a
// collector or a webhook, in words that do not repeat it, for it may hold a
// secret.
func CheckEndpoint(rawURL string) error {
	u, err := url.Parse(rawURL)
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		err = errors.New("scheme or host is missing")
	}
	if err != nil {
		return fmt.Errorf("not a URL such as http://host:4318: %w", err)
	}
	return nil
}

// NewTelemetry returns the telemetry of a process. No connection is made yet,
// and a collector that cannot be reached is no error. Use [Telemetry.Shutdown]
// to end it.
func NewTelemetry(ctx context.Context, opts TelemetryOptions) (*Telemetry, error) {
	t := &Telemetry{
		Registry: prometheus.NewRegistry(),
		Tracer:   noop.NewTracerProvider().Tracer(instrumentingName),
		http:     newHTTPMetrics(),
	}
	if opts.SampleRatio < 0 || opts.SampleRatio > 1 {
		return nil, fmt.Errorf("sample ratio %v is not from 0 to 1", opts.SampleRatio)
	}
	if opts.OTLPEndpoint != "" {
		if err := t.openTraces(ctx, opts); err != nil {
			return nil, err
		}
	}
	for _, c := range append(t.http.collectors(),
		runtimeMetrics(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})) {
		if err := t.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return t, nil
}

// runtimeMetrics returns the usual metrics of the Go runtime and what the latest
// garbage collection found in use: of the heap's figures the one that tells a
// leak from garbage.
func runtimeMetrics() prometheus.Collector {
	return collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
		collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)}))
}

func (t *Telemetry) openTraces(ctx context.Context, opts TelemetryOptions) error {
	endpoint, err := tracesURL(opts.OTLPEndpoint)
	if err != nil {
		return fmt.Errorf("trace collector: %w", err)
	}
	t.client = &http.Client{Transport: ownTransport(), Timeout: exportTryTimeout}
	otlp, err := otlptrace.New(ctx, otlptracehttp.NewClient(
		otlptracehttp.WithEndpointURL(endpoint),
		otlptracehttp.WithHTTPClient(t.client),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: exportTimeout / 20, MaxInterval: exportTimeout / 2, MaxElapsedTime: exportTimeout,
		}),
	))
	if err != nil {
		return fmt.Errorf("open trace exporter: %w", err)
	}
	life, abort := context.WithCancel(context.WithoutCancel(ctx))
	t.abort = abort
	queue := newSpanQueue(opts)
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(opts.SampleRatio))),
		sdktrace.WithSpanProcessor(queue.processor(queue.exporter(life, otlp), opts.FlushWait)),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", opts.Service),
			attribute.String("service.instance.id", opts.Instance))),
	)
	t.Tracer = followingTracer{next: t.provider.Tracer(instrumentingName)}
	return t.Registry.Register(queue)
}

// ownTransport returns a transport whose connections are shared with nobody.
func ownTransport() *http.Transport {
	if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		return transport.Clone()
	}
	return &http.Transport{}
}

// tracesURL completes the base URL of a collector.
func tracesURL(base string) (string, error) {
	if err := CheckEndpoint(base); err != nil {
		return "", err
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", CheckEndpoint(base)
	}
	if !strings.HasSuffix(u.Path, tracesPath) {
		u.Path = path.Join("/", u.Path, tracesPath)
	}
	return u.String(), nil
}

// Handler serves the metrics.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTimeout,
	})
}

// Flush sends the spans that have ended so far.
func (t *Telemetry) Flush(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.ForceFlush(ctx); err != nil {
		return fmt.Errorf("flush traces: %w", err)
	}
	return nil
}

// Shutdown sends what waits, gives up when ctx is done, and ends the traces.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	defer t.client.CloseIdleConnections()
	defer t.abort()
	defer context.AfterFunc(ctx, t.abort)()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("shut down traces: %w", err)
	}
	return nil
}
