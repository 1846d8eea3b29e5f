package jobs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The queues of work, by their short names; on the broker they are prefixed
// with its name and a dot.
const (
	SettlementQueue    = "settlement"
	NotificationsQueue = "notifications"
	ProjectionQueue    = "projection"
	StatementsQueue    = "statements"
)

// Queues returns the short names of the queues of work.
func Queues() []string {
	return []string{SettlementQueue, NotificationsQueue, ProjectionQueue, StatementsQueue}
}

// The topics of the events.
const (
	topicAccepted  = "transfer.accepted"
	topicStatement = "statement.requested"
)

// topicOf returns what a queue of work takes.
func topicOf(queue string) string {
	if queue == StatementsQueue {
		return topicStatement
	}
	return topicAccepted
}

// levelHeader leads a message to the queue in which it waits.
const levelHeader = "Ledger-Retry-Level"

// topology names what is declared on the broker, all of which survives a
// restart of it:
//
//	ledger                     topic: events go to the queues bound to their topic
//	ledger.<queue>             work
//	ledger.retry               headers: by level, the routing key is that of the way back
//	ledger.retry.<level>       messages wait here; when they expire they go back
//	ledger.dead                direct
//	ledger.<queue>.dead        dead letters
type topology struct {
	name   string
	levels int
}

func (t topology) exchange() string              { return t.name }
func (t topology) queue(queue string) string     { return t.name + "." + queue }
func (t topology) retryExchange() string         { return t.name + ".retry" }
func (t topology) retryQueue(level int) string   { return t.name + ".retry." + strconv.Itoa(level) }
func (t topology) deadExchange() string          { return t.name + ".dead" }
func (t topology) deadQueue(queue string) string { return t.name + "." + queue + ".dead" }

// ExchangeName returns the name of the exchange that events are published to.
func (b *Broker) ExchangeName() string { return b.topology.exchange() }

// QueueName returns the full name of a queue of work.
func (b *Broker) QueueName(queue string) string { return b.topology.queue(queue) }

// DeadQueueName returns the full name of the queue of a queue's dead letters.
func (b *Broker) DeadQueueName(queue string) string { return b.topology.deadQueue(queue) }

// queues returns the full names of all queues by what they are called in
// metrics.
func (t topology) queues() map[string]string {
	names := map[string]string{}
	for _, queue := range Queues() {
		names[queue], names[queue+".dead"] = t.queue(queue), t.deadQueue(queue)
	}
	for level := 1; level <= t.levels; level++ {
		names["retry."+strconv.Itoa(level)] = t.retryQueue(level)
	}
	return names
}

// names returns the full names of all queues. The one that is declared last is
// the first: where it was there, what is looked for after it has been declared.
func (t topology) names() []string {
	names := []string{t.last()}
	for _, name := range slices.Sorted(maps.Values(t.queues())) {
		if name != t.last() {
			names = append(names, name)
		}
	}
	return names
}

// last is the full name of the queue that is declared last: where it is, the
// others have been.
func (t topology) last() string {
	if t.levels > 0 {
		return t.retryQueue(t.levels)
	}
	return t.deadQueue(StatementsQueue)
}

// lostOf returns those of the queues that do not exist. They are looked for in
// the given order.
func lostOf(conn *amqp.Connection, queues ...string) (lost []string, err error) {
	var ch *amqp.Channel
	for _, queue := range queues {
		if ch == nil {
			if ch, err = conn.Channel(); err != nil {
				return nil, fmt.Errorf("open channel: %w", err)
			}
		}
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		reason, ok := errors.AsType[*amqp.Error](err)
		switch {
		case ok && reason.Code == amqp.NotFound:
			lost = append(lost, queue)
			ch = nil // the broker closed it
		case err != nil:
			return nil, fmt.Errorf("look for queue %s: %w", queue, err)
		}
	}
	if ch == nil {
		return lost, nil
	}
	return lost, ch.Close()
}

// declareOn makes everything exist.
func (t topology) declareOn(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	err = errors.Join(
		declareExchange(ch, t.exchange(), amqp.ExchangeTopic),
		declareExchange(ch, t.retryExchange(), amqp.ExchangeHeaders),
		declareExchange(ch, t.deadExchange(), amqp.ExchangeDirect),
	)
	for _, queue := range Queues() {
		if err == nil {
			err = errors.Join(
				t.declareWork(ch, queue),
				declareQueue(ch, binding{queue: t.deadQueue(queue), exchange: t.deadExchange(), key: t.deadQueue(queue)}),
			)
		}
	}
	for level := 1; level <= t.levels && err == nil; level++ {
		err = declareQueue(ch, t.retry(level))
	}
	return errors.Join(err, ch.Close())
}

// declareWork makes a queue of work exist.
func (t topology) declareWork(ch *amqp.Channel, queue string) error {
	return declareQueue(ch, binding{queue: t.queue(queue), exchange: t.exchange(), key: topicOf(queue)})
}

// retry returns the queue in which messages of a level wait.
//
// It is a quorum queue because only those keep a message until the queue it
// goes back to has confirmed it; a classic one would lose it if the broker died
// in between. Messages expire from the head only, so one may wait for another
// of its level with a longer delay: half of the level's at most.
func (t topology) retry(level int) binding {
	return binding{
		queue: t.retryQueue(level), exchange: t.retryExchange(),
		match: amqp.Table{"x-match": "all", levelHeader: strconv.Itoa(level)},
		args: amqp.Table{
			amqp.QueueTypeArg:        amqp.QueueTypeQuorum,
			"x-dead-letter-exchange": "", // to the queue that the routing key names
			"x-dead-letter-strategy": "at-least-once",
			amqp.QueueOverflowArg:    amqp.QueueOverflowRejectPublish,
		},
	}
}

// binding is a queue and what it takes.
type binding struct {
	queue, exchange, key string
	match, args          amqp.Table
}

func declareExchange(ch *amqp.Channel, name, kind string) error {
	if err := ch.ExchangeDeclare(name, kind, true, false, false, false, nil); err != nil {
		return fmt.Errorf("exchange %s: %w", name, err)
	}
	return nil
}

func declareQueue(ch *amqp.Channel, b binding) error {
	if _, err := ch.QueueDeclare(b.queue, true, false, false, false, b.args); err != nil {
		return fmt.Errorf("queue %s: %w", b.queue, err)
	}
	if err := ch.QueueBind(b.queue, b.key, b.exchange, false, b.match); err != nil {
		return fmt.Errorf("bind queue %s: %w", b.queue, err)
	}
	return nil
}
