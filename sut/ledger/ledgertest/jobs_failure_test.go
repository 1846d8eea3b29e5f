//go:build integration

package ledgertest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/jobs"
)

// awaitDead waits until a queue has as many dead letters, and returns them.
func awaitDead(t *testing.T, broker *jobs.Broker, queue string, n int) (letters []jobs.DeadLetter) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has %d dead letters", queue, n), func() bool {
		var err error
		if letters, err = broker.DeadLetters(t.Context(), queue, jobs.DeadLetterFilter{}); err != nil {
			t.Fatal(err)
		}
		return len(letters) == n
	})
	return letters
}

// TestPoison sends messages that nothing can be done about, in between good
// ones of the same batch.
func TestPoison(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{})
	a := c.accounts(2)
	ch := openChannel(t)
	stranger := uuid.NewString()
	tests := []struct{ name, payload, reason string }{
		{"not JSON", `hello`, "malformed event"},
		{"no id", `{}`, "malformed event"},
		{"no such transfer", `{"transfer_id":"` + stranger + `","from":1,"to":2,"amount":1,"currency":"EUR","timeline":1}`, "transfer " + stranger + ": not found"},
	}
	var ids []uuid.UUID
	for _, tt := range tests {
		publishTo(t, ch, broker.ExchangeName(), "transfer.accepted", tt.name, tt.payload)
		ids = append(ids, c.place(a[0], a[1], 1))
	}
	c.awaitEffects(a, ids...)
	for _, queue := range []string{jobs.SettlementQueue, jobs.NotificationsQueue, jobs.ProjectionQueue} {
		letters := awaitDead(t, broker, queue, len(tests))
		for i, tt := range tests {
			l := letters[i]
			if l.MessageID != tt.name || string(l.Body) != tt.payload || !strings.Contains(l.Reason, tt.reason) {
				t.Errorf("dead letter %d: %s, body %q, reason %q; want %s, %q, %q", i, l.MessageID, l.Body, l.Reason, tt.name, tt.payload, tt.reason)
			}
			if l.Correlation != "corr-"+tt.name || l.Attempts != 1 || l.DiedAt.IsZero() {
				t.Errorf("dead letter %s: correlation %q, %d attempts, died at %s; want corr-%s, 1 and a time", l.MessageID, l.Correlation, l.Attempts, l.DiedAt, tt.name)
			}
		}
	}
	if n := column[int64](c, `SELECT count(*) FROM settlements WHERE transfer_id = $1`, stranger); n != 0 {
		t.Errorf("settlements of no transfer = %d; want 0", n)
	}
}

// TestRetry has an effect fail twice and follows the message through the queues
// in which it waits.
func TestRetry(t *testing.T) {
	c := newCore(t, coreOptions{})
	delays := []time.Duration{40 * time.Millisecond, 80 * time.Millisecond, time.Hour}
	broker := c.startWorker(workerOptions{Options: jobs.Options{RetryDelays: delays}, noRelay: true})
	waiting := tap(t, broker.ExchangeName()+".retry", "", amqp.Table{"x-match": "any", "Ledger-Retry-Level": "1", "Ledger-Attempts": int32(2)})
	a := c.accounts(2)
	c.do(`CREATE SEQUENCE test_attempts`)
	t.Cleanup(func() { c.do(`DROP SEQUENCE test_attempts`) })
	id := uuid.New()
	c.failing("notifications", fmt.Sprintf(`NEW.transfer_id = '%s' AND NEW.account_id = %d AND nextval('test_attempts') <= 2`, id, a[0]), "not yet")
	if _, err := c.ledger.Place(t.Context(), transfer(id, a[0], a[1], 1)); err != nil {
		t.Fatal(err)
	}
	// Published here and not by the relay, so that it is alone in its batch.
	publishTo(t, openChannel(t), broker.ExchangeName(), "transfer.accepted", "m1",
		column[string](c, `SELECT payload::text FROM outbox WHERE transfer_id = $1`, id))
	for level, delay := range delays[:2] {
		m := next(t, waiting)
		ms, err := strconv.Atoi(m.Expiration)
		if waits := time.Duration(ms) * time.Millisecond; err != nil || waits < delay*3/4 || waits > delay*5/4 {
			t.Errorf("wait at level %d = %q ms; want %s, give or take a quarter", level+1, m.Expiration, delay)
		}
		if m.RoutingKey != broker.QueueName(jobs.NotificationsQueue) || m.Headers["Ledger-Retry-Level"] != strconv.Itoa(level+1) || m.MessageId != "m1" {
			t.Errorf("message %s for %s has headers %v; want m1, its queue and level %d", m.MessageId, m.RoutingKey, m.Headers, level+1)
		}
	}
	c.awaitEffects(a, id)
	for metric, want := range map[string]float64{"retried": 2, "settled": 1, "dead": 0, "delivered": 3} {
		eventually(t, fmt.Sprintf("%s = %g", metric, want), func() bool {
			return value(t, broker.Collector(), "ledger_jobs_"+metric+"_total", "queue=notifications") == want
		})
	}
	if n := value(t, broker.Collector(), "ledger_jobs_delivered_total", "queue=settlement"); n != 1 {
		t.Errorf("deliveries for settlement = %g; want 1: a retry is for the queue that failed alone", n)
	}
}

