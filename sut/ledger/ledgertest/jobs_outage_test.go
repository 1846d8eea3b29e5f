//go:build integration

package ledgertest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

// TestBrokerLost cuts all connections to the broker time and again while
// transfers come in. They are accepted all the same; relay and consumers come
// back by themselves, and each event takes effect once.
func TestBrokerLost(t *testing.T) {
	c := newCore(t, coreOptions{})
	l := newLink(t, brokerAddr(t))
	broker := c.startWorker(workerOptions{url: through(t, dsn(t, amqpVar), l)})
	a := c.accounts(2)
	var ids []uuid.UUID
	for i := range 60 {
		ids = append(ids, c.place(a[0], a[1], 1))
		if i%10 == 5 {
			l.cut()
		}
		if i%10 == 8 {
			l.heal()
		}
	}
	c.awaitEffects(a, ids...)
	for _, connection := range []string{"publisher", "consumers"} {
		if n := value(t, broker.Collector(), "ledger_jobs_connects_total", "connection="+connection); n < 2 {
			t.Errorf("connections for %s = %g; want a new one after the cut", connection, n)
		}
	}
	if n := value(t, broker.Collector(), "ledger_jobs_dead_total"); n != 0 {
		t.Errorf("dead letters = %g; want none from an outage", n)
	}
}

// TestLostBeforeAck cuts the connection between an effect and its
// acknowledgement: the broker delivers again, and the effect stays one.
func TestLostBeforeAck(t *testing.T) {
	c := newCore(t, coreOptions{})
	l := newLink(t, brokerAddr(t))
	broker := c.startWorker(workerOptions{url: through(t, dsn(t, amqpVar), l), noRelay: true})
	a := c.accounts(2)
	id := c.place(a[0], a[1], 1)
	release := c.lockTable("settlements") // the effect waits for it, so that the cut comes in between
	publishTo(t, openChannel(t), broker.ExchangeName(), "transfer.accepted", "m1",
		column[string](c, `SELECT payload::text FROM outbox WHERE transfer_id = $1`, id))
	c.awaitLockWait("settlements")
	l.cut()
	release()
	eventually(t, "the transfer is settled, and the broker does not know", func() bool { return c.effects(id).Settlements == 1 })
	l.heal()
	eventually(t, "it is delivered again", func() bool {
		return value(t, broker.Collector(), "ledger_jobs_delivered_total", "queue=settlement") >= 2 &&
			value(t, broker.Collector(), "ledger_jobs_settled_total", "queue=settlement") >= 1
	})
	c.awaitEffects(a, id)
}

// TestDatabaseLost cuts the worker off from the database: messages stay with
// the broker, none is blamed, and all take effect afterwards.
func TestDatabaseLost(t *testing.T) {
	c := newCore(t, coreOptions{})
	l := newLink(t, databaseAddr(t))
	cut := newCore(t, coreOptions{databaseURL: through(t, dsn(t, databaseVar), l)})
	broker := cut.startWorker(workerOptions{Options: jobs.Options{RetryDelays: []time.Duration{time.Millisecond}}})
	a := c.accounts(2)
	ids := []uuid.UUID{c.place(a[0], a[1], 1)}
	c.awaitEffects(a, ids...)
	l.cut()
	ch := openChannel(t)
	for range 5 {
		id := c.place(a[0], a[1], 1)
		ids = append(ids, id)
		// The relay has no database either, so the events are published here.
		publishTo(t, ch, broker.ExchangeName(), "transfer.accepted", id.String(),
			column[string](c, `SELECT payload::text FROM outbox WHERE transfer_id = $1`, id))
	}
	for _, queue := range []string{jobs.SettlementQueue, jobs.NotificationsQueue, jobs.ProjectionQueue} {
		eventually(t, queue+" pauses", func() bool {
			return value(t, broker.Collector(), "ledger_jobs_paused_total", "queue="+queue) >= 3
		})
	}
	l.heal()
	c.awaitEffects(a, ids...)
	for _, metric := range []string{"retried", "dead"} {
		if n := value(t, broker.Collector(), "ledger_jobs_"+metric+"_total"); n != 0 {
			t.Errorf("%s = %g; want none from an outage", metric, n)
		}
	}
}

// TestBrokerBreaker has publishing refused at once while the broker is away,
// and tried again by itself.
func TestBrokerBreaker(t *testing.T) {
	c := newCore(t, coreOptions{})
	l := newLink(t, brokerAddr(t))
	breaker := resilience.NewBreaker(resilience.Settings{Name: "broker", TripAfter: 2, OpenFor: 100 * time.Millisecond})
	c.startWorker(workerOptions{url: through(t, dsn(t, amqpVar), l), Options: jobs.Options{Breaker: breaker}})
	a := c.accounts(2)
	c.awaitEffects(a, c.place(a[0], a[1], 1))
	l.cut()
	id := c.place(a[0], a[1], 1)
	eventually(t, "the breaker opens", func() bool { return breaker.State() == resilience.OpenState })
	l.heal()
	c.awaitEffects(a, id)
	eventually(t, "the breaker closes", func() bool { return breaker.State() == resilience.Closed })
}

// TestDrain ends a worker in the middle of its work: what is under way takes
// effect and is acknowledged, what is not stays with the broker for the next.
func TestDrain(t *testing.T) {
	c := newCore(t, coreOptions{})
	opts := jobs.Options{Name: "test-" + uuid.NewString()[:8], RetryDelays: []time.Duration{time.Second}}
	t.Cleanup(func() { removeQueues(t, opts) })
	first := c.startWorker(workerOptions{Options: opts, noRelay: true, noJobs: true})
	a := c.accounts(2)
	const transfers = 250 // more than take effect together
	ch := openChannel(t)
	ids := make([]uuid.UUID, transfers)
	for i := range ids {
		ids[i] = c.place(a[0], a[1], 1)
		publishTo(t, ch, first.ExchangeName(), "transfer.accepted", ids[i].String(),
			column[string](c, `SELECT payload::text FROM outbox WHERE transfer_id = $1`, ids[i]))
	}
	release := c.lockTable("settlements")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		first.Consume(ctx, func(string) {}, jobs.Settlement(c.primary, c.cache))
	}()
	c.awaitLockWait("settlements")
	cancel()
	release()
	<-ended
	settled := column[int64](c, `SELECT count(*) FROM settlements WHERE transfer_id = ANY($1)`, ids)
	if settled == 0 || settled == transfers {
		t.Errorf("%d of %d transfers were settled; want what was under way", settled, transfers)
	}
	eventually(t, "the rest is with the broker", func() bool {
		q, err := ch.QueueDeclarePassive(first.QueueName(jobs.SettlementQueue), true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return q.Consumers == 0 && int64(q.Messages) == transfers-settled
	})
	c.startWorker(workerOptions{Options: opts, noRelay: true})
	c.awaitEffects(a, ids...)
}
