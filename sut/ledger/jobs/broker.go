// Package jobs does the asynchronous half of a transfer: it relays events from
// the outbox to RabbitMQ, and settles transfers when the events arrive.
//
// Delivery is at least once on every leg, and the effect is idempotent, so each
// transfer is settled exactly once whatever breaks in between.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/obs"
)

// The topology, which every connection declares.
const (
	Exchange     = "ledger"
	Queue        = "ledger.settlement"
	DeadExchange = "ledger.dead"
	DeadQueue    = "ledger.settlement.dead"

	topicAccepted = "transfer.accepted"
)

const (
	dialTimeout  = 3 * time.Second
	closeTimeout = time.Second
	heartbeat    = 4 * time.Second  // a silent peer is given up after one and a half of these
	stable       = 10 * time.Second // a session this long starts the backoff anew
)

// A Broker is a RabbitMQ server that comes and goes.
type Broker struct {
	url string
	log *slog.Logger
}

// NewBroker returns the broker at an AMQP URL. No connection is made.
func NewBroker(url string, log *slog.Logger) *Broker { return &Broker{url: url, log: log} }

// CheckURL reports whether an AMQP URL can be parsed, in words that do not
// repeat it, for it holds a password.
func CheckURL(url string) error {
	if _, err := amqp.ParseURI(url); err != nil {
		return errors.New("not an AMQP URL such as amqp://user:password@host:5672/")
	}
	return nil
}

// run keeps a session going until ctx is done. A session has a connection of
// its own and ends with it; the next begins after a pause that grows and is
// random, so that a broker that returns is not met by everybody at once.
func (b *Broker) run(ctx context.Context, name string, session func(context.Context, *amqp.Connection) error) {
	log := b.log.With(slog.String("session", name))
	pause := newBackOff(200*time.Millisecond, 3*time.Second)
	for {
		began := time.Now()
		err := b.once(ctx, name, session)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= stable {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		log.WarnContext(ctx, "broker session ended", slog.Duration("again_in", wait), obs.Err(err))
		if !sleep(ctx, wait) {
			return
		}
	}
}

// once runs one session.
func (b *Broker) once(ctx context.Context, name string, session func(context.Context, *amqp.Connection) error) (err error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("ledgerd " + name)
	conn, err := amqp.DialConfig(b.url, amqp.Config{
		Heartbeat: heartbeat, Dial: amqp.DefaultDial(dialTimeout), Properties: properties,
	})
	if err != nil {
		return fmt.Errorf("connect to broker: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ctx.Done():
		case reason := <-closed:
			cancel(errors.Join(amqp.ErrClosed, asError(reason)))
		}
	}()
	defer func() {
		cancel(nil)
		<-watched
		if closeErr := conn.CloseDeadline(time.Now().Add(closeTimeout)); !errors.Is(closeErr, amqp.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}()
	if err := declare(conn); err != nil {
		return fmt.Errorf("declare topology: %w", err)
	}
	b.log.InfoContext(ctx, "broker session began", slog.String("session", name))
	return errors.Join(session(ctx, conn), context.Cause(ctx))
}

// asError turns a nil *amqp.Error into a nil error.
func asError(reason *amqp.Error) error {
	if reason == nil {
		return nil
	}
	return reason
}

// declare makes exchanges, queues and bindings exist; all survive a restart of
// the broker.
func declare(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return errors.Join(
		declareRoute(ch, Exchange, topicAccepted, Queue),
		declareRoute(ch, DeadExchange, DeadQueue, DeadQueue),
		ch.Close(),
	)
}

func declareRoute(ch *amqp.Channel, exchange, key, queue string) error {
	if err := ch.ExchangeDeclare(exchange, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		return fmt.Errorf("exchange %s: %w", exchange, err)
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return fmt.Errorf("queue %s: %w", queue, err)
	}
	if err := ch.QueueBind(queue, key, exchange, false, nil); err != nil {
		return fmt.Errorf("bind queue %s: %w", queue, err)
	}
	return nil
}

// newBackOff returns pauses that double from first to most, each varied by
// half of itself.
func newBackOff(first, most time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = first, most, 2
	b.Reset()
	return b
}

// sleep waits and reports whether the time passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