// TestReplay lets a message die for a reason that then passes.
func TestReplay(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{})
	a := c.accounts(2)
	id := uuid.New()
	mend := c.failing("notifications", `NEW.transfer_id = '`+id.String()+`'`, "the printer is on fire")
	if _, err := c.ledger.Place(t.Context(), transfer(id, a[0], a[1], 1)); err != nil {
		t.Fatal(err)
	}
	others := []uuid.UUID{c.place(a[0], a[1], 1), c.place(a[1], a[0], 1)}
	l := awaitDead(t, broker, jobs.NotificationsQueue, 1)[0]
	if !strings.Contains(l.Reason, "the printer is on fire") || l.Attempts != 3 || l.Topic != "transfer.accepted" || !strings.Contains(string(l.Body), id.String()) {
		t.Errorf("dead letter %+v; want the reason, 3 attempts, the transfer", l)
	}
	c.awaitEffects(a, others...)
	if got, want := c.effects(id), (effects{Settlements: 1}); got != want {
		t.Errorf("effects = %+v; want %+v", got, want)
	}
	replay := func(f jobs.DeadLetterFilter, want int) {
		t.Helper()
		if n, err := broker.ReplayDeadLetters(t.Context(), jobs.NotificationsQueue, f); n != want || err != nil {
			t.Errorf("ReplayDeadLetters(%+v) = %d, %v; want %d", f, n, err, want)
		}
	}
	replay(jobs.DeadLetterFilter{Reason: "malformed"}, 0)
	replay(jobs.DeadLetterFilter{Reason: "PRINTER"}, 1) // too early: it dies again, after as many attempts as a new one
	if again := awaitDead(t, broker, jobs.NotificationsQueue, 1)[0]; again.Attempts != 3 || again.MessageID != l.MessageID {
		t.Errorf("dead letter %s after %d attempts; want %s after 3", again.MessageID, again.Attempts, l.MessageID)
	}
	settled := value(t, broker.Collector(), "ledger_jobs_settled_total", "queue=settlement")
	mend()
	replay(jobs.DeadLetterFilter{MessageID: l.MessageID}, 1)
	c.awaitEffects(a, append(others, id)...)
	awaitDead(t, broker, jobs.NotificationsQueue, 0)
	if n := value(t, broker.Collector(), "ledger_jobs_settled_total", "queue=settlement"); n != settled {
		t.Errorf("settlements went from %g to %g; want a replay for the queue that failed alone", settled, n)
	}
}

