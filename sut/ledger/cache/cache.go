// Package cache keeps copies in Redis. It can be slow, empty, stale or away
// without ever making an answer wrong:
//
//   - Every call is bounded by a short timeout and a circuit breaker, and a
//     call that fails is a miss.
//   - Values carry versions, and an older one never replaces a newer one. An
//     invalidation leaves a mark with the version it knows of, so a reader that
//     was slow cannot put back what a writer has just overtaken.
//   - Invalidations that fail are owed and repeated until Redis takes them.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/sony/gobreaker/v2"

	"github.com/proofload/proofload/sut/ledger/obs"
)

const (
	callTimeout = 250 * time.Millisecond
	tripAfter   = 5                      // failures in a row
	openFor     = 500 * time.Millisecond // until one call may try again
	settleEvery = 250 * time.Millisecond
	maxOwed     = 100_000

	// markTTL is how long an invalidation holds off slow readers. It has to
	// exceed the longest read.
	markTTL = time.Minute

	jitterShare = 0.1
)

// The scripts take for each key a version, a payload, and a lifetime in
// milliseconds. putScript keeps what is newer; markScript also keeps what is
// of the same version, which is as new as the mark demands.
const (
	putScript = `
local now = redis.call('GET', KEYS[1])
if now and string.sub(now, 1, 24) > ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return 1`
	markScript = `
for i, key in ipairs(KEYS) do
  local now, mark = redis.call('GET', key), ARGV[i + 1]
  if not now or string.sub(now, 1, 24) < mark then redis.call('SET', key, mark, 'PX', ARGV[1]) end;
end
return 1`
)

// Cache is a cache in Redis. Use [Open] to get one.
type Cache struct {
	rdb     *redis.Client
	breaker *gobreaker.CircuitBreaker[any]
	put     *redis.Script
	mark    *redis.Script
	ttl     time.Duration
	log     *slog.Logger

	timeline atomic.Int64 // highest seen

	mu   sync.Mutex
	owed map[string]Version // invalidations that Redis did not take yet
}

// CheckURL reports whether a Redis URL can be parsed, in words that do not
// repeat it, for it holds a password.
func CheckURL(rawURL string) error {
	_, err := redis.ParseURL(rawURL)
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	if err != nil {
		return fmt.Errorf("not a Redis URL such as redis://host:6379/0: %w", err)
	}
	return nil
}

// Open returns a cache whose values live for about ttl. No connection is made
// yet.
func Open(rawURL string, ttl time.Duration, log *slog.Logger) (*Cache, error) {
	opts, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, CheckURL(rawURL)
	}
	// By default the client repeats a command after a timeout, whether it took
	// effect or not, and waits three times as long.
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	opts.DialTimeout = callTimeout
	opts.ReadTimeout = callTimeout
	opts.WriteTimeout = callTimeout
	opts.PoolTimeout = callTimeout
	opts.ContextTimeoutEnabled = true
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Cache{
		rdb:     redis.NewClient(opts),
		breaker: newBreaker(log),
		put:     redis.NewScript(putScript),
		mark:    redis.NewScript(markScript),
		ttl:     ttl,
		log:     log,
		owed:    map[string]Version{},
	}, nil
}

func newBreaker(log *slog.Logger) *gobreaker.CircuitBreaker[any] {
	return gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		Name:        "redis",
		MaxRequests: 1,
		Timeout:     openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Warn("circuit breaker changed", slog.String("breaker", name),
				slog.String("from", from.String()), slog.String("to", to.String()))
		},
	})
}

// Close closes the connections.
func (c *Cache) Close() error { return c.rdb.Close() }

// do runs a call to Redis under timeout and breaker. The end of the caller's
// context does not end the call, for that would count against Redis.
func (c *Cache) do(ctx context.Context, call func(context.Context) error) error {
	_, err := c.breaker.Execute(func() (any, error) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		return nil, call(bounded)
	})
	return err
}

// Get returns a value and whether there is one that may be used.
func (c *Cache) Get(ctx context.Context, key string) (payload string, ok bool) {
	if c.owes(key) {
		return "", false
	}
	var value string
	err := c.do(ctx, func(ctx context.Context) (err error) {
		if value, err = c.rdb.Get(ctx, key).Result(); errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	c.debug(ctx, "get", err)
	v, payload, ok := decode(value)
	if err != nil || !ok || payload == "" || int64(v.Timeline) < c.timeline.Load() {
		return "", false
	}
	return payload, true
}

// Put stores a value unless a newer one is there.
func (c *Cache) Put(ctx context.Context, key string, v Version, payload string) {
	c.Observe(v.Timeline)
	err := c.do(ctx, func(ctx context.Context) error {
		ttl := jitter(c.ttl, rand.Float64())
		return c.put.Run(ctx, c.rdb, []string{key}, v.encode(), payload, ttl.Milliseconds()).Err()
	})
	c.debug(ctx, "put", err)
}

// Observe tells the cache of a timeline that a primary has reached. Values of
// earlier ones are not used any more: a failover may have undone them.
func (c *Cache) Observe(timeline int) {
	for {
		seen := c.timeline.Load()
		if int64(timeline) <= seen || c.timeline.CompareAndSwap(seen, int64(timeline)) {
			return
		}
	}
}

// Invalidate makes everything older than the given versions unusable. It
// returns when Redis has been told or after a short time; in that case [Run]
// goes on trying.
func (c *Cache) Invalidate(ctx context.Context, versions map[string]Version) {
	for _, v := range versions {
		c.Observe(v.Timeline)
	}
	if err := c.markAll(ctx, versions); err != nil {
		c.owe(ctx, versions)
		c.debug(ctx, "invalidate", err)
	}
}

func (c *Cache) markAll(ctx context.Context, versions map[string]Version) error {
	keys := make([]string, 0, len(versions))
	args := []any{markTTL.Milliseconds()}
	for key, v := range versions {
		keys = append(keys, key)
		args = append(args, v.encode())
	}
	return c.do(ctx, func(ctx context.Context) error { return c.mark.Run(ctx, c.rdb, keys, args...).Err() })
}

// debug logs a call that failed. It is not worth more than the debug level:
// the breaker's changes tell the story once.
func (c *Cache) debug(ctx context.Context, call string, err error) {
	if err != nil {
		c.log.DebugContext(ctx, "cache call failed", slog.String("call", call), obs.Err(err))
	}
}

// jitter spreads lifetimes over 10 % to either side, so that values stored
// together do not expire together. u is uniform in [0, 1).
func jitter(d time.Duration, u float64) time.Duration {
	return time.Duration(float64(d) * (1 + jitterShare*(2*u-1)))
}
