package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// A tracer sees everything that a pool sends to the database. It feeds the
// [Counter] of the context, makes spans of requests that are sampled, and logs
// what took long. While nothing of this is wanted it costs a look into the
// context for each statement.
//
// No value of a parameter ever reaches a span or a log.
type tracer struct {
	spans trace.Tracer  // nil for none
	slow  time.Duration // what takes as long is logged; 0 for nothing
	log   *slog.Logger
}

var (
	_ pgx.QueryTracer       = (*tracer)(nil)
	_ pgx.BatchTracer       = (*tracer)(nil)
	_ pgx.CopyFromTracer    = (*tracer)(nil)
	_ pgx.PrepareTracer     = (*tracer)(nil)
	_ pgxpool.AcquireTracer = (*tracer)(nil)
)

// newTracer returns a tracer. It never returns nil, since counters need one.
func newTracer(spans trace.Tracer, slow time.Duration, log *slog.Logger) *tracer {
	if log == nil {
		slow = 0
	}
	return &tracer{spans: spans, slow: slow, log: log}
}

// An operation is one round trip that is watched. A nil one is not.
type operation struct {
	tracer     *tracer
	statements []string
	started    time.Time
	span       trace.Span // nil unless sampled
}

type operationKey struct{}

// begin tells of statements that are about to be sent together. The driver's
// hooks call it; who speaks to the server past them has to.
func (t *tracer) begin(ctx context.Context, statements ...string) (context.Context, *operation) {
	counterOf(ctx).add(statements)
	sampled := t.samples(ctx)
	if !sampled && t.slow == 0 {
		return ctx, nil
	}
	op := &operation{tracer: t, statements: statements, started: time.Now()}
	if sampled {
		ctx, op.span = t.spans.Start(ctx, spanName(statements), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes( //nolint:spancheck // end ends it
			attribute.String("db.system", "postgresql"),
			attribute.String("db.query.text", joined(statements)),
			attribute.Int("db.operation.batch.size", len(statements)),
		))
	}
	return ctx, op
}

// wait begins a wait for something on this side of the database.
func (t *tracer) wait(ctx context.Context, name string) (context.Context, *operation) {
	if !t.samples(ctx) {
		return ctx, nil
	}
	ctx, span := t.spans.Start(ctx, name)                 //nolint:spancheck // end ends it
	return ctx, &operation{tracer: &tracer{}, span: span} //nolint:spancheck // as above
}

// samples reports whether what is done for the context is to become spans.
func (t *tracer) samples(ctx context.Context) bool {
	return t.spans != nil && trace.SpanContextFromContext(ctx).IsSampled()
}

// end tells that the answer has come, or the error instead of one.
func (o *operation) end(ctx context.Context, err error) {
	if o == nil {
		return
	}
	if o.span != nil {
		if err != nil {
			class := errorClass(err)
			o.span.SetAttributes(attribute.String("error.type", class))
			o.span.SetStatus(codes.Error, class)
		}
		o.span.End()
	}
	took := time.Since(o.started)
	if o.tracer.slow == 0 || took < o.tracer.slow {
		return
	}
	attrs := []slog.Attr{
		slog.String("statement", joined(o.statements)),
		slog.Float64("took_ms", float64(took.Microseconds())/1000),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error_class", errorClass(err)))
	}
	o.tracer.log.LogAttrs(ctx, slog.LevelWarn, "slow query", attrs...)
}

// errorClass tells errors apart without their texts, in which a server may
// repeat values: the SQLSTATE if the server refused.
func errorClass(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "connection"
	}
}

// within puts an operation into the context that the driver carries from the
// beginning to the end of it.
func within(ctx context.Context, op *operation) context.Context {
	if op == nil {
		return ctx
	}
	return context.WithValue(ctx, operationKey{}, op)
}

// endWithin ends the operation of the context.
func endWithin(ctx context.Context, err error) {
	op, _ := ctx.Value(operationKey{}).(*operation)
	op.end(ctx, err)
}

