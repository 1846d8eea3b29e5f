package cache

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/resilience"
)

// startSpan begins the span of a call if the request is sampled; otherwise the
// span is nil.
func (c *Cache) startSpan(ctx context.Context, call string, kind Kind) (context.Context, trace.Span) {
	if c.tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, nil
	}
	return c.tracer.Start(ctx, "cache "+call+" "+string(kind), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes( //nolint:spancheck // endSpan ends it
		attribute.String("db.system", "redis"),
		attribute.String("db.operation.name", call),
	))
}

// noteHit tells the span of a call whether a copy was found that may be used.
func noteHit(ctx context.Context, hit bool) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.Bool("cache.hit", hit))
	}
}

func endSpan(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		class := "connection"
		switch {
		case errors.Is(err, resilience.ErrOpen):
			class = "refused"
		case errors.Is(err, context.DeadlineExceeded):
			class = "timeout"
		}
		span.SetAttributes(attribute.String("error.type", class))
		span.SetStatus(codes.Error, class)
	}
	span.End()
}
