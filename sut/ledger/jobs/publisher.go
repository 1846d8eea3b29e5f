package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	errUnroutable = errors.New("no queue takes the message")
	errNotTaken   = errors.New("the broker did not confirm the message")
)

// A message is something to publish. Its id must be unique among those that
// are published together.
type message struct {
	exchange string
	key      string
	amqp.Publishing
}

// A publisher publishes persistent messages and learns of each whether the
// broker has it safe.
type publisher struct {
	mu      sync.Mutex
	ch      *amqp.Channel
	returns chan amqp.Return
}

// newPublisher returns a publisher for up to most messages at a time.
func newPublisher(conn *amqp.Connection, most int) (*publisher, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	// The library stops reading from the connection while nobody takes a
	// return, so there must be room for all that can come.
	return &publisher{ch: ch, returns: ch.NotifyReturn(make(chan amqp.Return, most))}, nil
}

// publish publishes the messages and waits for the confirms. It returns the
// indices of those that are in a queue, and an error if any is not.
//
// A confirm alone is not enough: the broker also confirms what it throws away
// for want of a queue. Such messages are mandatory and come back, before their
// confirm does.
func (p *publisher) publish(ctx context.Context, messages []message) (confirmed []int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	confirms := make([]*amqp.DeferredConfirmation, len(messages))
	for i, m := range messages {
		m.DeliveryMode = amqp.Persistent
		confirms[i], err = p.ch.PublishWithDeferredConfirmWithContext(ctx, m.exchange, m.key, true, false, m.Publishing)
		if err != nil {
			confirms = confirms[:i]
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
		switch id := messages[i].MessageId; { //nolint:gosec // acked is no longer than messages
		case returned[id]:
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
