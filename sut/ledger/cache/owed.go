package cache

import (
	"context"
	"log/slog"
	"maps"
	"time"
)

// owe remembers invalidations that Redis did not take. Beyond a bound they are
// dropped: by the time that many piled up the first have expired in Redis.
func (c *Cache) owe(ctx context.Context, versions map[string]Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, v := range versions {
		if len(c.owed) >= maxOwed {
			c.log.ErrorContext(ctx, "dropped an invalidation", slog.String("key", key), slog.Int("owed", len(c.owed)))
			continue
		}
		if now, ok := c.owed[key]; !ok || now.Compare(v) < 0 {
			c.owed[key] = v
		}
	}
}

func (c *Cache) owes(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.owed[key]
	return ok
}

// Run repeats the invalidations that failed until ctx is done.
func (c *Cache) Run(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for c.settleSome(ctx) {
				c.log.DebugContext(ctx, "settled invalidations")
			}
		}
	}
}

const settleBatch = 500

// settleSome pays off some of what is owed and reports whether it could and
// there is more.
func (c *Cache) settleSome(ctx context.Context) bool {
	some := map[string]Version{}
	c.mu.Lock()
	for key, v := range c.owed {
		if some[key] = v; len(some) == settleBatch {
			break
		}
	}
	c.mu.Unlock()
	if len(some) == 0 || c.markAll(ctx, some) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.owed, func(key string, v Version) bool {
		paid, ok := some[key]
		return ok && v.Compare(paid) <= 0
	})
	return len(c.owed) > 0
}
