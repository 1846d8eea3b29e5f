package obs

import (
	"context"
	"io"
	"log/slog"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

// CorrelationHeader carries the correlation id in HTTP and in messages.
const CorrelationHeader = "X-Correlation-ID"

const maxCorrelation = 128

type correlationKey struct{}

// WithCorrelation returns a context that carries the correlation id. An id that
// is missing, too long or has characters other than letters, digits and -._:
// is replaced by a new one.
func WithCorrelation(ctx context.Context, id string) context.Context {
	if !validCorrelation(id) {
		id = uuid.NewString()
	}
	return context.WithValue(ctx, correlationKey{}, id)
}

// Correlation returns the correlation id of the context, or "".
func Correlation(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

func validCorrelation(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == ':':
		default:
			return false
		}
	}
	return id != "" && len(id) <= maxCorrelation
}

// NewLogger returns a logger of JSON lines. Each names the instance, and what
// the context of the log call has of a correlation id and a recorded trace.
// Every record also passes through the wrappers, such as [Notifier.Wrap].
func NewLogger(w io.Writer, level slog.Leveler, instance string, wrappers ...func(slog.Handler) slog.Handler) *slog.Logger {
	var h slog.Handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	h = h.WithAttrs([]slog.Attr{slog.String("instance", instance)})
	for _, wrap := range wrappers {
		h = wrap(h)
	}
	return slog.New(handler{h})
}

// Names of attributes.
const (
	correlationKeyName = "correlation_id"
	traceKeyName       = "trace_id"
	criticalKeyName    = "critical"
)

// handler adds to every record what its context knows.
type handler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := Correlation(ctx); id != "" {
		r.AddAttrs(slog.String(correlationKeyName, id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r.AddAttrs(slog.String(traceKeyName, span.TraceID().String()))
	}
	if r.Level >= LevelCritical {
		r.AddAttrs(slog.Bool(criticalKeyName, true))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }

// Err returns the attribute under which errors are logged.
func Err(err error) slog.Attr { return slog.Any("error", err) }
