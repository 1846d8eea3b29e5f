package jobs

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	recorded   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unrecorded = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00"
	another    = "00-0af7651916cd43dd8448eb211c80319e-b7ad6b7169203331-01"
)

func newTracer() (trace.Tracer, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test"), spans
}

type spanSummary struct{ Name, Trace, Error string }

func summarize(spans *tracetest.SpanRecorder) []spanSummary {
	var all []spanSummary
	for _, s := range spans.Ended() {
		all = append(all, spanSummary{s.Name(), s.SpanContext().TraceID().String(), s.Status().Description})
	}
	return all
}

// TestTracePublish continues recorded traces and hands on all others as they
// came.
func TestTracePublish(t *testing.T) {
	b := NewBroker("amqp://nowhere", Options{})
	tracer, spans := newTracer()
	b.tracer = tracer
	var begun []trace.Span
	for _, parent := range []string{recorded, unrecorded, "", another} {
		span, sent := b.tracePublish(t.Context(), store.Event{Topic: topicAccepted, Traceparent: parent})
		begun = append(begun, span)
		if span == nil && sent != parent {
			t.Errorf("traceparent %q became %q; want it unchanged", parent, sent)
		}
		if span != nil {
			got := trace.SpanContextFromContext(obs.WithTraceparent(t.Context(), sent))
			if got.SpanID() != span.SpanContext().SpanID() || got.TraceID().String() != parent[3:35] {
				t.Errorf("traceparent %q became %q; want the same trace and the new span", parent, sent)
			}
		}
	}
	endPublished(begun, []int{0})
	want := []spanSummary{
		{"publish transfer.accepted", recorded[3:35], ""},
		{"publish transfer.accepted", another[3:35], classUnconfirmed},
	}
	if diff := cmp.Diff(want, summarize(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// TestTraceDeliveries records the parts of a batch whose traces are recorded,
// and has the effect belong to the first.
func TestTraceDeliveries(t *testing.T) {
	c := newConsumer(Job{})
	tracer, spans := newTracer()
	c.broker.tracer = tracer
	batch := make([]amqp.Delivery, 0, 5)
	for _, parent := range []any{unrecorded, recorded, nil, another, another} {
		batch = append(batch, amqp.Delivery{Headers: amqp.Table{obs.TraceparentHeader: parent, obs.CorrelationHeader: "corr-1"}})
	}
	ctx, begun := c.trace(t.Context(), batch)
	if got := trace.SpanContextFromContext(ctx).TraceID().String(); got != recorded[3:35] {
		t.Errorf("the effect belongs to trace %s; want %s", got, recorded[3:35])
	}
	if got := obs.Correlation(ctx); got != "" {
		t.Errorf("correlation of a batch = %q; want none", got)
	}
	endSpans(begun, []error{nil, nil, nil, errMalformed}, errors.New("database away"))
	want := []spanSummary{
		{"process settlement", recorded[3:35], ""},
		{"process settlement", another[3:35], classPoison},
		{"process settlement", another[3:35], classEnvironment},
	}
	if diff := cmp.Diff(want, summarize(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	for i, s := range spans.Ended() {
		if links := s.Links(); len(links) != min(i, 1) || i > 0 && links[0].SpanContext.TraceID().String() != recorded[3:35] {
			t.Errorf("span %d links to %v; want the first span, except from itself", i, links)
		}
	}
	if ctx, _ = c.trace(t.Context(), batch[:1]); obs.Correlation(ctx) != "corr-1" {
		t.Errorf("correlation of a single delivery = %q; want corr-1", obs.Correlation(ctx))
	}
}

func TestNoTracer(t *testing.T) {
	c := newConsumer(Job{})
	ctx, spans := c.trace(t.Context(), []amqp.Delivery{{Headers: amqp.Table{obs.TraceparentHeader: recorded}}, {}})
	if ctx != t.Context() || spans != nil {
		t.Errorf("trace without a tracer = %v, %v; want nothing", ctx, spans)
	}
	endSpans(spans, nil, nil)
}
