// Package payments holds the use cases of the ledger: it joins the store,
// which is right, with the cache, which is fast.
package payments

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/store"
)

// Ledger serves transfers and accounts. Use [New] to get one.
type Ledger struct {
	primary *store.Primary
	replica *store.Replica
	cache   *cache.Cache
	timeout time.Duration

	transfers cache.Flight[found[domain.Transfer]]
	accounts  cache.Flight[found[domain.Account]]
}

// New returns a ledger. No read that several callers share takes longer than
// timeout.
func New(primary *store.Primary, replica *store.Replica, c *cache.Cache, timeout time.Duration) *Ledger {
	return &Ledger{primary: primary, replica: replica, cache: c, timeout: timeout}
}

// A Receipt is the answer to an accepted transfer.
type Receipt struct {
	Transfer domain.Transfer
	Replayed bool // an earlier request had placed it
	Origin   domain.Origin
}

// Place places a transfer. It is idempotent by the transfer's id.
//
// The accounts are invalidated once the commit was answered, and before the
// caller is: whoever learns of the transfer and then reads finds it. They are
// also invalidated when the outcome is unknown, for the commit may have
// happened. Should this process die in between, the settlement does it.
func (l *Ledger) Place(ctx context.Context, t domain.Transfer) (Receipt, error) {
	placed, err := l.primary.Place(ctx, t, obs.Correlation(ctx))
	if err == nil || errors.Is(err, domain.ErrUnknownOutcome) {
		Invalidate(ctx, l.cache, placed.Origin.Timeline, placed.Changed...)
	}
	return Receipt{Transfer: placed.Transfer, Replayed: placed.Replayed, Origin: placed.Origin}, err
}

// Invalidate makes the cache forget what is older than these versions, which
// were written on the given timeline.
func Invalidate(ctx context.Context, c *cache.Cache, timeline int, changed ...store.AccountVersion) {
	if len(changed) == 0 {
		return
	}
	versions := make(map[string]cache.Version, len(changed))
	for _, a := range changed {
		versions[accountKey(a.Account)] = cache.Version{Timeline: timeline, Number: a.Version}
	}
	c.Invalidate(ctx, versions)
}

// found is what a read of the database returned.
type found[T any] struct {
	value  T
	origin domain.Origin
}

// Transfer returns a transfer.
//
// Only settled ones are cached. They never change again, so their copies are
// never stale, and the others will be settled in a moment.
func (l *Ledger) Transfer(ctx context.Context, id uuid.UUID, want domain.Consistency) (domain.Transfer, domain.Origin, error) {
	switch want {
	case domain.Strong:
		return l.primary.FindTransfer(ctx, id)
	case domain.Follower:
		return l.replica.FindTransfer(ctx, id)
	case domain.Default:
	}
	key := "ledger:transfer:" + id.String()
	if t, ok := cached[domain.Transfer](ctx, l.cache, key); ok {
		return t, domain.Origin{Source: domain.Cache}, nil
	}
	f, err := l.transfers.Do(ctx, key, l.timeout, func(ctx context.Context) (f found[domain.Transfer], err error) {
		f.value, f.origin, err = l.primary.FindTransfer(ctx, id)
		if err == nil && f.value.Status == domain.Settled {
			fill(ctx, l.cache, key, cache.Version{Timeline: f.origin.Timeline}, f.value)
		}
		return f, err
	})
	return f.value, f.origin, err
}

// Account returns an account.
func (l *Ledger) Account(ctx context.Context, id int64, want domain.Consistency) (domain.Account, domain.Origin, error) {
	switch want {
	case domain.Strong:
		return l.primary.FindAccount(ctx, id)
	case domain.Follower:
		return l.replica.FindAccount(ctx, id)
	case domain.Default:
	}
	key := accountKey(id)
	if a, ok := cached[domain.Account](ctx, l.cache, key); ok {
		return a, domain.Origin{Source: domain.Cache}, nil
	}
	f, err := l.accounts.Do(ctx, key, l.timeout, func(ctx context.Context) (f found[domain.Account], err error) {
		f.value, f.origin, err = l.primary.FindAccount(ctx, id)
		if err == nil {
			fill(ctx, l.cache, key, cache.Version{Timeline: f.origin.Timeline, Number: f.value.Version}, f.value)
		}
		return f, err
	})
	return f.value, f.origin, err
}

func accountKey(id int64) string { return "ledger:account:" + strconv.FormatInt(id, 10) }

// cached returns the value of a key. What cannot be decoded was written by
// another release and is a miss.
func cached[T any](ctx context.Context, c *cache.Cache, key string) (value T, ok bool) {
	payload, ok := c.Get(ctx, key)
	if !ok || json.Unmarshal([]byte(payload), &value) != nil {
		return value, false
	}
	return value, true
}

func fill(ctx context.Context, c *cache.Cache, key string, v cache.Version, value any) {
	if payload, err := json.Marshal(value); err == nil {
		c.Put(ctx, key, v, string(payload))
	}
}
