//go:build integration

package ledgertest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/obs"
)

// TestTransferEvent follows the event of a transfer from the outbox to all who
// subscribed to it.
func TestTransferEvent(t *testing.T) {
	c := newCore(t, coreOptions{})
	c.startWorker(workerOptions{})
	a := c.accounts(2)
	ids := []uuid.UUID{c.place(a[0], a[1], 5), c.place(a[1], a[0], 2)}
	c.awaitEffects(a, ids...)
	for i, want := range []activity{{Transfers: 2, Debited: 5, Credited: 2}, {Transfers: 2, Debited: 2, Credited: 5}} {
		if diff := cmp.Diff(want, c.activity(a[i])); diff != "" {
			t.Errorf("activity of account %d (-want +got):\n%s", i, diff)
		}
	}
	eventually(t, "the events are marked as published", func() bool {
		return column[int64](c, `SELECT count(*) FROM outbox WHERE transfer_id = ANY($1) AND published_at IS NULL`, ids) == 0
	})
	got, _, err := c.ledger.Transfer(t.Context(), ids[0], domain.Reading{Want: domain.Strong})
	if err != nil || got.Status != domain.Settled {
		t.Errorf("Transfer = %+v, %v; want it settled", got, err)
	}
}

// TestStatementEvent has statements built by a work queue.
func TestStatementEvent(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{})
	a := c.accounts(2)
	c.place(a[0], a[1], 5)
	s := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	if _, err := c.ledger.RequestStatement(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var got domain.Statement
	eventually(t, "the statement is ready", func() bool {
		var err error
		if got, _, err = c.ledger.Statement(t.Context(), s.ID, domain.Reading{Want: domain.Strong}); err != nil {
			t.Fatal(err)
		}
		return got.Status == domain.Ready
	})
	if got.Count != 1 || len(got.Lines) != 1 || got.Lines[0].Amount != -5 || got.Closing-got.Opening != -5 {
		t.Errorf("statement = %+v; want one line of -5", got)
	}
	if n := value(t, broker.Collector(), "ledger_jobs_settled_total", "queue=statements"); n != 1 {
		t.Errorf("statements built = %g; want 1", n)
	}
}

// TestDuplicates delivers an event again and again, also as another message:
// it takes effect once.
func TestDuplicates(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{})
	a := c.accounts(2)
	id := c.place(a[0], a[1], 5)
	c.awaitEffects(a, id)
	settled := column[time.Time](c, `SELECT settled_at FROM settlements WHERE transfer_id = $1`, id)
	payload := column[string](c, `SELECT payload::text FROM outbox WHERE transfer_id = $1`, id)
	key := column[string](c, `SELECT event_key FROM outbox WHERE transfer_id = $1`, id)
	before := value(t, broker.Collector(), "ledger_jobs_settled_total")
	ch := openChannel(t)
	const copies = 5
	for i := range copies {
		messageID := key
		if i%2 == 1 {
			messageID = uuid.NewString()
		}
		publishTo(t, ch, broker.ExchangeName(), "transfer.accepted", messageID, payload)
	}
	eventually(t, "the copies are worked off", func() bool {
		return value(t, broker.Collector(), "ledger_jobs_settled_total")-before >= 3*copies // by three subscribers
	})
	if got := c.effects(id); got != once {
		t.Errorf("effects = %+v; want %+v", got, once)
	}
	if diff := cmp.Diff(activity{Transfers: 1, Debited: 5}, c.activity(a[0])); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
	if again := column[time.Time](c, `SELECT settled_at FROM settlements WHERE transfer_id = $1`, id); !again.Equal(settled) {
		t.Errorf("settled_at moved from %s to %s", settled, again)
	}
}