// TestPurge removes some dead letters and leaves the others in their order.
func TestPurge(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{noRelay: true})
	ch := openChannel(t)
	const letters = 250 // more than are handled together
	for i := range letters {
		publishTo(t, ch, "", broker.QueueName(jobs.ProjectionQueue), strconv.Itoa(i), `{"no":`+strconv.Itoa(i)+`}`)
	}
	awaitDead(t, broker, jobs.ProjectionQueue, letters)
	ids := func() []string {
		t.Helper()
		all, err := broker.DeadLetters(t.Context(), jobs.ProjectionQueue, jobs.DeadLetterFilter{})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, l := range all {
			ids = append(ids, l.MessageID)
		}
		return ids
	}
	var want []string
	for i := range letters {
		want = append(want, strconv.Itoa(i))
	}
	steps := []struct {
		name   string
		filter jobs.DeadLetterFilter
		purged int
		left   []string
	}{
		{"another reason", jobs.DeadLetterFilter{Reason: "not found"}, 0, want},
		{"died too late", jobs.DeadLetterFilter{Before: time.Now().Add(-time.Hour)}, 0, want},
		{"one", jobs.DeadLetterFilter{MessageID: "200"}, 1, append(append([]string{}, want[:200]...), want[201:]...)},
		{"the oldest", jobs.DeadLetterFilter{Reason: "malformed", Limit: 120}, 120, append(append([]string{}, want[120:200]...), want[201:]...)},
		{"the rest", jobs.DeadLetterFilter{}, letters - 121, nil},
		{"nothing left", jobs.DeadLetterFilter{}, 0, nil},
	}
	for _, tt := range steps {
		n, err := broker.PurgeDeadLetters(t.Context(), jobs.ProjectionQueue, tt.filter)
		if n != tt.purged || err != nil {
			t.Errorf("%s: PurgeDeadLetters = %d, %v; want %d", tt.name, n, err, tt.purged)
		}
		if diff := cmp.Diff(tt.left, ids()); diff != "" {
			t.Errorf("%s: letters left (-want +got):\n%s", tt.name, diff)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := broker.PurgeDeadLetters(ctx, jobs.ProjectionQueue, jobs.DeadLetterFilter{}); n != 0 || err == nil {
		t.Errorf("PurgeDeadLetters after the end = %d, %v; want an error", n, err)
	}
}

// TestUnroutable has an event that no queue takes: it stays in the outbox, and
// the others go their way.
func TestUnroutable(t *testing.T) {
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	lost := column[int64](c, `INSERT INTO outbox (event_key, topic, payload, correlation_id, traceparent)
		VALUES ($1, 'nobody.listens', '{}', '', '') RETURNING id`, uuid.NewString())
	t.Cleanup(func() { c.do(`DELETE FROM outbox WHERE id = $1`, lost) })
	broker := c.startWorker(workerOptions{})
	c.awaitEffects(a, c.place(a[0], a[1], 1))
	eventually(t, "it came back more than once", func() bool {
		return value(t, broker.Collector(), "ledger_jobs_unroutable_total") > 1
	})
	if !column[bool](c, `SELECT published_at IS NULL FROM outbox WHERE id = $1`, lost) {
		t.Error("the event is marked as published; want it kept")
	}
	// The others are not held up, now that one keeps coming back either.
	c.awaitEffects(a, c.place(a[0], a[1], 1))
}

// TestLostQueue deletes a queue under its consumer and its publisher: it is
// declared again by either, and nothing that was published later is lost.
func TestLostQueue(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{})
	a := c.accounts(2)
	c.awaitEffects(a, c.place(a[0], a[1], 1))
	ch := openChannel(t)
	for _, queue := range jobs.Queues() {
		if _, err := ch.QueueDelete(broker.QueueName(queue), false, false, false); err != nil {
			t.Fatal(err)
		}
	}
	s := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	if _, err := c.ledger.RequestStatement(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the statement is ready", func() bool {
		got, _, err := c.ledger.Statement(t.Context(), s.ID, domain.Reading{Want: domain.Strong})
		if err != nil {
			t.Fatal(err)
		}
		return got.Status == domain.Ready
	})
	for _, queue := range jobs.Queues() {
		eventually(t, queue+" has consumers again", func() bool {
			q, err := ch.QueueDeclarePassive(broker.QueueName(queue), true, false, false, false, nil)
			if err != nil {
				ch = openChannel(t) // it is not there yet
				return false
			}
			return q.Consumers > 0
		})
	}
	c.awaitEffects(a, c.place(a[0], a[1], 1))
}

