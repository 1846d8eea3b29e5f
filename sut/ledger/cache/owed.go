package cache

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"
)

const (
	settleEvery = 250 * time.Millisecond
	settleBatch = 500
	maxOwed     = 100_000 // about 15 MB
)

// debts are the invalidations that Redis did not take yet. The zero value is
// ready to use.
type debts struct {
	mu       sync.Mutex
	versions map[string]Version
	overflow int // times that they became too many to tell apart since all copies were last invalidated
}

// owe remembers invalidations. Beyond a bound it forgets which, and owes the
// invalidation of all copies there are; it reports whether that happened.
func (d *debts) owe(versions map[string]Version) (overflow bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.versions == nil {
		d.versions = map[string]Version{}
	}
	if len(d.versions)+len(versions) > maxOwed {
		overflow = true
		d.overflow++
		clear(d.versions)
	}
	for key, v := range versions {
		if now, ok := d.versions[key]; !ok || now.Compare(v) < 0 {
			d.versions[key] = v
		}
	}
	return overflow
}

// owes reports whether a copy must not be used.
func (d *debts) owes(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.versions[key]
	return ok || d.overflow > 0
}

// size returns how many invalidations are owed.
func (d *debts) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.versions)
}

// some returns a part of what is owed, and whether all copies are.
func (d *debts) some() (versions map[string]Version, overflow int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	versions = map[string]Version{}
	for key, v := range d.versions {
		if versions[key] = v; len(versions) == settleBatch {
			break
		}
	}
	return versions, d.overflow
}

// paid strikes off what [debts.some] returned, unless more came since, and
// reports whether something is left.
func (d *debts) paid(versions map[string]Version, overflow int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.overflow == overflow {
		d.overflow = 0
	}
	for key, paid := range versions {
		if now, ok := d.versions[key]; ok && now.Compare(paid) <= 0 {
			delete(d.versions, key)
		}
	}
	return len(d.versions) > 0 || d.overflow > 0
}

// Run repeats the invalidations that failed until ctx is done, and then once
// more, for what this process still owes nobody else knows of.
func (c *Cache) Run(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.settle(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			c.settle(ctx)
		}
	}
}

// settle pays off what is owed, or as much as Redis takes.
func (c *Cache) settle(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		versions, overflow := c.debts.some()
		if overflow > 0 {
			if err := c.sweep(ctx); err != nil {
				c.debug(ctx, callScan, err)
				return
			}
		}
		if len(versions) > 0 {
			if err := c.markAll(ctx, versions); err != nil {
				c.debug(ctx, callMark, err)
				return
			}
			c.log.DebugContext(ctx, "settled invalidations", slog.Int("count", len(versions)))
		}
		more = c.debts.paid(versions, overflow)
	}
}

// sweep invalidates all copies there are.
func (c *Cache) sweep(ctx context.Context) error {
	beyondAll := Version{Timeline: int(c.timeline.Load()), Number: math.MaxInt64}
	swept, cursor := 0, uint64(0)
	for first := true; first || cursor != 0; first = false {
		var keys []string
		err := c.do(ctx, callScan, several, func(ctx context.Context) (err error) {
			keys, cursor, err = c.rdb.Scan(ctx, cursor, keyPrefix+"*", settleBatch).Result()
			return err
		})
		if err != nil {
			return err
		}
		marks := make(map[string]Version, len(keys))
		for _, key := range keys {
			marks[key] = beyondAll
		}
		if len(marks) == 0 {
			continue
		}
		if err := c.markAll(ctx, marks); err != nil {
			return err
		}
		swept += len(marks)
	}
	c.metrics.sweeps.Inc()
	c.log.WarnContext(ctx, "invalidated all copies", slog.Int("count", swept))
	return nil
}
