package jobs

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

// The headers of messages that failed.
const (
	// AttemptsHeader counts how often a message was tried in vain.
	AttemptsHeader = "Ledger-Attempts"
	// DeadReasonHeader says why a dead letter died.
	DeadReasonHeader = "Ledger-Dead-Reason"
	// DeadQueueHeader says in which queue, by its full name.
	DeadQueueHeader = "Ledger-Dead-Queue"
	// DeadTimeHeader says when, by the worker's clock, as of RFC 3339.
	DeadTimeHeader = "Ledger-Dead-Time"
)

const (
	delayShare = 0.25 // by which delays vary to either side
	maxReason  = 500  // bytes of a reason that are kept
)

// isEnvironment reports whether an error says nothing about the message: the
// database could not do it now, or nobody knows whether it did.
func isEnvironment(err error) bool {
	return errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrUnknownOutcome) ||
		errors.Is(err, resilience.ErrOpen) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// isPoison reports whether a message will never take effect.
func isPoison(err error) bool {
	return errors.Is(err, errMalformed) || errors.Is(err, domain.ErrNotFound) || errors.Is(err, domain.ErrUnknownAccount)
}

// onward returns the message that takes a failed delivery to where it goes
// next: to wait for another attempt, or to the dead letters.
//
// The broker's own dead-lettering does not do, for it keeps no reason.
func (c *consumer) onward(ctx context.Context, d amqp.Delivery, reason error) message {
	ctx = correlated(ctx, d.Headers)
	attempts := attemptsOf(d.Headers) + 1
	log := c.log.With(slog.String("message_id", d.MessageId), slog.Int("attempts", attempts), obs.Err(reason))
	headers := ownHeaders(d.Headers)
	headers[AttemptsHeader] = int32(attempts) //nolint:gosec // at most maxAttempts
	t := c.broker.topology
	if isPoison(reason) || attempts > len(c.broker.delays) {
		log.Log(ctx, obs.LevelCritical, "dead letter")
		headers[DeadReasonHeader] = shortened(reason.Error())
		headers[DeadQueueHeader] = t.queue(c.queue)
		headers[DeadTimeHeader] = time.Now().UTC().Format(time.RFC3339)
		return message{exchange: t.deadExchange(), key: t.deadQueue(c.queue), Publishing: copyOf(d, headers)}
	}
	delay := delayed(c.broker.delays[attempts-1], rand.Float64())
	log.WarnContext(ctx, "delivery failed", slog.Duration("again_in", delay))
	headers[levelHeader] = strconv.Itoa(attempts)
	m := message{exchange: t.retryExchange(), key: t.queue(c.queue), Publishing: copyOf(d, headers)}
	m.Expiration = strconv.FormatInt(max(1, delay.Milliseconds()), 10)
	return m
}

// correlated returns a context with the correlation id of a message.
func correlated(ctx context.Context, headers amqp.Table) context.Context {
	id, _ := headers[obs.CorrelationHeader].(string)
	if id == "" {
		return ctx
	}
	return obs.WithCorrelation(ctx, id)
}

// copyOf returns what a delivery carried, with other headers.
func copyOf(d amqp.Delivery, headers amqp.Table) amqp.Publishing {
	return amqp.Publishing{
		MessageId: d.MessageId, Type: d.Type, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		Timestamp: d.Timestamp, Headers: headers, Body: d.Body,
	}
}

// ownHeaders returns the headers without those that the broker adds and those
// that belong to one hop.
func ownHeaders(headers amqp.Table) amqp.Table {
	own := maps.Clone(headers)
	if own == nil {
		own = amqp.Table{}
	}
	maps.DeleteFunc(own, func(name string, _ any) bool {
		return strings.HasPrefix(name, "x-") || name == levelHeader
	})
	return own
}

// maxAttempts bounds what is believed of a count that came from outside.
const maxAttempts = 1000

// attemptsOf returns how often a message was tried in vain.
func attemptsOf(headers amqp.Table) int {
	var n int64
	switch v := headers[AttemptsHeader].(type) {
	case int32:
		n = int64(v)
	case int64:
		n = v
	}
	return int(min(max(n, 0), maxAttempts))
}

// delayed varies a delay. u is uniform in [0, 1).
func delayed(d time.Duration, u float64) time.Duration {
	return time.Duration(float64(d) * (1 + delayShare*(2*u-1)))
}

// shortened cuts a reason to what is kept.
func shortened(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "..."
}
