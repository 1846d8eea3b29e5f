package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	relayBatch     = 100
	relayTimeout   = 8 * time.Second // of a whole batch
	publishTimeout = 5 * time.Second // of its publishing, during which the events are locked
	relayMaxPause  = 2 * time.Second // after errors of the database
)

// A Relay publishes the events of the outbox.
type Relay struct {
	Ledger   *store.Primary
	Broker   *Broker
	Interval time.Duration // between looks at an empty outbox
	Log      *slog.Logger
}

// Run relays until ctx is done.
func (r *Relay) Run(ctx context.Context) { r.Broker.run(ctx, "relay", r.session) }

// session relays until the connection or ctx ends. Errors of the database do
// not end it.
func (r *Relay) session(ctx context.Context, conn *amqp.Connection) error {
	pub, err := newPublisher(conn, relayBatch)
	if err != nil {
		return err
	}
	pause := newBackOff(r.Interval, relayMaxPause)
	for {
		n, publishErr, err := r.batch(ctx, pub)
		wait := r.Interval
		switch {
		case publishErr != nil:
			return fmt.Errorf("publish events: %w", publishErr)
		case err != nil:
			wait = pause.NextBackOff()
			r.Log.WarnContext(ctx, "relay failed", slog.Duration("again_in", wait), obs.Err(err))
		default:
			pause.Reset()
			if n == relayBatch {
				wait = 0
			}
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// batch relays some events. A batch that has begun is finished even if ctx
// ends, within its timeout. Errors of the broker are returned apart from those
// of the database.
func (r *Relay) batch(ctx context.Context, pub *publisher) (n int, publishErr, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), relayTimeout)
	defer cancel()
	n, err = r.Ledger.Relay(ctx, relayBatch, func(ctx context.Context, events []store.Event) ([]int64, error) {
		ctx, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		messages := make([]message, len(events))
		for i, e := range events {
			messages[i] = eventMessage(e)
		}
		var done []int
		done, publishErr = pub.publish(ctx, messages)
		ids := make([]int64, len(done))
		for i, at := range done {
			ids[i] = events[at].ID
		}
		return ids, publishErr
	})
	return n, publishErr, err
}

func eventMessage(e store.Event) message {
	return message{exchange: Exchange, key: e.Topic, Publishing: amqp.Publishing{
		MessageId:   strconv.FormatInt(e.ID, 10),
		Type:        e.Topic,
		ContentType: "application/json",
		Headers:     amqp.Table{obs.CorrelationHeader: e.Correlation},
		Body:        e.Payload,
	}}
}
