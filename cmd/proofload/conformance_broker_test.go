package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// brokerRows are the faults that RabbitMQ is told to make, or that a client of it
// makes.
func brokerRows(s *stack.Stack) []chaostest.Row {
	const dead = "ledger.statements.dead"
	publishes := throughBroker(s, confirmed)
	lives := throughBroker(s, func(ctx context.Context, ch *amqp.Channel) error {
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		select {
		case err := <-closed:
			return fmt.Errorf("closed: %w", err)
		case <-ctx.Done():
			return nil
		}
	})
	logsIn := throughBroker(s, func(context.Context, *amqp.Channel) error { return nil })
	rows := []chaostest.Row{
		// The first: a worker that comes back from one of the others binds its queues.
		{Kind: "rabbit-unbind", Values: []string{"queue=" + dead}, Probe: throughBroker(s, arrives("ledger.dead", dead))},
		{Kind: "rabbit-memory-alarm", Probe: publishes},
		{Kind: "rabbit-disk-alarm", Probe: publishes},
		{Kind: "rabbit-close-connections", Values: []string{"every=200ms"}, Probe: lives},
		{Kind: "rabbit-stop-app", Probe: logsIn},
		{Kind: "rabbit-deny", Probe: logsIn},
		{Kind: "rabbit-consumer-stall", Values: []string{"queue=ledger.statements"}, Probe: throughBroker(s, asManyConsumers("ledger.statements"))},
		{Kind: "rabbit-poison", Values: []string{"queue=ledger.statements", "every=50ms"}, Probe: throughBroker(s, doesNotGrow(dead))},
		{
			Kind: "rabbit-flood", Values: []string{"messages=2000"},
			Probe: insideNode(s, "rabbitmq", `HOME=/var/lib/rabbitmq; export HOME; echo "length([n || Q <- rabbit_amqqueue:list(), nomatch =/= binary:match(term_to_binary(Q), <<\"proofload-\">>)])." |
	erl_call -n "rabbit@$(hostname -s)" -e | grep -q '{ok, 0}'`),
		},
	}
	for i := range rows {
		rows[i].Family, rows[i].Target = "rabbitmq", "rabbitmq"
	}
	return rows
}

// throughBroker is a probe that does something on a channel of its own, as the
// service would, and finds RabbitMQ broken if that fails. What is done has a part
// of a second for it.
func throughBroker(s *stack.Stack, do func(context.Context, *amqp.Channel) error) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		url, ok := s.Endpoint("amqp/rabbitmq")
		if !ok {
			return false, errors.New("no endpoint of rabbitmq")
		}
		conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(probePatience)})
		if err != nil {
			return true, ctx.Err()
		}
		defer func() { _ = conn.CloseDeadline(time.Now().Add(probePatience / 4)) }() // one that is blocked says no goodbye
		ch, err := conn.Channel()
		if err != nil {
			return true, ctx.Err()
		}
		doing, cancel := context.WithTimeout(ctx, probePatience)
		defer cancel()
		return do(doing, ch) != nil, ctx.Err()
	}
}

// confirmed wants two messages confirmed that go to no queue: a connection is
// blocked from its first on. An empty one would be confirmed all the same.
func confirmed(ctx context.Context, ch *amqp.Channel) error {
	if err := ch.Confirm(false); err != nil {
		return err
	}
	for range 2 {
		c, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "proofload-nowhere", false, false, amqp.Publishing{Body: []byte("proofload")})
		if err != nil {
			return err
		}
		if ok, err := c.WaitContext(ctx); err != nil || !ok {
			return fmt.Errorf("not confirmed: %w", err)
		}
	}
	return nil
}

// arrives wants what is published to an exchange in a queue of that name, and
// takes it out again.
func arrives(exchange, queue string) func(context.Context, *amqp.Channel) error {
	return func(ctx context.Context, ch *amqp.Channel) error {
		returned := ch.NotifyReturn(make(chan amqp.Return, 1))
		if err := ch.Confirm(false); err != nil {
			return err
		}
		c, err := ch.PublishWithDeferredConfirmWithContext(ctx, exchange, queue, true, false, amqp.Publishing{Body: []byte("proofload")})
		if err != nil {
			return err
		}
		_, err = c.WaitContext(ctx)
		if err != nil {
			return err
		}
		select {
		case <-returned: // it comes before the confirmation
			return errors.New("returned")
		default:
		}
		_, _, err = ch.Get(queue, true)
		return err
	}
}

// asManyConsumers wants no more consumers of a queue than when it was asked
// first.
func asManyConsumers(queue string) func(context.Context, *amqp.Channel) error {
	first := 0
	return func(_ context.Context, ch *amqp.Channel) error {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if first == 0 {
			first = q.Consumers
		}
		if err == nil && q.Consumers > first {
			err = errors.New("more consumers")
		}
		return err
	}
}

// doesNotGrow wants a queue as long after a while.
func doesNotGrow(queue string) func(context.Context, *amqp.Channel) error {
	return func(ctx context.Context, ch *amqp.Channel) error {
		before, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			return err
		}
		select {
		case <-time.After(probePatience / 2):
		case <-ctx.Done():
		}
		after, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err == nil && after.Messages > before.Messages {
			err = errors.New("longer")
		}
		return err
	}
}