// TraceQueryStart implements [pgx.QueryTracer].
func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return within(t.begin(ctx, data.SQL))
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	endWithin(ctx, data.Err)
}

// TraceBatchStart implements [pgx.BatchTracer].
func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	statements := make([]string, len(data.Batch.QueuedQueries))
	for i, q := range data.Batch.QueuedQueries {
		statements[i] = q.SQL
	}
	return within(t.begin(ctx, statements...))
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (t *tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (t *tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	endWithin(ctx, data.Err)
}

// TraceCopyFromStart implements [pgx.CopyFromTracer].
func (t *tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	return within(t.begin(ctx, "COPY "+strings.Join(data.TableName, ".")))
}

// TraceCopyFromEnd implements [pgx.CopyFromTracer].
func (t *tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	endWithin(ctx, data.Err)
}

// TracePrepareStart implements [pgx.PrepareTracer].
func (t *tracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	return within(t.begin(ctx, "PREPARE "+data.SQL))
}

// TracePrepareEnd implements [pgx.PrepareTracer].
func (t *tracer) TracePrepareEnd(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareEndData) {
	endWithin(ctx, data.Err)
}

// TraceAcquireStart implements [pgxpool.AcquireTracer]: the wait for a
// connection is a span of its own, or it would be taken for time in the
// database.
func (t *tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return within(t.wait(ctx, "acquire connection"))
}

// TraceAcquireEnd implements [pgxpool.AcquireTracer].
func (t *tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	if t.spans != nil {
		endWithin(ctx, data.Err)
	}
}

// maxText bounds the text of statements in spans and logs, in bytes.
const maxText = 2000

// joined returns statements as one line.
func joined(statements []string) string {
	var b strings.Builder
	for i, s := range statements {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(strings.Join(strings.Fields(s), " "))
		if b.Len() > maxText {
			return strings.ToValidUTF8(b.String()[:maxText], "") + "..."
		}
	}
	return b.String()
}

// spanName names a round trip after what it does to which table: of several
// statements, the first that has one.
func spanName(statements []string) string {
	name, found := "", false
	for _, s := range statements {
		verb, target := summary(s)
		if target != "" {
			name, found = verb+" "+target, true
			break
		}
		if name == "" {
			name = verb
		}
	}
	if len(statements) > 1 && found {
		return "BATCH " + name
	}
	return name
}

// summary returns what a statement does and the table, or the function, that
// it does it to, "" if there is none. Where a statement begins with WITH, the
// first that it modifies counts.
func summary(sql string) (verb, target string) {
	words := strings.Fields(sql)
	if len(words) == 0 {
		return "", ""
	}
	verb = strings.ToUpper(words[0])
	before, changed := "", false
	for i, word := range words {
		word = strings.ToUpper(strings.Trim(word, "();"))
		changes := slices.Contains([]string{"INSERT", "UPDATE", "DELETE"}, word) &&
			!slices.Contains([]string{"FOR", "KEY", "DO", "ON"}, before)
		switch {
		case changes && !changed:
			verb, target, changed = word, "", true // what was read before is not what it is about
		case word == "SELECT" && verb == "WITH":
			verb = word
		}
		names := changes && word == "UPDATE" || slices.Contains([]string{"FROM", "JOIN", "INTO", "COPY"}, word)
		if names && target == "" && i+1 < len(words) {
			target = relation(words[i+1])
		}
		before = word
	}
	if target == "" && verb == "SELECT" && len(words) > 1 {
		if name, _, call := strings.Cut(words[1], "("); call {
			target = relation(name)
		}
	}
	return verb, target
}

// relation returns the name at the beginning of a word, "" if it is none of
// the ledger's.
func relation(word string) string {
	name, _, _ := strings.Cut(word, "(")
	name = strings.TrimRight(name, ",;)")
	if name == "origin" || strings.HasPrefix(name, "pg_") || name == "set_config" {
		return ""
	}
	return name
}
