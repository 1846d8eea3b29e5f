//go:build integration

package ledgertest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger"
	"github.com/proofload/proofload/sut/ledger/jobs"
)

// startWorker runs relay and settlement.
func (r *rig) startWorker(amqpURL string) {
	r.t.Helper()
	log := slog.New(slog.DiscardHandler)
	broker := jobs.NewBroker(amqpURL, log)
	relay := &jobs.Relay{Ledger: r.primary, Broker: broker, Interval: 20 * time.Millisecond, Log: log}
	settlement := &jobs.Settlement{Ledger: r.primary, Cache: r.cache, Broker: broker, Ready: func() {}, Log: log}
	background(r.t, relay.Run)
	background(r.t, settlement.Run)
}

// channel opens a channel to the broker, for the test itself.
func channel(t *testing.T) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(dsn(t, amqpVar))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func (r *rig) awaitSettled(id string) {
	r.t.Helper()
	eventually(r.t, "transfer "+id+" is settled", func() bool {
		return r.get("/v1/transfers/"+id).body.Status == "settled"
	})
}

// TestSettlement follows a transfer to its settlement, then delivers its event
// again and again: there is still one settlement.
func TestSettlement(t *testing.T) {
	r := newRig(t, options{})
	r.startWorker(dsn(t, amqpVar))
	a := r.accounts(2)
	id := newID()
	if got := r.put(id, a[0], a[1], 5); got.status != 201 {
		t.Fatalf("PUT = %d %s; want 201", got.status, got.text)
	}
	r.awaitSettled(id)
	eventually(t, "the event is marked as published", func() bool {
		return query[int64](r, `SELECT count(*) FROM outbox WHERE transfer_id = $1 AND published_at IS NOT NULL`, id) == 1
	})

	settled := query[time.Time](r, `SELECT settled_at FROM settlements WHERE transfer_id = $1`, id)
	payload := query[string](r, `SELECT payload::text FROM outbox WHERE transfer_id = $1`, id)
	ch := channel(t)
	for range 3 {
		publish(t, ch, payload, newID())
	}
	// What is published later is settled later, one of four at a time: when
	// these are through, so are the copies.
	for range 8 {
		later := newID()
		r.put(later, a[0], a[1], 1)
		r.awaitSettled(later)
	}
	eventually(t, "the queue is empty", func() bool { return messages(t, ch, jobs.Queue) == 0 })
	if got, want := r.rows(id), [4]int64{1, 2, 1, 1}; got != want {
		t.Errorf("transfers, postings, outbox, settlements = %v; want %v", got, want)
	}
	if again := query[time.Time](r, `SELECT settled_at FROM settlements WHERE transfer_id = $1`, id); !again.Equal(settled) {
		t.Errorf("settled_at moved from %s to %s", settled, again)
	}
	// Settled transfers do not change, so they are cached.
	r.get("/v1/transfers/" + id)
	if src := r.get("/v1/transfers/" + id).header.Get("Ledger-Source"); src != "cache" {
		t.Errorf("source of a settled transfer = %q; want cache", src)
	}
	if got := r.put(id, a[0], a[1], 5); got.status != 200 || got.body.Status != "settled" {
		t.Errorf("replay after settlement = %d %s; want 200, settled", got.status, got.text)
	}
}

func publish(t *testing.T, ch *amqp.Channel, payload, messageID string) {
	t.Helper()
	err := ch.PublishWithContext(t.Context(), jobs.Exchange, "transfer.accepted", true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: messageID, Body: []byte(payload),
		Headers: amqp.Table{"X-Correlation-ID": "corr-" + messageID},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func messages(t *testing.T, ch *amqp.Channel, queue string) int {
	t.Helper()
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q.Messages
}

// TestCorrelation finds the correlation id of a request in the message that it
// leads to.
func TestCorrelation(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(2)
	id := newID()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.api.URL+"/v1/transfers/"+id,
		strings.NewReader(fmt.Sprintf(`{"from":%d,"to":%d,"amount":1,"currency":"EUR"}`, a[0], a[1])))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Correlation-ID", "corr-"+id)
	resp, err := r.api.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("X-Correlation-ID"); resp.StatusCode != http.StatusCreated || got != "corr-"+id {
		t.Errorf("PUT = %d, correlation %q; want 201, corr-%s", resp.StatusCode, got, id)
	}
	log := slog.New(slog.DiscardHandler)
	// Only the relay runs, so the message stays in the queue to be looked at.
	relay := &jobs.Relay{Ledger: r.primary, Broker: jobs.NewBroker(dsn(t, amqpVar), log), Interval: 20 * time.Millisecond, Log: log}
	background(t, relay.Run)
	ch := channel(t)
	eventually(t, "the message with the correlation id", func() bool {
		d, ok, err := ch.Get(jobs.Queue, true)
		if err != nil {
			t.Fatal(err)
		}
		return ok && d.Headers["X-Correlation-ID"] == "corr-"+id && d.DeliveryMode == amqp.Persistent &&
			strings.Contains(string(d.Body), id)
	})
}

// TestDeadLetters sends events that nothing can be done about.
func TestDeadLetters(t *testing.T) {
	r := newRig(t, options{})
	r.startWorker(dsn(t, amqpVar))
	a := r.accounts(2)
	first := newID()
	r.put(first, a[0], a[1], 1)
	r.awaitSettled(first) // by now the queues exist
	ch := channel(t)
	stranger := uuid.NewString()
	tests := []struct{ name, payload, reason string }{
		{"no such transfer", `{"transfer_id":"` + stranger + `","timeline":1}`, "settle transfer " + stranger + ": not found"},
		{"not JSON", `hello`, "malformed event"},
		{"no id", `{}`, "malformed event"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			messageID := newID()
			publish(t, ch, tt.payload, messageID)
			var dead amqp.Delivery
			eventually(t, "the dead letter", func() bool {
				d, ok, err := ch.Get(jobs.DeadQueue, true)
				if err != nil {
					t.Fatal(err)
				}
				dead = d
				return ok && d.MessageId == messageID
			})
			reason, _ := dead.Headers[jobs.DeadReasonHeader].(string)
			if string(dead.Body) != tt.payload || !strings.HasPrefix(reason, tt.reason) {
				t.Errorf("dead letter %q, reason %q; want %q, %q", dead.Body, reason, tt.payload, tt.reason)
			}
			if got := dead.Headers["X-Correlation-ID"]; got != "corr-"+messageID {
				t.Errorf("correlation of the dead letter = %v; want corr-%s", got, messageID)
			}
		})
	}
	if n := query[int64](r, `SELECT count(*) FROM settlements WHERE transfer_id = $1`, stranger); n != 0 {
		t.Errorf("settlements of no transfer = %d; want 0", n)
	}
	after := newID()
	r.put(after, a[0], a[1], 1)
	r.awaitSettled(after) // dead letters do not block the rest
}