func publishTo(t *testing.T, ch *amqp.Channel, exchange, key, messageID, payload string) {
	t.Helper()
	err := ch.PublishWithContext(t.Context(), exchange, key, true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: messageID, Type: key, Body: []byte(payload),
		Headers: amqp.Table{obs.CorrelationHeader: "corr-" + messageID},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSettlementInvalidates has the settlement make the cache forget accounts,
// and a transfer that was refunded, as whoever made the change would have, had
// they not died.
func TestSettlementInvalidates(t *testing.T) {
	down := newLink(t, redisAddr(t))
	down.cut()
	dying := newCore(t, coreOptions{redisURL: through(t, dsn(t, redisVar), down)})
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	id := c.place(a[0], a[1], 5)
	if _, err := c.primary.Settle(t.Context(), []uuid.UUID{id}); err != nil {
		t.Fatal(err)
	}
	read := func() (domain.Account, domain.Transfer, []domain.Source) {
		t.Helper()
		account, from, err := c.ledger.Account(t.Context(), a[0], domain.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		refunded, of, err := c.ledger.Transfer(t.Context(), id, domain.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		return account, refunded, []domain.Source{from.Source, of.Source}
	}
	read()
	if _, err := dying.ledger.Refund(t.Context(), domain.Refund{ID: uuid.New(), Of: id, Amount: 2}); err != nil {
		t.Fatal(err)
	}
	account, refunded, sources := read()
	if account.Balance != openingBalance-5 || refunded.Refunded != 0 || !slices.Equal(sources, []domain.Source{domain.Cache, domain.Cache}) {
		t.Fatalf("balance %d, %d refunded, from %s; want the old copies, for nobody told the cache", account.Balance, refunded.Refunded, sources)
	}
	c.startWorker(workerOptions{})
	eventually(t, "the old copies are gone", func() bool {
		account, refunded, _ := read()
		return account.Balance == openingBalance-3 && refunded.Refunded == 2
	})
}

// TestCarries finds correlation id and trace of a request in the message that
// it leads to, and in the spans of those who work on it.
func TestCarries(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tracer := provider.Tracer("test")
	c := newCore(t, coreOptions{tracer: tracer})
	broker := c.startWorker(workerOptions{Options: jobs.Options{Tracer: tracer}})
	messages := tap(t, broker.ExchangeName(), "transfer.accepted", nil)
	a := c.accounts(2)

	ctx, root := tracer.Start(obs.WithCorrelation(t.Context(), "corr-1"), "request")
	id := uuid.New()
	if _, err := c.ledger.Place(ctx, transfer(id, a[0], a[1], 1)); err != nil {
		t.Fatal(err)
	}
	root.End()
	trace := root.SpanContext().TraceID().String()
	m := next(t, messages)
	for !strings.Contains(string(m.Body), id.String()) { // what other tests left in the outbox
		m = next(t, messages)
	}
	parent, _ := m.Headers[obs.TraceparentHeader].(string)
	if m.DeliveryMode != amqp.Persistent || m.Headers[obs.CorrelationHeader] != "corr-1" || !strings.Contains(parent, trace) {
		t.Errorf("message has mode %d, headers %v; want it persistent, with corr-1 and trace %s", m.DeliveryMode, m.Headers, trace)
	}
	c.awaitEffects(a, id)
	want := map[string]int{"publish transfer.accepted": 1, "process settlement": 1, "process notifications": 1, "process projection": 1}
	got := map[string]int{}
	eventually(t, "the spans have ended", func() bool {
		clear(got)
		for _, s := range spans.Ended() {
			if _, of := want[s.Name()]; of && s.SpanContext().TraceID().String() == trace {
				got[s.Name()]++
			}
		}
		return len(got) == len(want)
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans of the trace (-want +got):\n%s", diff)
	}
}

// TestDepths measures how full the queues are.
func TestDepths(t *testing.T) {
	c := newCore(t, coreOptions{})
	opts := jobs.Options{Name: "test-" + uuid.NewString()[:8], RetryDelays: []time.Duration{time.Hour}}
	t.Cleanup(func() { removeQueues(t, opts) })
	first := c.startWorker(workerOptions{Options: opts, noRelay: true, noJobs: true})
	ch := openChannel(t)
	publishTo(t, ch, "", first.DeadQueueName(jobs.SettlementQueue), "m1", "{}")
	publishTo(t, ch, "", opts.Name+".retry.1", "m2", "{}")
	eventually(t, "the messages are in their queues", func() bool {
		dead, err := ch.QueueDeclarePassive(first.DeadQueueName(jobs.SettlementQueue), true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		retry, err := ch.QueueDeclarePassive(opts.Name+".retry.1", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return dead.Messages == 1 && retry.Messages == 1
	})
	broker := c.startWorker(workerOptions{Options: opts, noRelay: true})
	for queue, want := range map[string]float64{"settlement": 0, "settlement.dead": 1, "retry.1": 1} {
		eventually(t, "the depth of "+queue, func() bool {
			return value(t, broker.Collector(), "ledger_jobs_queue_messages", "queue="+queue) == want
		})
	}
}
