package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestSpanName(t *testing.T) {
	tests := []struct {
		statements []string
		want       string
	}{
		{[]string{"COMMIT"}, "COMMIT"},
		{[]string{"BEGIN", "SELECT set_config('a', 'b', true)", placeSQL}, "BATCH SELECT place_transfer"},
		{[]string{refundSQL}, "SELECT place_refund"},
		{[]string{originOfPrimary + `, found AS (SELECT id FROM accounts a WHERE id = $1) SELECT o.timeline FROM origin o`}, "SELECT accounts"},
		{[]string{replayedSQL, originOfReplica + `, found AS (SELECT id FROM transfers) SELECT * FROM origin o`}, "BATCH SELECT transfers"},
		{[]string{purgeOutboxSQL}, "DELETE outbox"},
		{[]string{finishStatementSQL}, "UPDATE statements"},
		{[]string{buildLinesSQL}, "INSERT statement_lines"},
		{[]string{"SELECT id FROM outbox ORDER BY id FOR UPDATE SKIP LOCKED"}, "SELECT outbox"},
		{[]string{"INSERT INTO settlements (transfer_id) VALUES ($1) ON CONFLICT (transfer_id) DO UPDATE SET x = y"}, "INSERT settlements"},
		{[]string{"COPY transfers"}, "COPY transfers"},
		{[]string{"SELECT pg_backend_pid()"}, "SELECT"},
		{[]string{""}, ""},
	}
	for _, tt := range tests {
		if got := spanName(tt.statements); got != tt.want {
			t.Errorf("spanName(%s) = %q; want %q", joined(tt.statements), got, tt.want)
		}
	}
}

func TestJoined(t *testing.T) {
	if got, want := joined([]string{"SELECT\n\t1", " COMMIT "}), "SELECT 1; COMMIT"; got != want {
		t.Errorf("joined = %q; want %q", got, want)
	}
	if got := joined([]string{strings.Repeat("é", maxText)}); len(got) > maxText+3 || !strings.HasSuffix(got, "é...") {
		t.Errorf("joined of a long statement has %d bytes and ends with %q; want it cut between characters", len(got), got[len(got)-5:])
	}
}

// TestTracerCountsAndLogs sends what a driver would tell the tracer of.
func TestTracerCountsAndLogs(t *testing.T) {
	var out bytes.Buffer
	tr := newTracer(nil, time.Nanosecond, slog.New(slog.NewTextHandler(&out, nil)))
	ctx, counter := WithCounter(t.Context())

	one := tr.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: "SELECT 1", Args: []any{"secret"}})
	tr.TraceQueryEnd(one, nil, pgx.TraceQueryEndData{Err: &pgconn.PgError{Code: "23505", Message: "secret"}})
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	b.Queue("SELECT $1", "secret")
	two := tr.TraceBatchStart(ctx, nil, pgx.TraceBatchStartData{Batch: b})
	tr.TraceBatchEnd(two, nil, pgx.TraceBatchEndData{Err: context.DeadlineExceeded})
	three := tr.TraceCopyFromStart(ctx, nil, pgx.TraceCopyFromStartData{TableName: pgx.Identifier{"transfers"}})
	tr.TraceCopyFromEnd(three, nil, pgx.TraceCopyFromEndData{Err: errors.New("secret")})

	if diff := cmp.Diff([]string{"SELECT 1", "BEGIN", "SELECT $1", "COPY transfers"}, counter.Statements()); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	if r, q := counter.RoundTrips(), counter.Queries(); r != 3 || q != 4 {
		t.Errorf("%d round trips, %d queries; want 3, 4", r, q)
	}
	log := out.String()
	for _, want := range []string{"error_class=23505", "error_class=timeout", "error_class=connection", `statement="BEGIN; SELECT $1"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "secret") {
		t.Errorf("the log tells a value:\n%s", log)
	}
}

// TestTracerWantsNothing checks that what nobody wants costs no operation.
func TestTracerWantsNothing(t *testing.T) {
	tr := newTracer(nil, time.Second, nil)
	ctx, op := tr.begin(t.Context(), "SELECT 1")
	if op != nil || ctx != t.Context() {
		t.Error("begin watches a statement that nobody counts, samples or times")
	}
	op.end(ctx, nil)
}

// TestAwaitPlaceIsSeen has a writer wait for the only place of two.
func TestAwaitPlaceIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		ctx, root := provider.Tracer("test").Start(t.Context(), "request")
		defer root.End()
		d := database{tracer: newTracer(provider.Tracer("test"), 0, nil), writers: make(chan struct{}, 1)}
		if err := d.awaitPlace(ctx); err != nil || len(spans.Ended()) != 0 {
			t.Fatalf("the first writer: %v with %d spans; want a place at once and none", err, len(spans.Ended()))
		}
		time.AfterFunc(time.Second, func() { <-d.writers })
		if err := d.awaitPlace(ctx); err != nil {
			t.Fatal(err)
		}
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := d.awaitPlace(bounded); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a writer that nobody makes room for: %v; want its deadline", err)
		}
		ended := spans.Ended()
		if len(ended) != 2 || ended[0].Name() != "wait for other writers" || ended[0].EndTime().Sub(ended[0].StartTime()) != time.Second {
			t.Errorf("spans %v; want two of a second each", ended)
		}
	})
}
