package jobs

import (
	"context"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/resilience"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	relayTimeout  = 8 * time.Second // of a whole batch, publishing included
	relayMaxPause = 2 * time.Second // after errors
)

// A Relay publishes the events of the outbox.
type Relay struct {
	Ledger   *store.Primary
	Broker   *Broker
	Interval time.Duration // between looks at an empty outbox
	Log      *slog.Logger
}

// Run relays until ctx is done. A batch that has begun is finished even then.
func (r *Relay) Run(ctx context.Context) {
	pause := newBackOff(r.Interval, relayMaxPause)
	r.Broker.metrics.caughtUp(time.Now())
	for {
		began := time.Now()
		n, err := r.batch(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := r.Interval
		switch {
		case err != nil:
			wait = pause.NextBackOff()
			r.Log.WarnContext(ctx, "relay failed", slog.Duration("again_in", wait), obs.Err(err))
		case n == publishBatch:
			pause.Reset()
			wait = 0 // there may be more
		default:
			pause.Reset()
			r.Broker.metrics.caughtUp(began)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// batch relays some events and returns how many. It leaves the database alone
// while the broker is known to be away.
func (r *Relay) batch(ctx context.Context) (int, error) {
	if r.Broker.publisher.refuses() {
		return 0, resilience.ErrOpen
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), relayTimeout)
	defer cancel()
	n, err := r.Ledger.Relay(ctx, publishBatch, func(ctx context.Context, events []store.Event) ([]int64, error) {
		messages, spans := make([]message, len(events)), make([]trace.Span, len(events))
		for i, e := range events {
			spans[i], e.Traceparent = r.Broker.tracePublish(ctx, e)
			messages[i] = r.Broker.eventMessage(e)
		}
		confirmed, err := r.Broker.publisher.publish(ctx, messages)
		endPublished(spans, confirmed)
		ids := make([]int64, len(confirmed))
		for i, at := range confirmed {
			ids[i] = events[at].ID
		}
		return ids, err
	})
	r.Broker.metrics.relayed.Add(float64(n))
	return n, err
}

func (b *Broker) eventMessage(e store.Event) message {
	headers := amqp.Table{obs.CorrelationHeader: e.Correlation}
	if e.Traceparent != "" {
		headers[obs.TraceparentHeader] = e.Traceparent
	}
	return message{exchange: b.topology.exchange(), key: e.Topic, Publishing: amqp.Publishing{
		MessageId:   e.Key,
		Type:        e.Topic,
		ContentType: "application/json",
		Headers:     headers,
		Body:        e.Payload,
	}}
}
