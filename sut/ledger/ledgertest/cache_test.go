//go:build integration

package ledgertest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/proofload/proofload/sut/ledger/cache"
)

func accountPath(id int64) string { return fmt.Sprintf("/v1/accounts/%d", id) }

func TestAccountReads(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(1)[0]
	tests := []struct{ query, source string }{
		{"", "primary"}, // fills the cache
		{"", "cache"},
		{"?consistency=strong", "primary"},
		{"?consistency=replica", "primary"}, // there is only a primary here, and it says so
	}
	for _, tt := range tests {
		got := r.get(accountPath(a) + tt.query)
		want := fmt.Sprintf(`{"id":%d,"currency":"EUR","balance":%d,"version":1}`, a, opening)
		if got.status != 200 || got.text != want {
			t.Errorf("GET %q = %d %s; want 200 %s", tt.query, got.status, got.text, want)
		}
		if src := got.header.Get("Ledger-Source"); src != tt.source {
			t.Errorf("GET %q: source %q; want %q", tt.query, src, tt.source)
		}
		if tl := got.header.Get("Ledger-Timeline"); (tl == "") != (tt.source == "cache") {
			t.Errorf("GET %q: timeline %q from %s", tt.query, tl, tt.source)
		}
	}
}

// TestReadOwnWrites writes and reads in turn through two instances that share
// the cache, with readers around that fill it all the time.
func TestReadOwnWrites(t *testing.T) {
	one, two := newRig(t, options{}), newRig(t, options{})
	a := one.accounts(2)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					two.get(accountPath(a[0]))
				}
			}
		})
	}
	for i := range int64(100) {
		writer, reader := one, two
		if i%2 == 1 {
			writer, reader = two, one
		}
		if got := writer.put(newID(), a[0], a[1], 1); got.status != 201 {
			t.Fatalf("PUT = %d %s; want 201", got.status, got.text)
		}
		if got := reader.get(accountPath(a[0])); got.body.Balance != opening-1-i || got.body.Version != 2+i {
			t.Errorf("after write %d: balance %d, version %d from %s; want %d, %d",
				i, got.body.Balance, got.body.Version, got.header.Get("Ledger-Source"), opening-1-i, 2+i)
		}
	}
	close(stop)
	readers.Wait()
}

// TestRedisDown cuts the cache off: everything goes on, and what was written
// meanwhile is not hidden by old copies once the cache is back.
func TestRedisDown(t *testing.T) {
	l := newLink(t, redisAddr(t))
	r := newRig(t, options{redisURL: through(t, dsn(t, redisVar), l)})
	near := newRig(t, options{}) // an instance whose way to the cache is whole
	a := r.accounts(2)
	for _, id := range a {
		near.get(accountPath(id)) // fills the cache
	}
	if src := r.get(accountPath(a[0])).header.Get("Ledger-Source"); src != "cache" {
		t.Fatalf("before the cut: source %q; want cache", src)
	}
	l.cut()
	for i := range int64(10) {
		if got := r.put(newID(), a[0], a[1], 1); got.status != 201 {
			t.Errorf("PUT without cache = %d %s; want 201", got.status, got.text)
		}
		got := r.get(accountPath(a[0]))
		if got.status != 200 || got.body.Balance != opening-1-i || got.header.Get("Ledger-Source") != "primary" {
			t.Errorf("GET without cache = %d %s from %s; want balance %d from primary",
				got.status, got.text, got.header.Get("Ledger-Source"), opening-1-i)
		}
	}
	l.heal()
	eventually(t, "the old copies are gone", func() bool { return near.get(accountPath(a[1])).body.Balance == opening+10 })
	eventually(t, "the cache is used again", func() bool {
		got := r.get(accountPath(a[0]))
		if got.body.Balance != opening-10 {
			t.Errorf("balance after the heal = %d; want %d", got.body.Balance, opening-10)
		}
		return got.header.Get("Ledger-Source") == "cache"
	})
}

// TestCacheVersions checks against Redis which of two states stays.
func TestCacheVersions(t *testing.T) {
	c, err := cache.Open(dsn(t, redisVar), time.Minute, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	put := func(timeline int, number int64, payload string) func(context.Context, string) {
		return func(ctx context.Context, key string) {
			c.Put(ctx, key, cache.Version{Timeline: timeline, Number: number}, payload)
		}
	}
	invalidate := func(timeline int, number int64) func(context.Context, string) {
		return func(ctx context.Context, key string) {
			c.Invalidate(ctx, map[string]cache.Version{key: {Timeline: timeline, Number: number}})
		}
	}
	tests := []struct {
		name  string
		steps []func(context.Context, string)
		want  string // "" for a miss
	}{
		{"newer replaces", []func(context.Context, string){put(1, 1, "old"), put(1, 2, "new")}, "new"},
		{"older does not", []func(context.Context, string){put(1, 2, "new"), put(1, 1, "old")}, "new"},
		{"invalidated", []func(context.Context, string){put(1, 1, "old"), invalidate(1, 2)}, ""},
		{"slow reader comes after the invalidation", []func(context.Context, string){invalidate(1, 2), put(1, 1, "old")}, ""},
		{"reader of the new state", []func(context.Context, string){invalidate(1, 2), put(1, 2, "new")}, "new"},
		{"late invalidation", []func(context.Context, string){put(1, 3, "newer"), invalidate(1, 2)}, "newer"},
		{"ten is more than nine", []func(context.Context, string){put(1, 10, "ten"), put(1, 9, "nine")}, "ten"},
		{"failover took versions back", []func(context.Context, string){put(1, 9, "lost"), put(2, 3, "kept")}, "kept"},
		{"copy of the old timeline", []func(context.Context, string){put(2, 3, "kept"), put(1, 9, "lost")}, "kept"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := "ledgertest:" + newID()
			for _, step := range tt.steps {
				step(t.Context(), key)
			}
			// A fresh cache has seen no timeline, so what is stored shows.
			fresh, err := cache.Open(dsn(t, redisVar), time.Minute, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.Close()
			if got, _ := fresh.Get(t.Context(), key); got != tt.want {
				t.Errorf("Get = %q; want %q", got, tt.want)
			}
			fresh.Observe(3)
			if got, ok := fresh.Get(t.Context(), key); ok {
				t.Errorf("Get on timeline 3 = %q; want a miss", got)
			}
		})
	}
}

func TestCacheExpires(t *testing.T) {
	r := newRig(t, options{})
	a := r.accounts(1)[0]
	r.get(accountPath(a))
	opts, err := redis.ParseURL(dsn(t, redisVar))
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opts)
	defer rdb.Close()
	ttl, err := rdb.PTTL(t.Context(), fmt.Sprintf("ledger:account:%d", a)).Result()
	if err != nil || ttl <= 0 || ttl > 66*time.Second {
		t.Errorf("lifetime of a cached account = %s, %v; want at most a minute and a tenth", ttl, err)
	}
}
