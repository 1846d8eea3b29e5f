// Package cache keeps copies in Redis. It can be slow, empty, stale or away
// without ever making an answer wrong:
//
//   - Every call is bounded by a short timeout and a circuit breaker, and a
//     call that fails is a miss.
//   - Values carry versions, and an older one never replaces a newer one. An
//     invalidation leaves a mark with the version it knows of, so a reader that
//     was slow cannot put back what a writer has just overtaken.
//   - Invalidations that fail are owed and repeated until Redis takes them.
//
// Neither an expired copy nor a whole cache that was lost is met by a stampede:
// lifetimes are random, and [Flight] merges the loads of one thing.
//
// # Metrics
//
// The label kind is that of the things, "several" where a call is about many.
//
//	ledger_cache_gets_total{kind,result}           result: hit, miss, error
//	ledger_cache_puts_total{kind,result}           result: stored, outdated, error
//	ledger_cache_invalidations_total{kind,result}  things, not calls; result: taken, owed
//	ledger_cache_owed_invalidations                that Redis did not take yet
//	ledger_cache_sweeps_total                      times that all copies were invalidated, because too many were owed
//	ledger_cache_call_duration_seconds{kind,call}  histogram of the calls that were made; call: get, put, mark, scan
//	ledger_cache_connections{state}                idle, in_use
//	ledger_cache_connection_timeouts_total         waits for a connection that were given up
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

const (
	callTimeout = 250 * time.Millisecond
	maxConns    = 20
	maxIdle     = 8

	// markTTL is how long an invalidation holds off slow readers. It has to
	// exceed the longest read.
	markTTL = 2 * time.Minute
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

// Options say how a process uses its cache.
type Options struct {
	Breaker *resilience.Breaker // guards Redis; nil does not
	Tracer  trace.Tracer        // records the calls of requests that are sampled; nil does not
	Log     *slog.Logger        // nil for none
}

// Cache is a cache in Redis. Use [Open] to get one.
type Cache struct {
	rdb     *redis.Client
	breaker *resilience.Breaker
	tracer  trace.Tracer
	log     *slog.Logger
	put     *redis.Script
	mark    *redis.Script
	metrics *metrics

	timeline atomic.Int64 // highest seen
	debts    debts
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

// Open returns a cache. No connection is made yet.
func Open(rawURL string, opts Options) (*Cache, error) {
	client, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, CheckURL(rawURL)
	}
	// By default the client repeats a command after a timeout, whether it took
	// effect or not, and waits three times as long.
	client.MaxRetries = -1
	client.DialerRetries = 1
	client.DialTimeout = callTimeout
	client.ReadTimeout = callTimeout
	client.WriteTimeout = callTimeout
	client.PoolTimeout = callTimeout
	client.ContextTimeoutEnabled = true
	// By default there are as many as processors demand, and all stay.
	client.PoolSize = maxConns
	client.MaxIdleConns = maxIdle
	client.ConnMaxIdleTime = time.Minute
	client.DisableIdentity = true
	client.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// The library would write lines of its own to standard error.
	logging.Disable()
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cache{
		rdb: redis.NewClient(client), breaker: opts.Breaker, tracer: opts.Tracer, log: opts.Log,
		put: redis.NewScript(putScript), mark: redis.NewScript(markScript),
	}
	c.metrics = newMetrics(c)
	return c, nil
}

// Close closes the connections.
func (c *Cache) Close() error { return c.rdb.Close() }

// Check reports whether Redis answers. It asks even while the breaker is open.
func (c *Cache) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping Redis: %w", err)
	}
	return nil
}

