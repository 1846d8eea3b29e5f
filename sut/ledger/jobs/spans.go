package jobs

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/store"
)

// Classes of what went wrong, for spans. The texts of errors are left out of
// them, since they may repeat what a message holds.
const (
	classUnconfirmed = "unconfirmed" // it will be published again
	classEnvironment = "environment" // it stays with the broker
	classFailed      = "failed"      // it will be tried again
	classPoison      = "poison"      // it is a dead letter
)

// tracePublish begins the span of an event that is about to be published, if
// its trace is recorded, and returns the traceparent to send along.
func (b *Broker) tracePublish(ctx context.Context, e store.Event) (trace.Span, string) {
	if b.tracer == nil || e.Traceparent == "" {
		return nil, e.Traceparent
	}
	ctx = obs.WithTraceparent(ctx, e.Traceparent)
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return nil, e.Traceparent
	}
	ctx, span := b.tracer.Start(ctx, "publish "+e.Topic, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes( //nolint:spancheck // endPublished ends it
		attribute.String("messaging.system", "rabbitmq"),
		attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.destination.name", b.topology.exchange()),
		attribute.String("messaging.message.id", e.Key),
	))
	return span, obs.Traceparent(ctx) //nolint:spancheck // as above
}

// endPublished ends the spans of events, of which those at the given indices
// were confirmed. A nil span is none.
func endPublished(spans []trace.Span, confirmed []int) {
	ok := make([]bool, len(spans))
	for _, at := range confirmed {
		ok[at] = true
	}
	for i, span := range spans {
		if !ok[i] {
			fail(span, classUnconfirmed)
		}
		end(span)
	}
}

// trace begins the spans of the deliveries whose traces are recorded; for the
// others they are nil. A batch takes effect for all at once, which the trace of
// the first of them shows in detail and the spans of the others link to.
//
// The context also gets the correlation id, if there is just one.
func (c *consumer) trace(ctx context.Context, batch []amqp.Delivery) (context.Context, []trace.Span) {
	if len(batch) == 1 {
		ctx = correlated(ctx, batch[0].Headers)
	}
	if c.broker.tracer == nil {
		return ctx, nil
	}
	spans := make([]trace.Span, len(batch))
	var first trace.SpanContext
	effect := ctx
	for i, d := range batch {
		parent, _ := d.Headers[obs.TraceparentHeader].(string)
		of := obs.WithTraceparent(ctx, parent)
		if parent == "" || !trace.SpanContextFromContext(of).IsSampled() {
			continue
		}
		opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			attribute.String("messaging.system", "rabbitmq"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.destination.name", c.broker.topology.queue(c.queue)),
			attribute.String("messaging.message.id", d.MessageId),
			attribute.Int("messaging.batch.message_count", len(batch)),
			attribute.Int("ledger.attempts", attemptsOf(d.Headers)),
		)}
		if first.IsValid() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: first}))
		}
		of, spans[i] = c.broker.tracer.Start(of, "process "+c.queue, opts...) //nolint:spancheck // endSpans ends it
		if !first.IsValid() {
			first, effect = spans[i].SpanContext(), of
		}
	}
	return effect, spans
}

// endSpans ends the spans of deliveries, of which the first have verdicts and
// the rest were stopped by err.
func endSpans(spans []trace.Span, verdicts []error, err error) {
	for i, span := range spans {
		switch {
		case i >= len(verdicts) && err != nil:
			fail(span, classEnvironment)
		case i >= len(verdicts) || verdicts[i] == nil:
		case isPoison(verdicts[i]):
			fail(span, classPoison)
		default:
			fail(span, classFailed)
		}
		end(span)
	}
}

func fail(span trace.Span, class string) {
	if span != nil {
		span.SetAttributes(attribute.String("error.type", class))
		span.SetStatus(codes.Error, class)
	}
}

func end(span trace.Span) {
	if span != nil {
		span.End()
	}
}
