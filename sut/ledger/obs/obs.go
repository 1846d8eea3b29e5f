// Package obs makes the service observable: structured logs, and correlation
// ids that follow a request through every component.
package obs

import (
	"context"
	"io"
	"log/slog"

	"github.com/google/uuid"
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

// NewLogger returns a logger of JSON lines. Each names the instance, and the
// correlation id if the context of the log call has one.
func NewLogger(w io.Writer, level slog.Leveler, instance string) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(handler{h}).With(slog.String("instance", instance))
}

// handler adds the correlation id to every record.
type handler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := Correlation(ctx); id != "" {
		r.AddAttrs(slog.String("correlation_id", id))
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
