package obs

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// followingTracer spares the work for spans of traces that are not recorded.
type followingTracer struct {
	embedded.Tracer
	next trace.Tracer
}

// Start implements [trace.Tracer].
func (t followingTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	span := trace.SpanFromContext(ctx)
	if parent := span.SpanContext(); parent.IsValid() && !parent.IsSampled() {
		return ctx, span
	}
	return t.next.Start(ctx, name, opts...) //nolint:spancheck // the caller ends it
}

// A spanQueue bounds and counts the spans between their end and the collector.
// It stands before the queue of the SDK, which has the same size but keeps to
// itself what it drops.
type spanQueue struct {
	limit   int64
	waiting atomic.Int64 // ended and not yet exported or given up
	failing atomic.Bool  // the last export failed
	log     *slog.Logger

	exported         prometheus.Counter
	full, undelivery prometheus.Counter
	dropped          *prometheus.CounterVec
}

func newSpanQueue(opts TelemetryOptions) *spanQueue {
	q := &spanQueue{limit: int64(opts.SpanQueue), log: opts.Log}
	if q.limit <= 0 {
		q.limit = defaultSpanQueue
	}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	q.exported = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ledger_trace_spans_exported_total", Help: "Spans that the collector took.",
	})
	q.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ledger_trace_spans_dropped_total", Help: "Spans that were lost.",
	}, []string{"reason"})
	q.full = q.dropped.WithLabelValues("queue_full")
	q.undelivery = q.dropped.WithLabelValues("export_failed")
	return q
}

// Describe implements [prometheus.Collector].
func (q *spanQueue) Describe(descs chan<- *prometheus.Desc) {
	q.exported.Describe(descs)
	q.dropped.Describe(descs)
}

// Collect implements [prometheus.Collector].
func (q *spanQueue) Collect(metrics chan<- prometheus.Metric) {
	q.exported.Collect(metrics)
	q.dropped.Collect(metrics)
}

// processor returns the way into the queue.
func (q *spanQueue) processor(exporter sdktrace.SpanExporter, wait time.Duration) sdktrace.SpanProcessor {
	if wait <= 0 {
		wait = defaultSpanFlush
	}
	return boundedProcessor{
		SpanProcessor: sdktrace.NewBatchSpanProcessor(exporter,
			sdktrace.WithMaxQueueSize(int(q.limit)),
			sdktrace.WithMaxExportBatchSize(int(min(q.limit, maxSpanBatch))),
			sdktrace.WithBatchTimeout(wait),
			sdktrace.WithExportTimeout(exportTimeout)),
		queue: q,
	}
}

// exporter returns the way out of the queue; exports end with life.
func (q *spanQueue) exporter(life context.Context, next sdktrace.SpanExporter) sdktrace.SpanExporter {
	return countingExporter{SpanExporter: next, queue: q, life: life}
}

// boundedProcessor never blocks: it drops what exceeds the limit of the queue.
type boundedProcessor struct {
	sdktrace.SpanProcessor
	queue *spanQueue
}

// OnEnd implements [sdktrace.SpanProcessor].
func (p boundedProcessor) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if p.queue.waiting.Add(1) > p.queue.limit {
		p.queue.waiting.Add(-1)
		p.queue.full.Inc()
		return
	}
	p.SpanProcessor.OnEnd(s)
}

// countingExporter takes spans out of the account of the queue.
type countingExporter struct {
	sdktrace.SpanExporter
	queue *spanQueue
	life  context.Context
}

// ExportSpans implements [sdktrace.SpanExporter]. It returns no error: nobody
// above could do more about one than count it.
func (e countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)() //nolint:contextcheck // the export ends with the life of the exporter, too
	err := e.SpanExporter.ExportSpans(ctx, spans)
	n := len(spans)
	e.queue.waiting.Add(-int64(n))
	if err != nil {
		e.queue.undelivery.Add(float64(n))
		if !e.queue.failing.Swap(true) {
			e.queue.log.WarnContext(ctx, "trace collector failed", slog.Int("spans", n), Err(err))
		}
		return nil
	}
	e.queue.exported.Add(float64(n))
	if e.queue.failing.Swap(false) {
		e.queue.log.InfoContext(ctx, "trace collector is back")
	}
	return nil
}
