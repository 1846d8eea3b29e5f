package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/payments"
	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	prefetch      = 32
	settlers      = 4 // deliveries handled at once
	settleTimeout = 5 * time.Second
	settleFirst   = 100 * time.Millisecond // pauses between attempts
	settleMost    = 2 * time.Second
)

// The headers of a dead letter that say why and where it died.
const (
	DeadReasonHeader = "Ledger-Dead-Reason"
	DeadQueueHeader  = "Ledger-Dead-Queue"
)

// A Settlement settles the transfers that the events tell of.
type Settlement struct {
	Ledger *store.Primary
	Cache  *cache.Cache
	Broker *Broker
	Ready  func() // called whenever it begins to consume
	Log    *slog.Logger
}

// Run settles until ctx is done.
func (s *Settlement) Run(ctx context.Context) { s.Broker.run(ctx, "settlement", s.session) }

// session consumes until the connection or ctx ends.
func (s *Settlement) session(ctx context.Context, conn *amqp.Connection) error {
	dead, err := newPublisher(conn, 1)
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	if err = ch.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("bound prefetch: %w", err)
	}
	deliveries, err := ch.ConsumeWithContext(context.WithoutCancel(ctx), Queue, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	s.Ready()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for range settlers {
		wg.Go(func() { cancel(s.consume(ctx, deliveries, dead)) })
	}
	wg.Wait()
	return context.Cause(ctx)
}

// consume handles deliveries until there are no more or ctx is done.
func (s *Settlement) consume(ctx context.Context, deliveries <-chan amqp.Delivery, dead *publisher) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d, open := <-deliveries:
			if !open {
				return errors.New("the broker ended the deliveries")
			}
			if err := s.handle(ctx, d, dead); err != nil {
				return err
			}
		}
	}
}

// handle brings a delivery to its end: settled, or dead with a reason; then
// and only then it is acknowledged. Whatever else happens it stays with the
// broker and comes again.
func (s *Settlement) handle(ctx context.Context, d amqp.Delivery, dead *publisher) error {
	correlation, _ := d.Headers[obs.CorrelationHeader].(string)
	ctx = obs.WithCorrelation(ctx, correlation)
	event, err := decodeAccepted(d.Body)
	if err == nil {
		err = s.settle(ctx, event.TransferID)
	}
	switch {
	case err == nil:
		payments.Invalidate(ctx, s.Cache, event.Timeline, event.changed()...)
	case errors.Is(err, errMalformed), errors.Is(err, domain.ErrNotFound):
		s.Log.ErrorContext(ctx, "dead letter", slog.String("message_id", d.MessageId), obs.Err(err))
		if buryErr := bury(ctx, d, err, dead); buryErr != nil {
			return buryErr
		}
	default:
		return err
	}
	if err := d.Ack(false); err != nil {
		return fmt.Errorf("acknowledge delivery: %w", err)
	}
	return nil
}

// settle tries until the database answers or ctx is done. An attempt that has
// begun is finished within its timeout. Not knowing the outcome of one is no
// different from knowing that it failed: the next finds out.
func (s *Settlement) settle(ctx context.Context, id uuid.UUID) error {
	pause := newBackOff(settleFirst, settleMost)
	for {
		err := s.attempt(ctx, id)
		if err == nil || errors.Is(err, domain.ErrNotFound) {
			return err
		}
		wait := pause.NextBackOff()
		s.Log.WarnContext(ctx, "settlement failed",
			slog.String("transfer_id", id.String()), slog.Duration("again_in", wait), obs.Err(err))
		if !sleep(ctx, wait) {
			return context.Cause(ctx)
		}
	}
}

func (s *Settlement) attempt(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return s.Ledger.Settle(ctx, id)
}

// bury publishes a copy of the delivery as a dead letter. It does not leave
// that to the broker's own dead-lettering, which keeps no reason and does not
// confirm.
func bury(ctx context.Context, d amqp.Delivery, reason error, dead *publisher) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	headers := maps.Clone(d.Headers)
	if headers == nil {
		headers = amqp.Table{}
	}
	headers[DeadReasonHeader] = reason.Error()
	headers[DeadQueueHeader] = Queue
	_, err := dead.publish(ctx, []message{{exchange: DeadExchange, key: DeadQueue, Publishing: amqp.Publishing{
		MessageId: d.MessageId, Type: d.Type, ContentType: d.ContentType, Headers: headers, Body: d.Body,
	}}})
	if err != nil {
		return fmt.Errorf("bury delivery: %w", err)
	}
	return nil
}

// accepted is the payload of the event that tells of a new transfer.
type accepted struct {
	TransferID  uuid.UUID `json:"transfer_id"`
	Timeline    int       `json:"timeline"`
	From        int64     `json:"from"`
	FromVersion int64     `json:"from_version"`
	To          int64     `json:"to"`
	ToVersion   int64     `json:"to_version"`
}

// changed lists the accounts as the transfer left them.
func (a accepted) changed() []store.AccountVersion {
	return []store.AccountVersion{{Account: a.From, Version: a.FromVersion}, {Account: a.To, Version: a.ToVersion}}
}

var errMalformed = errors.New("malformed event")

func decodeAccepted(body []byte) (accepted, error) {
	var a accepted
	if err := json.Unmarshal(body, &a); err != nil {
		return accepted{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if a.TransferID == uuid.Nil || a.Timeline < 0 || a.FromVersion < 0 || a.ToVersion < 0 {
		return accepted{}, fmt.Errorf("%w: transfer_id is missing or a number is negative", errMalformed)
	}
	return a, nil
}