// Get returns the copy with a key and whether there is one that may be used.
func (c *Cache) Get(ctx context.Context, kind Kind, key string) (payload string, ok bool) {
	if c.debts.owes(key) {
		c.metrics.get(kind, resultMiss)
		return "", false
	}
	err := c.do(ctx, callGet, kind, func(ctx context.Context) error {
		value, err := c.rdb.Get(ctx, key).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		payload, ok = c.usable(value)
		noteHit(ctx, ok)
		return nil
	})
	switch {
	case err != nil:
		c.metrics.get(kind, resultError)
		c.debug(ctx, callGet, err)
		return "", false
	case !ok:
		c.metrics.get(kind, resultMiss)
	default:
		c.metrics.get(kind, resultHit)
	}
	return payload, ok
}

// usable returns the payload of a stored value. Marks have none, and a value
// from before a failover may tell of what the failover has undone.
func (c *Cache) usable(value string) (payload string, ok bool) {
	v, payload, ok := decode(value)
	if !ok || payload == "" || int64(v.Timeline) < c.timeline.Load() {
		return "", false
	}
	return payload, true
}

// Put stores a copy unless a newer one is there.
func (c *Cache) Put(ctx context.Context, kind Kind, key string, v Version, payload string) {
	if !c.Observe(v.Timeline) {
		c.metrics.put(kind, resultOutdated)
		return
	}
	result := resultStored
	err := c.do(ctx, callPut, kind, func(ctx context.Context) error {
		stored, err := c.put.Run(ctx, c.rdb, []string{key}, v.encode(), payload, kind.ttl().Milliseconds()).Int()
		if stored == 0 {
			result = resultOutdated
		}
		return err
	})
	if err != nil {
		result = resultError
		c.debug(ctx, callPut, err)
	}
	c.metrics.put(kind, result)
}

// Observe tells the cache of a timeline that a primary has reached and reports
// whether it is the newest. Values of earlier ones are not used any more: a
// failover may have undone them.
func (c *Cache) Observe(timeline int) bool {
	for {
		seen := c.timeline.Load()
		if int64(timeline) <= seen {
			return int64(timeline) == seen
		}
		if c.timeline.CompareAndSwap(seen, int64(timeline)) {
			return true
		}
	}
}

// Invalidate makes everything older than the given versions unusable. It
// returns when Redis has been told or after a short time; in that case [Cache.Run]
// goes on trying. It does not end with ctx, since the change has happened.
func (c *Cache) Invalidate(ctx context.Context, versions map[string]Version) {
	for _, v := range versions {
		c.Observe(v.Timeline)
	}
	result := resultTaken
	if err := c.markAll(ctx, versions); err != nil {
		result = resultOwed
		if c.debts.owe(versions) {
			c.log.WarnContext(ctx, "too many invalidations are owed, all copies will be", slog.Int("most", maxOwed))
		}
		c.debug(ctx, callMark, err)
	}
	for key := range versions {
		c.metrics.invalidation(kindOf(key), result)
	}
}

// markAll leaves marks with one call.
func (c *Cache) markAll(ctx context.Context, versions map[string]Version) error {
	keys := make([]string, 0, len(versions))
	args := []any{markTTL.Milliseconds()}
	for key, v := range versions {
		keys = append(keys, key)
		args = append(args, v.encode())
	}
	return c.do(ctx, callMark, several, func(ctx context.Context) error { return c.mark.Run(ctx, c.rdb, keys, args...).Err() })
}

// do makes a call to Redis under timeout and breaker. The end of the caller's
// context does not end the call, for that would count against Redis.
func (c *Cache) do(ctx context.Context, call string, kind Kind, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	ctx, span := c.startSpan(ctx, call, kind)
	began := time.Now()
	err := c.breaker.Do(ctx, fn)
	if !errors.Is(err, resilience.ErrOpen) {
		c.metrics.duration.WithLabelValues(string(kind), call).Observe(time.Since(began).Seconds())
	}
	endSpan(span, err)
	return err
}

// debug logs a call that failed. It is not worth more than the debug level:
// the breaker's changes tell the story once.
func (c *Cache) debug(ctx context.Context, call string, err error) {
	c.log.DebugContext(ctx, "cache call failed", slog.String("call", call), obs.Err(err))
}