// TestBrokerAway cuts the broker off while transfers come in. They are accepted
// all the same, and each is settled once when the broker is back.
func TestBrokerAway(t *testing.T) {
	l := newLink(t, brokerAddr(t))
	r := newRig(t, options{})
	r.startWorker(through(t, dsn(t, amqpVar), l))
	a := r.accounts(2)
	var ids []string
	for round := range 3 {
		for range 10 {
			id := newID()
			if got := r.put(id, a[0], a[1], 1); got.status != 201 {
				t.Errorf("PUT = %d %s; want 201", got.status, got.text)
			}
			ids = append(ids, id)
			if round < 2 && len(ids)%5 == 0 {
				l.cut() // also in the middle of publishing and settling
				l.heal()
			}
		}
	}
	for _, id := range ids {
		r.awaitSettled(id)
		if got, want := r.rows(id), [4]int64{1, 2, 1, 1}; got != want {
			t.Errorf("transfers, postings, outbox, settlements of %s = %v; want %v", id, got, want)
		}
	}
}

// TestDatabaseAway cuts the database off from the worker.
func TestDatabaseAway(t *testing.T) {
	l := newLink(t, databaseAddr(t))
	r := newRig(t, options{})
	worker := newRig(t, options{databaseURL: through(t, dsn(t, databaseVar), l), timeout: time.Second})
	worker.startWorker(dsn(t, amqpVar))
	a := r.accounts(2)
	for range 5 {
		id := newID()
		r.put(id, a[0], a[1], 1)
		l.cut()
		l.heal()
		r.awaitSettled(id)
		if got, want := r.rows(id), [4]int64{1, 2, 1, 1}; got != want {
			t.Errorf("transfers, postings, outbox, settlements = %v; want %v", got, want)
		}
	}
}

// TestProcesses runs the processes as the command does, from configuration to
// the end.
func TestProcesses(t *testing.T) {
	env := map[string]string{
		"LEDGER_INSTANCE":        "one",
		"LEDGER_DATABASE_URL":    dsn(t, databaseVar),
		"LEDGER_DATABASE_RO_URL": dsn(t, databaseVar),
		"LEDGER_REDIS_URL":       dsn(t, redisVar),
		"LEDGER_AMQP_URL":        dsn(t, amqpVar),
		"LEDGER_DRAIN_DELAY":     "0s",
	}
	r := newRig(t, options{}) // for its clients
	a := r.accounts(2)
	run := func(cmd ledger.Command, process func(context.Context, ledger.Config, *slog.Logger) error) (url string, stop func()) {
		env["LEDGER_LISTEN"] = freeAddr(t)
		cfg, err := ledger.LoadConfig(cmd, func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error, 1)
		go func() { done <- process(ctx, cfg, slog.New(slog.DiscardHandler)) }()
		return "http://" + cfg.Listen, func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("process ended with %v; want nil", err)
			}
		}
	}
	apiURL, stopAPI := run(ledger.API, ledger.RunAPI)
	workerURL, stopWorker := run(ledger.Worker, ledger.RunWorker)
	for _, url := range []string{apiURL, workerURL} {
		eventually(t, url+" is ready", func() bool {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
	}
	r.api.URL = apiURL
	id := newID()
	if got := r.put(id, a[0], a[1], 1); got.status != 201 || got.header.Get("Ledger-Instance") != "one" {
		t.Errorf("PUT = %d %s from %q; want 201 from one", got.status, got.text, got.header.Get("Ledger-Instance"))
	}
	r.awaitSettled(id)
	stopWorker()
	stopAPI()
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
