package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/obs"
)

const depthEvery = 15 * time.Second

// watchDepths measures how full the queues are, time and again until ctx is
// done. While that is unknown there is no number rather than an old one.
func (b *Broker) watchDepths(ctx context.Context, conn *amqp.Connection) {
	defer b.metrics.depth.Reset()
	tick := time.NewTicker(depthEvery)
	defer tick.Stop()
	for {
		if err := b.measureDepths(conn); err != nil && ctx.Err() == nil {
			b.metrics.depth.Reset()
			b.log.WarnContext(ctx, "depths of queues are unknown", obs.Err(err), slog.Duration("again_in", depthEvery))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// measureDepths measures once, on a channel of its own, for the question after
// a queue that does not exist costs the channel.
func (b *Broker) measureDepths(conn *amqp.Connection) (err error) {
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer func() { err = errors.Join(err, ch.Close()) }()
	for label, name := range b.topology.queues() {
		q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			return fmt.Errorf("look at queue %s: %w", name, err)
		}
		b.metrics.depth.WithLabelValues(label).Set(float64(q.Messages))
	}
	return nil
}
