package obs

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// TraceparentHeader names the W3C trace context in HTTP and in messages.
const TraceparentHeader = "traceparent"

// canonicalTraceparent is how net/http keeps it.
const canonicalTraceparent = "Traceparent"

// Traceparent returns the place of the context in its trace in the form of the
// W3C, as it is stored in the outbox and sent in messages; "" outside of a
// trace. It is returned for traces that are not recorded as well, so that the
// next process does not record its part either.
func Traceparent(ctx context.Context) string {
	var carrier traceparent
	propagation.TraceContext{}.Inject(ctx, &carrier)
	return string(carrier)
}

// WithTraceparent returns a context that continues the trace. What is not a
// traceparent is ignored.
func WithTraceparent(ctx context.Context, s string) context.Context {
	if s == "" {
		return ctx
	}
	carrier := traceparent(s)
	return propagation.TraceContext{}.Extract(ctx, &carrier)
}

// traceparent carries that one header and no state of vendors.
type traceparent string

// Get implements [propagation.TextMapCarrier].
func (t *traceparent) Get(key string) string {
	if key == TraceparentHeader {
		return string(*t)
	}
	return ""
}

// Set implements [propagation.TextMapCarrier].
func (t *traceparent) Set(key, value string) {
	if key == TraceparentHeader {
		*t = traceparent(value)
	}
}

// Keys implements [propagation.TextMapCarrier].
func (t *traceparent) Keys() []string { return []string{TraceparentHeader} }

// Inject has an outgoing request carry on trace and correlation id.
func Inject(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
	if id := Correlation(ctx); id != "" {
		h.Set(CorrelationHeader, id)
	}
}

// extract returns a context that continues the trace of a request.
func extract(ctx context.Context, h http.Header) context.Context {
	if len(h[canonicalTraceparent]) == 0 {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(h))
}

// traced reports whether the context is part of a trace, recorded or not.
func traced(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }
