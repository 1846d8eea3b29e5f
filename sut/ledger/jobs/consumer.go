package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/obs"
)

// drainGrace is how long an effect that is under way may go on when the process
// is told to end.
const drainGrace = 5 * time.Second

// Consume works on the jobs until ctx is done; then it finishes what is under
// way and returns. It calls ready with the short name of a queue whenever it
// begins to consume it.
//
// All consumers share one connection. A consumer that fails pauses and begins
// again with a channel of its own, and leaves the others alone.
func (b *Broker) Consume(ctx context.Context, ready func(queue string), jobs ...Job) {
	b.keep(ctx, "consumers", func(ctx context.Context, conn *amqp.Connection) {
		var wg sync.WaitGroup
		for _, job := range jobs {
			for range job.workers {
				c := &consumer{
					Job: job, broker: b, ready: ready,
					metrics: b.metrics.of(job.queue), log: b.log.With(slog.String("queue", job.queue)),
				}
				wg.Go(func() { c.run(ctx, conn) })
			}
		}
		wg.Go(func() { b.watchDepths(ctx, conn) })
		wg.Wait()
	})
}

// A consumer works on one queue, on one channel, one batch after the other.
type consumer struct {
	Job
	broker  *Broker
	ready   func(queue string)
	metrics queueMetrics
	log     *slog.Logger
}

// run consumes until ctx is done. While the environment is in the way it pauses
// with its channel closed, so that the deliveries are with the broker, for
// others to take and for everybody to see.
func (c *consumer) run(ctx context.Context, conn *amqp.Connection) {
	pause := newBackOff(pauseFirst, pauseMost)
	for {
		err := c.session(ctx, conn, pause.Reset)
		if ctx.Err() != nil {
			return
		}
		wait := pause.NextBackOff()
		c.metrics.paused.Inc()
		c.log.WarnContext(ctx, "consumption paused", slog.Duration("again_in", wait), obs.Err(err))
		if !sleep(ctx, wait) {
			return
		}
	}
}

// session consumes on a channel of its own until something is in the way or ctx
// is done. It calls progress after every batch.
func (c *consumer) session(ctx context.Context, conn *amqp.Connection, progress func()) (err error) {
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer func() {
		if ctx.Err() == nil { // or else the connection ends, and the channel with it
			err = errors.Join(err, ch.Close())
		}
	}()
	deliveries, err := c.subscribe(ctx, conn, ch)
	if err != nil {
		return err
	}
	c.ready(c.queue)
	for {
		batch, err := c.collect(ctx, deliveries)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return nil // ctx is done
		}
		if err := c.work(ctx, ch, batch); err != nil {
			return err
		}
		progress()
	}
}

// subscribe begins to consume. The queue is declared anew, for it may have
// ended the session by its disappearance. While a batch is worked on the next
// one is on its way.
func (c *consumer) subscribe(ctx context.Context, conn *amqp.Connection, ch *amqp.Channel) (<-chan amqp.Delivery, error) {
	lost, err := lostOf(conn, c.broker.topology.queue(c.queue))
	if err != nil {
		return nil, err
	}
	c.broker.tellLost(ctx, lost)
	err = c.broker.topology.declareWork(ch, c.queue)
	if err != nil {
		return nil, err
	}
	prefetch := c.batch
	if c.batch > 1 {
		prefetch *= 2
	}
	if err = ch.Qos(prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("bound prefetch: %w", err)
	}
	deliveries, err := ch.ConsumeWithContext(
		context.WithoutCancel(ctx), c.broker.topology.queue(c.queue), "", false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	return deliveries, nil
}

// collect waits for a delivery, and from there for the batch to fill, but not
// for long. The batch is empty if ctx was done before it began.
func (c *consumer) collect(ctx context.Context, deliveries <-chan amqp.Delivery) ([]amqp.Delivery, error) {
	if ctx.Err() != nil {
		return nil, nil
	}
	var batch []amqp.Delivery
	linger := time.NewTimer(c.linger)
	linger.Stop()
	defer linger.Stop()
	for len(batch) < c.batch {
		select {
		case d, open := <-deliveries:
			if !open {
				return nil, errors.New("the broker ended the deliveries")
			}
			if batch = append(batch, d); len(batch) == 1 {
				linger.Reset(c.linger)
			}
		case <-linger.C:
			return batch, nil
		case <-ctx.Done():
			return batch, nil
		}
	}
	return batch, nil
}

// work brings deliveries to their ends: each took effect, or waits to be tried
// again, or is a dead letter; then and only then it is acknowledged. What the
// environment stopped stays with the broker and comes again.
func (c *consumer) work(ctx context.Context, ch *amqp.Channel, batch []amqp.Delivery) error {
	began := time.Now()
	c.metrics.delivered.Add(float64(len(batch)))
	ctx, spans := c.trace(ctx, batch)
	verdicts, err := c.attempt(ctx, batch)
	c.logEffects(ctx, batch, verdicts)
	if len(verdicts) > 0 {
		err = errors.Join(err, c.conclude(ctx, ch, batch[:len(verdicts)], verdicts))
	}
	endSpans(spans, verdicts, err)
	c.metrics.duration.Observe(time.Since(began).Seconds())
	return err
}

// logEffects logs what took effect, for those who follow a request through the
// logs. Most of the time nobody does.
func (c *consumer) logEffects(ctx context.Context, batch []amqp.Delivery, verdicts []error) {
	if !c.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	for i, verdict := range verdicts {
		if verdict == nil {
			c.log.DebugContext(correlated(ctx, batch[i].Headers), "delivery took effect", slog.String("message_id", batch[i].MessageId))
		}
	}
}

// attempt brings the effect about and returns a verdict for each delivery; for
// fewer if the environment got in the way, with the reason.
//
// If a batch fails for a reason of one message it is not known of which, so the
// deliveries are attempted one by one.
func (c *consumer) attempt(ctx context.Context, batch []amqp.Delivery) ([]error, error) {
	verdicts, err := c.bounded(ctx, batch)
	switch {
	case err == nil:
		return verdicts, nil
	case isEnvironment(err):
		return nil, err
	case len(batch) == 1:
		return []error{err}, nil
	}
	c.log.WarnContext(ctx, "batch failed", slog.Int("deliveries", len(batch)), obs.Err(err))
	verdicts = make([]error, 0, len(batch))
	for i := range batch {
		one, err := c.attempt(ctx, batch[i:i+1])
		if err != nil {
			return verdicts, err
		}
		verdicts = append(verdicts, one...)
	}
	return verdicts, nil
}

// bounded makes one attempt within its time. One that has begun goes on for a
// while when ctx is done. A panic is the fault of a message like any other, for
// that message would bring the process down again and again.
func (c *consumer) bounded(ctx context.Context, batch []amqp.Delivery) (verdicts []error, err error) {
	bodies := make([][]byte, len(batch))
	for i, d := range batch {
		bodies[i] = d.Body
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(drainGrace, cancel) })
	defer stop()
	defer func() {
		if cause := recover(); cause != nil {
			c.log.Log(ctx, obs.LevelCritical, "effect panicked", slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
			verdicts, err = nil, fmt.Errorf("panic: %v", cause)
		}
	}()
	return c.effect(bounded, bodies)
}

// conclude publishes what did not take effect to where it goes next, and
// acknowledges. What could not be published stays with the broker.
func (c *consumer) conclude(ctx context.Context, ch *amqp.Channel, batch []amqp.Delivery, verdicts []error) error {
	var failed []amqp.Delivery
	var onward []message
	for i, verdict := range verdicts {
		if verdict != nil {
			failed = append(failed, batch[i])
			onward = append(onward, c.onward(ctx, batch[i], verdict))
		}
	}
	if len(onward) > 0 {
		confirmed, err := c.broker.publisher.publish(ctx, onward)
		c.count(onward, confirmed)
		if err != nil {
			return errors.Join(err, c.acknowledgeSome(ch, batch, verdicts, failed, confirmed))
		}
	}
	if err := ch.Ack(batch[len(batch)-1].DeliveryTag, true); err != nil {
		return fmt.Errorf("acknowledge deliveries: %w", err)
	}
	c.metrics.settled.Add(float64(len(batch) - len(failed)))
	return nil
}

// count counts the messages that went onward.
func (c *consumer) count(onward []message, confirmed []int) {
	for _, at := range confirmed {
		if onward[at].exchange == c.broker.topology.deadExchange() {
			c.metrics.dead.Inc()
		} else {
			c.metrics.retried.Inc()
		}
	}
}

// acknowledgeSome acknowledges what took effect and what is known to have gone
// onward.
func (c *consumer) acknowledgeSome(ch *amqp.Channel, batch []amqp.Delivery, verdicts []error, failed []amqp.Delivery, confirmed []int) error {
	var done []amqp.Delivery
	for i, verdict := range verdicts {
		if verdict == nil {
			done = append(done, batch[i])
		}
	}
	settled := len(done)
	for _, at := range confirmed {
		done = append(done, failed[at])
	}
	for _, d := range done {
		if err := ch.Ack(d.DeliveryTag, false); err != nil {
			return fmt.Errorf("acknowledge delivery: %w", err)
		}
	}
	c.metrics.settled.Add(float64(settled))
	return nil
}
