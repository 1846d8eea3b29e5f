package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

const (
	dialTimeout  = 3 * time.Second
	closeTimeout = time.Second
	heartbeat    = 4 * time.Second        // a silent peer is given up after one and a half of these
	stable       = 10 * time.Second       // a session this long starts the backoff anew
	pauseFirst   = 200 * time.Millisecond // pauses after errors of the environment
	pauseMost    = 3 * time.Second
)

// Options say how a process uses its broker.
type Options struct {
	// Name is the exchange and the prefix of every other name; "" is "ledger".
	Name string
	// RetryDelays are how long a message waits after its first failure, its
	// second and so on; after one more failure it is a dead letter. Each wait
	// is varied by a quarter. nil is 1 s, 4 s, 15 s and 60 s.
	RetryDelays []time.Duration
	// Breaker guards what is published; nil does not.
	Breaker *resilience.Breaker
	// Tracer records what is done with sampled messages; nil does not.
	Tracer trace.Tracer
	Log    *slog.Logger // nil for none
}

// A Broker is a RabbitMQ server that comes and goes.
type Broker struct {
	url       string
	topology  topology
	delays    []time.Duration
	tracer    trace.Tracer
	log       *slog.Logger
	metrics   *metrics
	publisher *publisher

	declared atomic.Bool // the topology has been complete
}

// NewBroker returns the broker at an AMQP URL. No connection is made yet.
func NewBroker(url string, opts Options) *Broker {
	if opts.Name == "" {
		opts.Name = "ledger"
	}
	if opts.RetryDelays == nil {
		opts.RetryDelays = []time.Duration{time.Second, 4 * time.Second, 15 * time.Second, time.Minute}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	b := &Broker{
		url: url, topology: topology{name: opts.Name, levels: len(opts.RetryDelays)},
		delays: opts.RetryDelays, tracer: opts.Tracer, log: opts.Log, metrics: newMetrics(),
	}
	b.publisher = &publisher{broker: b, breaker: opts.Breaker}
	return b
}

// CheckURL reports whether an AMQP URL can be parsed, in words that do not
// repeat it, for it holds a password.
func CheckURL(url string) error {
	if _, err := amqp.ParseURI(url); err != nil {
		return errors.New("not an AMQP URL such as amqp://user:password@host:5672/")
	}
	return nil
}

// Check reports whether the broker can be published to. It connects if need be.
func (b *Broker) Check(ctx context.Context) error { return b.publisher.check(ctx) }

// Close closes the connection for publishing. Connections for consuming are
// closed by the end of [Broker.Consume].
func (b *Broker) Close() error { return b.publisher.close() }

// dial connects and makes sure of the topology. The name is what the broker
// shows the connection under.
func (b *Broker) dial(ctx context.Context, name string) (*amqp.Connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("ledgerd " + name)
	conn, err := amqp.DialConfig(b.url, amqp.Config{
		Heartbeat: heartbeat, Dial: amqp.DefaultDial(dialTimeout), Properties: properties,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	if err := b.declare(ctx, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("declare topology: %w", err), hangUp(conn))
	}
	b.metrics.connects.WithLabelValues(name).Inc()
	b.log.InfoContext(ctx, "connected to broker", slog.String("connection", name))
	return conn, nil
}

// declare makes everything exist, and tells of queues that have existed before
// and do not any more. On a new broker none has.
func (b *Broker) declare(ctx context.Context, conn *amqp.Connection) error {
	known, last := b.declared.Load(), b.topology.last()
	lost, err := lostOf(conn, b.topology.names()...)
	if err != nil {
		return err
	}
	if known || !slices.Contains(lost, last) {
		b.tellLost(ctx, lost)
	}
	if err := b.topology.declareOn(conn); err != nil {
		return err
	}
	b.declared.Store(true)
	return nil
}

// tellLost tells that queues were missing. What was published meanwhile to an
// exchange that has other queues did not reach them, and nobody else noticed.
func (b *Broker) tellLost(ctx context.Context, queues []string) {
	for label, name := range b.topology.queues() {
		if slices.Contains(queues, name) {
			b.metrics.lost.WithLabelValues(label).Inc()
			b.log.Log(ctx, obs.LevelCritical, "queue was missing, and what was published meanwhile did not reach it", slog.String("queue", label))
		}
	}
}

// hangUp closes a connection without waiting long for a broker that is gone.
func hangUp(conn *amqp.Connection) error {
	err := conn.CloseDeadline(time.Now().Add(closeTimeout))
	if errors.Is(err, amqp.ErrClosed) {
		return nil
	}
	return err
}

// keep keeps a session going until ctx is done. A session has a connection of
// its own and ends with it; the next begins after a pause that grows and is
// random, so that a broker that returns is not met by everybody at once.
func (b *Broker) keep(ctx context.Context, name string, session func(context.Context, *amqp.Connection)) {
	pause := newBackOff(pauseFirst, pauseMost)
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
		b.log.WarnContext(ctx, "broker session ended",
			slog.String("connection", name), slog.Duration("again_in", wait), obs.Err(err))
		if !sleep(ctx, wait) {
			return
		}
	}
}

// once runs one session. Its context ends with the connection.
func (b *Broker) once(ctx context.Context, name string, session func(context.Context, *amqp.Connection)) error {
	conn, err := b.dial(ctx, name)
	if err != nil {
		return err
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
	session(ctx, conn)
	cancel(nil)
	<-watched
	return errors.Join(context.Cause(ctx), hangUp(conn))
}

// asError turns a nil *amqp.Error into a nil error.
func asError(reason *amqp.Error) error {
	if reason == nil {
		return nil
	}
	return reason
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
