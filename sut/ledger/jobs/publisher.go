package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

var (
	errUnroutable = errors.New("no queue takes the message")
	errNotTaken   = errors.New("the broker did not confirm the message")
	errLostQueue  = errors.New("a queue is missing")
)

const (
	publishBatch   = 100             // messages published together at most
	publishTimeout = 5 * time.Second // of such a batch
)

// A message is something to publish. Its id should be unique among those that
// are published together: those with the same id share the worse fate.
type message struct {
	exchange string
	key      string
	amqp.Publishing
}

// A publisher publishes persistent messages and learns of each whether the
// broker has it safe. It connects when it has something to publish, and again
// after any failure, which also declares anew whatever the broker lost.
//
// Its connection is not that of the consumers: a broker that is short of memory
// stops reading from whoever publishes, and acknowledgements must not be stuck
// behind that.
type publisher struct {
	broker  *Broker
	breaker *resilience.Breaker

	mu      sync.Mutex
	conn    *amqp.Connection
	ch      *amqp.Channel
	returns chan amqp.Return
}

// check makes sure of a connection, that all queues are there, and that they
// get what they should. If one is missing it is an error, and the next
// connection declares it.
func (p *publisher) check(ctx context.Context) error {
	return p.guard(ctx, func(ctx context.Context) error {
		if err := p.connect(ctx); err != nil {
			return err
		}
		conn := p.conn
		defer context.AfterFunc(ctx, func() { _ = hangUp(conn) })() // what follows knows no deadline
		lost, err := lostOf(conn, p.broker.topology.names()...)
		if err != nil {
			return err
		}
		if len(lost) > 0 {
			return fmt.Errorf("%w: %s", errLostQueue, strings.Join(lost, ", "))
		}
		return p.broker.topology.declareOn(conn)
	})
}

// guard makes a call while nobody else uses the connection, and gives the
// connection up if the call fails. Every failure is [domain.ErrUnavailable];
// that there is no queue does not speak against the broker.
func (p *publisher) guard(ctx context.Context, call func(context.Context) error) error {
	var astray error
	err := p.breaker.Do(ctx, func(ctx context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err // the connection is not to blame for what others took long to do on it
		}
		err := call(ctx)
		if err != nil {
			err = errors.Join(err, p.hangUp())
		}
		if errors.Is(err, errUnroutable) || errors.Is(err, errLostQueue) {
			astray = err
			return nil
		}
		return err
	})
	if err = errors.Join(err, astray); err != nil {
		return fmt.Errorf("%w: %w", domain.ErrUnavailable, err)
	}
	return nil
}

// refuses reports whether there is no use in trying to publish now.
func (p *publisher) refuses() bool { return p.breaker.State() == resilience.OpenState }

// connect makes sure of a connection. The caller holds the lock.
func (p *publisher) connect(ctx context.Context) error {
	if p.ch != nil && !p.ch.IsClosed() {
		return nil
	}
	if err := p.hangUp(); err != nil {
		return err
	}
	conn, err := p.broker.dial(ctx, "publisher")
	if err != nil {
		return err
	}
	p.conn = conn
	if p.ch, err = conn.Channel(); err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	if err = p.ch.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	// The library stops reading from the connection while nobody takes a
	// return, so there must be room for all that can come.
	p.returns = p.ch.NotifyReturn(make(chan amqp.Return, publishBatch))
	return nil
}

// hangUp gives the connection up. The caller holds the lock.
func (p *publisher) hangUp() error {
	conn := p.conn
	p.conn, p.ch, p.returns = nil, nil, nil
	if conn == nil {
		return nil
	}
	return hangUp(conn)
}

// close ends the connection.
func (p *publisher) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hangUp()
}

// publish publishes up to publishBatch messages and waits for the confirms. It
// returns the indices of those that are in a queue, and an error if any is not.
// A batch that has begun is finished even if ctx ends, within its timeout.
func (p *publisher) publish(ctx context.Context, messages []message) (confirmed []int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	err = p.guard(ctx, func(ctx context.Context) error {
		if connectErr := p.connect(ctx); connectErr != nil {
			return connectErr
		}
		var sendErr error
		confirmed, sendErr = p.send(ctx, messages)
		return sendErr
	})
	return confirmed, err
}

// send does what publish does, on the connection there is.
//
// A confirm alone is not enough: the broker also confirms what it throws away
// for want of a queue. Such messages are mandatory and come back, before their
// confirm does.
func (p *publisher) send(ctx context.Context, messages []message) (confirmed []int, err error) {
	confirms := make([]*amqp.DeferredConfirmation, len(messages))
	for i, m := range messages {
		m.DeliveryMode = amqp.Persistent
		confirms[i], err = p.ch.PublishWithDeferredConfirmWithContext(ctx, m.exchange, m.key, true, false, m.Publishing)
		if err != nil {
			confirms, err = confirms[:i], fmt.Errorf("send message: %w", err)
			break
		}
	}
	acked := make([]bool, len(confirms))
	for i, c := range confirms {
		ok, waitErr := c.WaitContext(ctx)
		if waitErr != nil {
			err = errors.Join(err, fmt.Errorf("wait for confirm: %w", waitErr))
			break
		}
		acked[i] = ok
	}
	returned := p.takeReturns()
	for i, ok := range acked {
		switch id := messages[i].MessageId; {
		case returned[id]:
			p.broker.metrics.unroutable.Inc()
			err = errors.Join(err, fmt.Errorf("message %s: %w", id, errUnroutable))
		case !ok:
			err = errors.Join(err, fmt.Errorf("message %s: %w", id, errNotTaken))
		default:
			confirmed = append(confirmed, i)
		}
	}
	return confirmed, err
}

// takeReturns returns the ids of the messages that came back.
func (p *publisher) takeReturns() map[string]bool {
	ids := map[string]bool{}
	for {
		select {
		case r, open := <-p.returns:
			if !open {
				return ids
			}
			ids[r.MessageId] = true
		default:
			return ids
		}
	}
}
