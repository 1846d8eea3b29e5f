package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/obs"
)

// A DeadLetter is a message that was given up.
type DeadLetter struct {
	Queue       string    // short name of the queue it died in
	MessageID   string    // of its event
	Topic       string    // of its event
	Reason      string    // of its last failure
	Attempts    int       // that failed
	DiedAt      time.Time // by the worker's clock; zero if unknown
	Correlation string    // id of the request that led to it
	Body        []byte
}

// A DeadLetterFilter says which dead letters are meant. Zero values restrict
// nothing.
type DeadLetterFilter struct {
	MessageID string
	Topic     string
	Reason    string    // a part of it, whatever its case
	Before    time.Time // died earlier than this, or at an unknown time
	Limit     int       // only as many of them, the oldest
}

// means reports whether a dead letter is among those that are meant.
func (f DeadLetterFilter) means(l DeadLetter) bool {
	return (f.MessageID == "" || f.MessageID == l.MessageID) &&
		(f.Topic == "" || f.Topic == l.Topic) &&
		strings.Contains(strings.ToLower(l.Reason), strings.ToLower(f.Reason)) &&
		(f.Before.IsZero() || l.DiedAt.Before(f.Before))
}

// DeadLetters returns dead letters of a queue, which is given by its short
// name, oldest first. They stay where they are.
func (b *Broker) DeadLetters(ctx context.Context, queue string, f DeadLetterFilter) ([]DeadLetter, error) {
	var letters []DeadLetter
	_, err := b.walk(ctx, queue, f, func(_ context.Context, found []deadDelivery) ([]int, error) {
		for _, d := range found {
			letters = append(letters, d.DeadLetter)
		}
		return nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters of %s: %w", queue, err)
	}
	return letters, nil
}

// ReplayDeadLetters has dead letters tried again as if they were new, by the
// queue they died in and no other. It returns how many; those are no dead
// letters any more, and an error says why it was not all of them. Should the
// connection break in the very moment, a letter is replayed and stays, which
// does no harm: effects are idempotent.
func (b *Broker) ReplayDeadLetters(ctx context.Context, queue string, f DeadLetterFilter) (int, error) {
	n, err := b.walk(ctx, queue, f, func(ctx context.Context, found []deadDelivery) ([]int, error) {
		again := make([]message, len(found))
		for i, d := range found {
			again[i] = message{key: b.topology.queue(queue), Publishing: copyOf(d.Delivery, revived(d.Headers))}
		}
		done, err := b.publisher.publish(ctx, again)
		for _, at := range done {
			d := found[at]
			b.log.InfoContext(correlated(ctx, d.Headers), "dead letter replayed", slog.Any("letter", d.DeadLetter))
		}
		return done, err
	})
	if err != nil {
		return n, fmt.Errorf("replay dead letters of %s: %w", queue, err)
	}
	return n, nil
}

// PurgeDeadLetters removes dead letters for good and returns how many. The log
// keeps what each was.
func (b *Broker) PurgeDeadLetters(ctx context.Context, queue string, f DeadLetterFilter) (int, error) {
	n, err := b.walk(ctx, queue, f, func(ctx context.Context, found []deadDelivery) ([]int, error) {
		done := make([]int, len(found))
		for i, d := range found {
			done[i] = i
			b.log.InfoContext(correlated(ctx, d.Headers), "dead letter purged", slog.Any("letter", d.DeadLetter))
		}
		return done, nil
	})
	if err != nil {
		return n, fmt.Errorf("purge dead letters of %s: %w", queue, err)
	}
	return n, nil
}

// LogValue implements [slog.LogValuer].
func (l DeadLetter) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("queue", l.Queue), slog.String("message_id", l.MessageID), slog.String("topic", l.Topic),
		slog.Int("attempts", l.Attempts), slog.String("reason", l.Reason), slog.String("body", shortened(string(l.Body))))
}

// deadDelivery is a dead letter that was taken from its queue and not yet
// acknowledged.
type deadDelivery struct {
	DeadLetter
	amqp.Delivery
}

// walk takes the dead letters that a filter means from their queue, hands them
// over in batches, and removes those that are done with, which handle returns
// by their indices. All others are in their places again when walk returns.
// What dies meanwhile is left alone.
func (b *Broker) walk(
	ctx context.Context, queue string, f DeadLetterFilter, handle func(context.Context, []deadDelivery) ([]int, error),
) (removed int, err error) {
	if !slices.Contains(Queues(), queue) {
		return 0, fmt.Errorf("there is no queue %q, only %s", queue, strings.Join(Queues(), ", "))
	}
	conn, err := b.dial(ctx, "dead letters")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hangUp(conn)) }()
	defer context.AfterFunc(ctx, func() { _ = hangUp(conn) })()
	ch, err := conn.Channel()
	if err != nil {
		return 0, fmt.Errorf("open channel: %w", err)
	}
	state, err := ch.QueueDeclarePassive(b.topology.deadQueue(queue), true, false, false, false, nil)
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	left, limit := state.Messages, f.Limit
	if limit <= 0 {
		limit = left
	}
	for left > 0 && limit > 0 {
		found, looked, err := b.takeDead(ch, queue, f, left, min(limit, publishBatch))
		if err != nil || len(found) == 0 {
			return removed, errors.Join(err, ctx.Err())
		}
		left, limit = left-looked, limit-len(found)
		done, err := handle(ctx, found)
		for _, at := range done {
			if ackErr := found[at].Ack(false); ackErr != nil {
				return removed, errors.Join(err, fmt.Errorf("acknowledge: %w", ackErr))
			}
			removed++
		}
		if err != nil {
			return removed, err
		}
	}
	return removed, ch.Close() // which returns to the queue what is not acknowledged
}

// takeDead looks at up to most dead letters, until it has found as many as
// wanted of those that are meant. It returns fewer at the end of the queue.
func (b *Broker) takeDead(
	ch *amqp.Channel, queue string, f DeadLetterFilter, most, wanted int,
) (found []deadDelivery, looked int, err error) {
	for looked < most && len(found) < wanted {
		d, ok, err := ch.Get(b.topology.deadQueue(queue), false)
		if err != nil {
			return nil, looked, fmt.Errorf("take: %w", err)
		}
		if !ok {
			break
		}
		looked++
		if letter := deadLetter(queue, d); f.means(letter) {
			found = append(found, deadDelivery{letter, d})
		}
	}
	return found, looked, nil
}

// deadLetter reads what a delivery from a queue of dead letters says of itself.
func deadLetter(queue string, d amqp.Delivery) DeadLetter {
	text := func(header string) string {
		s, _ := d.Headers[header].(string)
		return s
	}
	diedAt, err := time.Parse(time.RFC3339, text(DeadTimeHeader))
	if err != nil {
		diedAt = time.Time{}
	}
	return DeadLetter{
		Queue: queue, MessageID: d.MessageId, Topic: d.Type, Reason: text(DeadReasonHeader),
		Attempts: attemptsOf(d.Headers), DiedAt: diedAt, Correlation: text(obs.CorrelationHeader), Body: d.Body,
	}
}

// revived returns the headers without what its death has put there.
func revived(headers amqp.Table) amqp.Table {
	own := ownHeaders(headers)
	for _, name := range []string{AttemptsHeader, DeadReasonHeader, DeadQueueHeader, DeadTimeHeader} {
		delete(own, name)
	}
	return own
}
