package payments

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
)

// A finder reads single things.
type finder interface {
	FindCustomer(ctx context.Context, id int64) (domain.Customer, domain.Origin, error)
	FindAccount(ctx context.Context, id int64) (domain.Account, domain.Origin, error)
	FindTransfer(ctx context.Context, id uuid.UUID) (domain.Transfer, domain.Origin, error)
	FindStatement(ctx context.Context, id uuid.UUID) (domain.Statement, domain.Origin, error)
}

// A lister reads pages, each with one query.
type lister interface {
	ListCustomers(ctx context.Context, f domain.CustomerFilter, p domain.Page) ([]domain.Customer, *domain.Cursor, domain.Origin, error)
	ListAccounts(ctx context.Context, f domain.AccountFilter, p domain.Page) ([]domain.Account, *domain.Cursor, domain.Origin, error)
	ListTransfers(ctx context.Context, f domain.TransferFilter, p domain.Page) ([]domain.Transfer, *domain.Cursor, domain.Origin, error)
	ListStatements(ctx context.Context, f domain.StatementFilter, p domain.Page) ([]domain.Statement, *domain.Cursor, domain.Origin, error)
	ListNotifications(ctx context.Context, f domain.NotificationFilter, p domain.Page) ([]domain.Notification, *domain.Cursor, domain.Origin, error)
}

// A node is what the primary and the replicas have in common.
type node interface {
	finder
	lister
}

// found is what a read returned.
type found[T any] struct {
	value  T
	origin domain.Origin
}

// A load reads something from a node.
type load[T any] func(context.Context, node) (found[T], error)

// A follow gives the view of the replica that includes a position.
type follow func(domain.Position) node

func (l *Ledger) follow(p domain.Position) node { return l.replica.After(p) }

// read reads from the node that the reading asks for.
//
// A replica that is behind, away or silent is no reason to fail: the primary has
// all that the replica has, and the answer says who gave it. So a replica has
// half of the time there is.
func read[T any](ctx context.Context, primary node, replica follow, want domain.Reading, from load[T]) (found[T], error) {
	if want.Want == domain.Follower {
		half, cancel := halfOf(ctx)
		f, err := from(half, replica(want.After))
		silent := half.Err() != nil && ctx.Err() == nil
		cancel()
		if !silent && !errors.Is(err, domain.ErrBehind) && !errors.Is(err, domain.ErrUnavailable) {
			return f, err
		}
	}
	return twice(ctx, func() (found[T], error) { return from(ctx, primary) })
}

// halfOf returns a context with half of the time of another.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

const (
	// hasty is how quickly an attempt must have failed to be made again. What
	// failed at once met a connection that broke, and another one will do.
	// What failed later had waited in vain, and so would the second attempt:
	// in an outage that doubles the requests in flight.
	hasty      = 200 * time.Millisecond
	retryPause = 20 * time.Millisecond // on average; jittered by half
)

// twice makes an attempt, and a second one if the first failed at once, with
// [domain.ErrUnavailable], which says that it changed nothing. The context
// bounds both together.
func twice[T any](ctx context.Context, attempt func() (T, error)) (T, error) {
	began := time.Now()
	value, err := attempt()
	if !errors.Is(err, domain.ErrUnavailable) || time.Since(began) > hasty {
		return value, err
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = retryPause
	timer := time.NewTimer(pause.NextBackOff())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return value, err
	case <-timer.C:
		return attempt()
	}
}

// A shelf keeps copies of the things of one kind in the cache. It merges the
// reads of one thing, so that a crowd of readers costs the database two
// queries when a copy expires.
type shelf[T any] struct {
	kind    cache.Kind
	version func(T) (number int64, ok bool) // not ok if no copy may be kept
	flight  cache.Flight[found[T]]
}

// find reads one thing, from the cache if the reading allows it.
func (s *shelf[T]) find(ctx context.Context, l *Ledger, key string, want domain.Reading, from load[T]) (T, domain.Origin, error) {
	if want.Want != domain.Default {
		f, err := read(ctx, l.primary, l.follow, want, from)
		return f.value, f.origin, err
	}
	if value, ok := s.cached(ctx, l.cache, key); ok {
		return value, domain.Origin{Source: domain.Cache}, nil
	}
	f, err := s.flight.Do(ctx, key, l.timeout, func(ctx context.Context) (found[T], error) {
		f, err := read(ctx, l.primary, l.follow, want, from)
		if err == nil {
			l.observe(f.origin)
			s.fill(ctx, l.cache, key, f)
		}
		return f, err
	})
	return f.value, f.origin, err
}

// cached returns the copy of a thing. What cannot be decoded was written by
// another release and is a miss.
func (s *shelf[T]) cached(ctx context.Context, c *cache.Cache, key string) (value T, ok bool) {
	payload, ok := c.Get(ctx, s.kind, key)
	if !ok || json.Unmarshal([]byte(payload), &value) != nil {
		return value, false
	}
	return value, true
}

func (s *shelf[T]) fill(ctx context.Context, c *cache.Cache, key string, f found[T]) {
	number, ok := s.version(f.value)
	if !ok {
		return
	}
	if payload, err := json.Marshal(f.value); err == nil {
		c.Put(ctx, s.kind, key, cache.Version{Timeline: f.origin.Timeline, Number: number}, string(payload))
	}
}

// list reads one page. Pages are not cached: they change with every insert.
func list[T any](
	ctx context.Context, l *Ledger, want domain.Reading,
	from func(context.Context, node) ([]T, *domain.Cursor, domain.Origin, error),
) (List[T], error) {
	f, err := read(ctx, l.primary, l.follow, want, func(ctx context.Context, n node) (found[List[T]], error) {
		items, next, origin, err := from(ctx, n)
		return found[List[T]]{value: List[T]{Items: items, Next: next, Origin: origin}}, err
	})
	return f.value, err
}
