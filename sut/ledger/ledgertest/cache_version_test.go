//go:build integration

package ledgertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/cache"
)

func openCache(t *testing.T, url string) *cache.Cache {
	t.Helper()
	c, err := cache.Open(url, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestCacheVersions checks against Redis which of two states stays.
func TestCacheVersions(t *testing.T) {
	put := func(timeline int, number int64, payload string) func(context.Context, *cache.Cache, string) {
		return func(ctx context.Context, c *cache.Cache, key string) {
			c.Put(ctx, cache.Account, key, cache.Version{Timeline: timeline, Number: number}, payload)
		}
	}
	invalidate := func(timeline int, number int64) func(context.Context, *cache.Cache, string) {
		return func(ctx context.Context, c *cache.Cache, key string) {
			c.Invalidate(ctx, map[string]cache.Version{key: {Timeline: timeline, Number: number}})
		}
	}
	tests := []struct {
		name  string
		steps []func(context.Context, *cache.Cache, string)
		want  string // "" for a miss
	}{
		{"newer replaces", []func(context.Context, *cache.Cache, string){put(1, 1, "old"), put(1, 2, "new")}, "new"},
		{"older does not", []func(context.Context, *cache.Cache, string){put(1, 2, "new"), put(1, 1, "old")}, "new"},
		{"invalidated", []func(context.Context, *cache.Cache, string){put(1, 1, "old"), invalidate(1, 2)}, ""},
		{"slow reader comes after the invalidation", []func(context.Context, *cache.Cache, string){invalidate(1, 2), put(1, 1, "old")}, ""},
		{"reader of the new state", []func(context.Context, *cache.Cache, string){invalidate(1, 2), put(1, 2, "new")}, "new"},
		{"late invalidation", []func(context.Context, *cache.Cache, string){put(1, 3, "newer"), invalidate(1, 2)}, "newer"},
		{"invalidation of the state that is there", []func(context.Context, *cache.Cache, string){put(1, 2, "new"), invalidate(1, 2)}, "new"},
		{"late mark over a mark", []func(context.Context, *cache.Cache, string){invalidate(1, 3), invalidate(1, 2), put(1, 2, "old")}, ""},
		{"ten is more than nine", []func(context.Context, *cache.Cache, string){put(1, 10, "ten"), put(1, 9, "nine")}, "ten"},
		{"failover took versions back", []func(context.Context, *cache.Cache, string){put(1, 9, "lost"), put(2, 3, "kept")}, "kept"},
		{"copy of the old timeline", []func(context.Context, *cache.Cache, string){put(2, 3, "kept"), put(1, 9, "lost")}, "kept"},
	}
	for _, tt := range tests {
		for _, shared := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, one instance %t", tt.name, shared), func(t *testing.T) {
				key := "ledger:account:" + uuid.NewString()
				c := openCache(t, dsn(t, redisVar))
				for _, step := range tt.steps {
					if !shared { // an instance that knows of nothing, so that Redis decides
						c = openCache(t, dsn(t, redisVar))
					}
					step(t.Context(), c, key)
				}
				fresh := openCache(t, dsn(t, redisVar))
				if got, _ := fresh.Get(t.Context(), cache.Account, key); got != tt.want {
					t.Errorf("Get = %q; want %q", got, tt.want)
				}
				fresh.Observe(3)
				if got, ok := fresh.Get(t.Context(), cache.Account, key); ok {
					t.Errorf("Get on timeline 3 = %q; want a miss", got)
				}
			})
		}
	}
}

// TestSweep owes more invalidations than can be told apart: when Redis is back
// all copies are invalidated, also those of other instances.
func TestSweep(t *testing.T) {
	l := newLink(t, redisAddr(t))
	c, near := openCache(t, through(t, dsn(t, redisVar), l)), openCache(t, dsn(t, redisVar))
	background(t, c.Run)
	keys := make([]string, 3000)
	for i := range keys {
		keys[i] = fmt.Sprintf("ledger:account:sweep-%s-%d", uuid.NewString()[:8], i)
		near.Put(t.Context(), cache.Account, keys[i], cache.Version{Timeline: 1, Number: 1}, "old")
	}
	l.cut()
	// The first of these are forgotten for the sake of the last.
	for from := 0; from < 120_000; from += 10_000 {
		versions := map[string]cache.Version{}
		for i := from; i < from+10_000; i++ {
			key := fmt.Sprintf("ledger:account:sweep-other-%d", i)
			if i < len(keys) {
				key = keys[i]
			}
			versions[key] = cache.Version{Timeline: 1, Number: 2}
		}
		c.Invalidate(t.Context(), versions)
	}
	for _, key := range []string{keys[0], "ledger:account:never-seen"} {
		if got, ok := c.Get(t.Context(), cache.Account, key); ok {
			t.Errorf("Get(%s) = %q; want a miss as long as everything is owed", key, got)
		}
	}
	l.heal()
	eventually(t, "everything was invalidated", func() bool {
		return value(t, c.Collector(), "ledger_cache_sweeps_total") > 0 && value(t, c.Collector(), "ledger_cache_owed_invalidations") == 0
	})
	stale := 0
	for _, key := range keys {
		near.Put(t.Context(), cache.Account, key, cache.Version{Timeline: 1, Number: 1}, "old") // by a slow reader
		if _, ok := near.Get(t.Context(), cache.Account, key); ok {
			stale++
		}
	}
	if stale > 0 {
		t.Errorf("%d of %d old copies are left; want none", stale, len(keys))
	}
	fresh := "ledger:account:" + uuid.NewString()
	c.Put(t.Context(), cache.Account, fresh, cache.Version{Timeline: 1, Number: 1}, "fresh")
	if got, _ := c.Get(t.Context(), cache.Account, fresh); got != "fresh" {
		t.Errorf("Get afterwards = %q; want fresh", got)
	}
}
