//go:build integration

package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

// TestRedisDown cuts the cache off: everything goes on, and what was written
// meanwhile is not hidden by old copies once the cache is back.
func TestRedisDown(t *testing.T) {
	l := newLink(t, redisAddr(t))
	breaker := resilience.NewBreaker(resilience.Settings{Name: "redis", TripAfter: 3, OpenFor: 200 * time.Millisecond})
	c := newCore(t, coreOptions{redisURL: through(t, dsn(t, redisVar), l), breaker: breaker})
	near := newCore(t, coreOptions{}) // an instance whose way to the cache is whole
	a := c.accounts(2)
	for _, id := range a {
		near.account(id)
	}
	if _, source := c.account(a[0]); source != domain.Cache {
		t.Fatalf("before the cut: from %s; want cache", source)
	}
	l.cut()
	if err := c.cache.Check(t.Context()); err == nil {
		t.Error("Check without Redis = nil; want an error")
	}
	for i := range int64(10) {
		c.place(a[0], a[1], 1)
		if got, source := c.account(a[0]); got.Balance != openingBalance-1-i || source != domain.Primary {
			t.Errorf("without cache: balance %d from %s; want %d from primary", got.Balance, source, openingBalance-1-i)
		}
	}
	if breaker.State() == resilience.Closed {
		t.Error("the breaker is closed; want it to spare requests the wait")
	}
	if n := value(t, c.cache.Collector(), "ledger_cache_owed_invalidations"); n != 2 {
		t.Errorf("invalidations owed = %g; want one for each account", n)
	}
	if n := value(t, c.cache.Collector(), "ledger_cache_puts_total", "kind=account", "result=error"); n == 0 {
		t.Error("no failed call was counted")
	}
	l.heal()
	eventually(t, "the old copies are gone", func() bool {
		got, _ := near.account(a[1])
		return got.Balance == openingBalance+10
	})
	eventually(t, "the cache is used again", func() bool {
		got, source := c.account(a[0])
		if got.Balance != openingBalance-10 {
			t.Errorf("balance after the heal = %d; want %d", got.Balance, openingBalance-10)
		}
		return source == domain.Cache
	})
	if n := value(t, c.cache.Collector(), "ledger_cache_owed_invalidations"); n != 0 {
		t.Errorf("invalidations owed = %g; want none", n)
	}
	if err := c.cache.Check(t.Context()); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
}

// TestRedisStalled has a cache that accepts connections and does not answer.
func TestRedisStalled(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below; the kernel accepts
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	breaker := resilience.NewBreaker(resilience.Settings{Name: "redis", TripAfter: 2, OpenFor: time.Hour})
	c := newCore(t, coreOptions{breaker: breaker, redisURL: "redis://" + ln.Addr().String() + "/0"})
	a := c.accounts(2)
	for i := range int64(5) {
		c.place(a[0], a[1], 1)
		if got, source := c.account(a[0]); got.Balance != openingBalance-1-i || source != domain.Primary {
			t.Errorf("balance %d from %s; want %d from primary", got.Balance, source, openingBalance-1-i)
		}
	}
	if breaker.State() != resilience.OpenState {
		t.Errorf("breaker is %s; want it open", breaker.State())
	}
	if n := value(t, c.cache.Collector(), "ledger_cache_call_duration_seconds"); n != 2 {
		t.Errorf("calls that were waited for = %g; want the 2 that opened the breaker", n)
	}
}

// TestEviction lets Redis run out of memory: the least recently used go, and
// answers stay right.
func TestEviction(t *testing.T) {
	c := newCore(t, coreOptions{})
	ctx := t.Context()
	for setting, want := range map[string]string{"maxmemory-policy": "allkeys-lru", "maxmemory": "134217728"} {
		got, err := c.rdb.ConfigGet(ctx, setting).Result()
		if err != nil || got[setting] != want {
			t.Errorf("%s = %q, %v; want %s", setting, got[setting], err, want)
		}
	}
	if err := c.rdb.ConfigSet(ctx, "maxmemory", "4mb").Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.rdb.ConfigSet(context.WithoutCancel(ctx), "maxmemory", "134217728").Err(); err != nil {
			t.Error(err)
		}
	})
	a := c.accounts(4)
	evicted := 0
	filler := make([]byte, 16<<10)
	for i := range 40 {
		from, to := a[i%4], a[(i+1)%4]
		c.place(from, to, int64(i+1))
		for _, id := range []int64{from, to} {
			want := column[int64](c, `SELECT balance FROM accounts WHERE id = $1`, id)
			for range 2 {
				if got, source := c.account(id); got.Balance != want {
					t.Errorf("balance of %d = %d from %s; want %d", id, got.Balance, source, want)
				}
			}
		}
		for j := range 20 { // copies of other things
			key := fmt.Sprintf("ledger:statement:filler-%d-%d", i, j)
			c.cache.Put(ctx, cache.Statement, key, cache.Version{Timeline: 1}, string(filler))
		}
	}
	for i := range 40 {
		for j := range 20 {
			key := fmt.Sprintf("ledger:statement:filler-%d-%d", i, j)
			switch err := c.rdb.Get(ctx, key).Err(); {
			case errors.Is(err, redis.Nil):
				evicted++
			case err != nil:
				t.Fatal(err)
			}
		}
	}
	if evicted < 400 {
		t.Errorf("%d of 800 copies of 16 KB were evicted from 4 MB; want most", evicted)
	}
	if n := value(t, c.cache.Collector(), "ledger_cache_puts_total", "result=error"); n != 0 {
		t.Errorf("failed calls = %g; want none for want of memory", n)
	}
	for _, id := range a {
		if got, source := c.account(id); got.Balance != column[int64](c, `SELECT balance FROM accounts WHERE id = $1`, id) {
			t.Errorf("balance of %d = %d from %s; want that of the database", id, got.Balance, source)
		}
	}
}