// TestOneQueueIsLost deletes one of several queues that are bound to the same
// exchange, so that no message comes back for want of it: whoever looks first
// notices, says so and makes it again.
func TestOneQueueIsLost(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{})
	a := c.accounts(2)
	ch := openChannel(t)
	lost := func(b *jobs.Broker, queue string) float64 {
		return value(t, b.Collector(), "ledger_jobs_queues_lost_total", "queue="+queue)
	}
	remove := func(queue string) {
		t.Helper()
		if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := value(t, broker.Collector(), "ledger_jobs_queues_lost_total"); n != 0 {
		t.Errorf("%g queues were missing on a new broker; want none, for there were none to miss", n)
	}
	remove(broker.QueueName(jobs.NotificationsQueue))
	eventually(t, "the consumer notices", func() bool { return lost(broker, jobs.NotificationsQueue) > 0 })
	c.awaitEffects(a, c.place(a[0], a[1], 1))

	// Nobody consumes dead letters: the check of health notices.
	remove(broker.DeadQueueName(jobs.ProjectionQueue))
	err := broker.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), broker.DeadQueueName(jobs.ProjectionQueue)) {
		t.Errorf("Check = %v; want an error that names the queue", err)
	}
	if err := broker.Check(t.Context()); err != nil || lost(broker, "projection.dead") != 1 {
		t.Errorf("second Check = %v, with %g queues told of; want nil, for it is there again, and one", err, lost(broker, "projection.dead"))
	}

	// A binding cannot be asked for, so each check makes it again.
	if err := ch.QueueUnbind(broker.QueueName(jobs.ProjectionQueue), "transfer.accepted", broker.ExchangeName(), nil); err != nil {
		t.Fatal(err)
	}
	if err := broker.Check(t.Context()); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
	c.awaitEffects(a, c.place(a[0], a[1], 1))

	// A process that starts notices what was lost while there was none.
	remove(broker.DeadQueueName(jobs.StatementsQueue))
	next := jobs.NewBroker(dsn(t, amqpVar), jobs.Options{
		Name: broker.ExchangeName(), RetryDelays: []time.Duration{20 * time.Millisecond, 40 * time.Millisecond},
	})
	t.Cleanup(func() { _ = next.Close() })
	if err := next.Check(t.Context()); err != nil || lost(next, "statements.dead") != 1 {
		t.Errorf("Check of the next = %v, with %g queues told of; want nil, and one", err, lost(next, "statements.dead"))
	}
}

// TestLostDeadQueue has nowhere to put a dead letter: it stays with the broker
// until there is a queue for it again, and what took effect beside it is done.
func TestLostDeadQueue(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{noRelay: true})
	a := c.accounts(2)
	ch := openChannel(t)
	if _, err := ch.QueueDelete(broker.DeadQueueName(jobs.SettlementQueue), false, false, false); err != nil {
		t.Fatal(err)
	}
	// While the first waits for this lock the others gather into one batch.
	release := c.lockTable("settlements")
	first := c.place(a[0], a[1], 1)
	payload := func(id uuid.UUID) string {
		return column[string](c, `SELECT payload::text FROM outbox WHERE transfer_id = $1`, id)
	}
	publishTo(t, ch, broker.ExchangeName(), "transfer.accepted", "m1", payload(first))
	c.awaitLockWait("settlements")
	second := c.place(a[0], a[1], 1)
	publishTo(t, ch, "", broker.QueueName(jobs.SettlementQueue), "poison", `{}`)
	publishTo(t, ch, broker.ExchangeName(), "transfer.accepted", "m2", payload(second))
	release()
	eventually(t, "the dead letter came back for want of a queue", func() bool {
		return value(t, broker.Collector(), "ledger_jobs_unroutable_total") > 0
	})
	c.awaitEffects(a, first, second)
	if l := awaitDead(t, broker, jobs.SettlementQueue, 1)[0]; l.MessageID != "poison" {
		t.Errorf("dead letter %s; want poison", l.MessageID)
	}
	for metric, want := range map[string]float64{"settled": 2, "dead": 1} {
		eventually(t, fmt.Sprintf("%s = %g", metric, want), func() bool {
			return value(t, broker.Collector(), "ledger_jobs_"+metric+"_total", "queue=settlement") == want
		})
	}
}

// TestTooSlow has an effect wait for a lock for longer than it may, though the
// database answers: it is tried again later and leaves the others alone.
func TestTooSlow(t *testing.T) {
	c := newCore(t, coreOptions{})
	broker := c.startWorker(workerOptions{Options: jobs.Options{RetryDelays: []time.Duration{20 * time.Millisecond}}, noRelay: true})
	a := c.accounts(1)
	s := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	if _, err := c.ledger.RequestStatement(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	tx, err := c.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM statements WHERE id = $1 FOR UPDATE`, s.ID); err != nil {
		t.Fatal(err)
	}
	publishTo(t, openChannel(t), broker.ExchangeName(), "statement.requested", "m1", `{"statement_id":"`+s.ID.String()+`"}`)
	l := awaitDead(t, broker, jobs.StatementsQueue, 1)[0]
	if !strings.Contains(l.Reason, "too long") || l.Attempts != 2 {
		t.Errorf("dead letter after %d attempts: %q; want 2, too long", l.Attempts, l.Reason)
	}
	if n := value(t, broker.Collector(), "ledger_jobs_paused_total", "queue=statements"); n != 0 {
		t.Errorf("consumption paused %g times; want none, for the database is well", n)
	}
}
