// Package payments holds the use cases of the ledger: it joins the store,
// which is right, with the cache, which is fast.
//
// What is tried a second time, and when, is decided here and nowhere else:
// reads, and those changes that carry an id made by the client, if the first
// attempt changed nothing and failed at once.
package payments

import (
	"context"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/store"
)

// Ledger serves customers, accounts, transfers and statements. Use [New] to
// get one.
type Ledger struct {
	primary *store.Primary
	replica *store.Replica
	cache   *cache.Cache
	timeout time.Duration

	timeline atomic.Int64 // the newest that any answer came from

	customers  shelf[domain.Customer]
	accounts   shelf[domain.Account]
	transfers  shelf[domain.Transfer]
	statements shelf[domain.Statement]
}

// Written is the answer to a change: what it left, whether an earlier request
// had made it already, and how far a replica has to be to show it.
type Written[T any] = store.Written[T]

// A List is one page of a list.
type List[T any] struct {
	Items  []T
	Next   *domain.Cursor // nil if there is nothing behind
	Origin domain.Origin
}

// New returns a ledger. No read that several callers share takes longer than
// timeout.
func New(primary *store.Primary, replica *store.Replica, c *cache.Cache, timeout time.Duration) *Ledger {
	return &Ledger{
		primary: primary, replica: replica, cache: c, timeout: timeout,
		customers:  shelf[domain.Customer]{kind: "customer", version: versionOfCustomer},
		accounts:   shelf[domain.Account]{kind: "account", version: versionOfAccount},
		transfers:  shelf[domain.Transfer]{kind: "transfer", version: versionOfTransfer},
		statements: shelf[domain.Statement]{kind: "statement", version: versionOfStatement},
	}
}

func customerKey(id int64) string      { return "ledger:customer:" + strconv.FormatInt(id, 10) }
func accountKey(id int64) string       { return "ledger:account:" + strconv.FormatInt(id, 10) }
func transferKey(id uuid.UUID) string  { return "ledger:transfer:" + id.String() }
func statementKey(id uuid.UUID) string { return "ledger:statement:" + id.String() }

// Invalidate makes the cache forget what is older than these versions of
// accounts, which were written on the given timeline.
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

// InvalidateTransfers makes the cache forget transfers, whose refunds changed
// on the given timeline.
func InvalidateTransfers(ctx context.Context, c *cache.Cache, timeline int, transfers ...uuid.UUID) {
	if len(transfers) == 0 {
		return
	}
	versions := make(map[string]cache.Version, len(transfers))
	for _, id := range transfers {
		versions[transferKey(id)] = cache.Version{Timeline: timeline, Number: beyondAll}
	}
	c.Invalidate(ctx, versions)
}

// beyondAll is a version newer than all that will be. Invalidated with it, a
// thing is not cached until the mark expires, whatever is read meanwhile: for
// changes that do not tell the version they made.
const beyondAll = math.MaxInt64

// invalidate makes the cache forget what is older than a version of one thing.
// A change with an unknown outcome may know neither version nor timeline; the
// newest timeline is then the one it was made on, if it was made.
func (l *Ledger) invalidate(ctx context.Context, key string, origin domain.Origin, number int64) {
	if number == 0 {
		number = beyondAll
	}
	v := cache.Version{Timeline: l.observe(origin), Number: number}
	l.cache.Invalidate(ctx, map[string]cache.Version{key: v})
}

// observe notes where an answer came from and returns the newest timeline.
func (l *Ledger) observe(origin domain.Origin) int {
	for {
		seen := l.timeline.Load()
		if int64(origin.Timeline) <= seen {
			return int(seen)
		}
		if l.timeline.CompareAndSwap(seen, int64(origin.Timeline)) {
			return origin.Timeline
		}
	}
}

// metaOf is what the events of a change carry of the request that made it.
func metaOf(ctx context.Context) store.Meta {
	return store.Meta{Correlation: obs.Correlation(ctx), Traceparent: obs.Traceparent(ctx)}
}
