//go:build integration

package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// account reads an account as a client does that accepts a copy.
func (c *core) account(id int64) (domain.Account, domain.Source) {
	c.t.Helper()
	a, origin, err := c.ledger.Account(c.t.Context(), id, domain.Reading{})
	if err != nil {
		c.t.Errorf("Account(%d): %v", id, err)
	}
	return a, origin.Source
}

func accountKeyOf(id int64) string { return fmt.Sprintf("ledger:account:%d", id) }

// things makes one thing of each kind, in a state in which copies are kept, and
// returns how to read each.
func (c *core) things() map[cache.Kind]thing {
	c.t.Helper()
	ctx, a := c.t.Context(), c.accounts(2)
	customer, err := c.ledger.CreateCustomer(ctx, domain.NewCustomer{Key: uuid.New(), CustomerFields: domain.CustomerFields{
		Name: "Test", Email: uuid.NewString() + "@example.com", Status: domain.Active,
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	transferID := c.place(a[0], a[1], 5)
	if _, err := c.primary.Settle(ctx, []uuid.UUID{transferID}); err != nil {
		c.t.Fatal(err)
	}
	s := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	if _, err := c.ledger.RequestStatement(ctx, s); err != nil {
		c.t.Fatal(err)
	}
	if err := c.primary.BuildStatement(ctx, s.ID); err != nil {
		c.t.Fatal(err)
	}
	return map[cache.Kind]thing{
		cache.Account: {strconv.FormatInt(a[0], 10), func(want domain.Reading) (domain.Origin, error) {
			_, origin, err := c.ledger.Account(ctx, a[0], want)
			return origin, err
		}},
		cache.Customer: {strconv.FormatInt(customer.Value.ID, 10), func(want domain.Reading) (domain.Origin, error) {
			_, origin, err := c.ledger.Customer(ctx, customer.Value.ID, want)
			return origin, err
		}},
		cache.Transfer: {transferID.String(), func(want domain.Reading) (domain.Origin, error) {
			_, origin, err := c.ledger.Transfer(ctx, transferID, want)
			return origin, err
		}},
		cache.Statement: {s.ID.String(), func(want domain.Reading) (domain.Origin, error) {
			_, origin, err := c.ledger.Statement(ctx, s.ID, want)
			return origin, err
		}},
	}
}

type thing struct {
	id   string
	read func(domain.Reading) (domain.Origin, error)
}

// TestCacheAside reads one thing of each kind: from the database, then from the
// cache, and past the cache on demand. It looks at how long the copies live.
func TestCacheAside(t *testing.T) {
	c := newCore(t, coreOptions{})
	lifetimes := map[cache.Kind][2]time.Duration{
		cache.Account:   {5 * time.Minute, 6 * time.Minute},
		cache.Customer:  {15 * time.Minute, 18 * time.Minute},
		cache.Transfer:  {5 * time.Hour, 6 * time.Hour},
		cache.Statement: {20 * time.Hour, 24 * time.Hour},
	}
	for kind, thing := range c.things() {
		t.Run(string(kind), func(t *testing.T) {
			for i, step := range []struct {
				want   domain.Consistency
				source domain.Source
			}{
				{domain.Default, domain.Primary},
				{domain.Default, domain.Cache},
				{domain.Strong, domain.Primary},
				{domain.Follower, domain.Primary}, // there is only a primary here
			} {
				origin, err := thing.read(domain.Reading{Want: step.want})
				if err != nil || origin.Source != step.source {
					t.Errorf("read %d, %q: from %s, %v; want from %s", i+1, step.want, origin.Source, err, step.source)
				}
			}
			ttl, err := c.rdb.PTTL(t.Context(), "ledger:"+string(kind)+":"+thing.id).Result()
			if bounds := lifetimes[kind]; err != nil || ttl < bounds[0]-time.Minute || ttl > bounds[1] {
				t.Errorf("the copy lives another %s, %v; want %s to %s", ttl, err, bounds[0], bounds[1])
			}
			for result, want := range map[string]float64{"hit": 1, "miss": 1, "error": 0} {
				if n := value(t, c.cache.Collector(), "ledger_cache_gets_total", "kind="+string(kind), "result="+result); n != want {
					t.Errorf("gets with result %s = %g; want %g", result, n, want)
				}
			}
			if n := value(t, c.cache.Collector(), "ledger_cache_puts_total", "kind="+string(kind), "result=stored"); n != 1 {
				t.Errorf("copies stored = %g; want 1", n)
			}
			if n := value(t, c.cache.Collector(), "ledger_cache_call_duration_seconds", "kind="+string(kind), "call=get"); n != 2 {
				t.Errorf("calls timed = %g; want 2", n)
			}
		})
	}
}

// TestCacheSpans records the calls of a request that is sampled.
func TestCacheSpans(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	c := newCore(t, coreOptions{tracer: tracer})
	a := c.accounts(1)[0]
	ctx, root := tracer.Start(t.Context(), "request")
	for range 2 {
		if _, _, err := c.ledger.Account(ctx, a, domain.Reading{}); err != nil {
			t.Fatal(err)
		}
	}
	root.End()
	hits := map[bool]int{}
	for _, s := range spans.Ended() {
		if s.Name() != "cache get account" || s.SpanContext().TraceID() != root.SpanContext().TraceID() {
			continue
		}
		for _, attr := range s.Attributes() {
			if attr.Key == "cache.hit" {
				hits[attr.Value.AsBool()]++
			}
		}
	}
	if hits[true] != 1 || hits[false] != 1 {
		t.Errorf("spans of gets by hit = %v; want one of each", hits)
	}
}

// TestNotCached reads what will change in a moment: no copy is kept.
func TestNotCached(t *testing.T) {
	c := newCore(t, coreOptions{})
	ctx, a := t.Context(), c.accounts(2)
	accepted := c.place(a[0], a[1], 5)
	s := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	if _, err := c.ledger.RequestStatement(ctx, s); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if tr, origin, err := c.ledger.Transfer(ctx, accepted, domain.Reading{}); err != nil || origin.Source != domain.Primary || tr.Status != domain.Accepted {
			t.Errorf("Transfer = %s from %s, %v; want accepted from primary", tr.Status, origin.Source, err)
		}
		if st, origin, err := c.ledger.Statement(ctx, s.ID, domain.Reading{}); err != nil || origin.Source != domain.Primary || st.Status != domain.Requested {
			t.Errorf("Statement = %s from %s, %v; want requested from primary", st.Status, origin.Source, err)
		}
	}
}

// TestInvalidation changes things of which there are copies.
func TestInvalidation(t *testing.T) {
	c := newCore(t, coreOptions{})
	ctx := t.Context()
	things := c.things()
	for kind, thing := range things {
		if _, err := thing.read(domain.Reading{}); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	var account, customer int64
	fmt.Sscan(things[cache.Account].id, &account)
	fmt.Sscan(things[cache.Customer].id, &customer)
	transferID, statement := uuid.MustParse(things[cache.Transfer].id), uuid.MustParse(things[cache.Statement].id)

	if _, err := c.ledger.SetAccountStatus(ctx, account, nil, domain.Frozen); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.ledger.Account(ctx, account, domain.Reading{}); err != nil || got.Status != domain.Frozen {
		t.Errorf("Account after freezing = %+v, %v; want it frozen", got, err)
	}
	if _, err := c.ledger.SetAccountStatus(ctx, account, nil, domain.Open); err != nil {
		t.Fatal(err)
	}
	name := "Another"
	if _, err := c.ledger.ChangeCustomer(ctx, customer, nil, domain.CustomerChange{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.ledger.Customer(ctx, customer, domain.Reading{}); err != nil || got.Name != name {
		t.Errorf("Customer after the change = %+v, %v; want %s", got, err, name)
	}
	if _, err := c.ledger.Refund(ctx, domain.Refund{ID: uuid.New(), Of: transferID, Amount: 2}); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.ledger.Transfer(ctx, transferID, domain.Reading{}); err != nil || got.Refunded != 2 {
		t.Errorf("Transfer after the refund = %+v, %v; want 2 refunded", got, err)
	}
	if _, err := c.ledger.DeleteStatement(ctx, statement); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.ledger.Statement(ctx, statement, domain.Reading{}); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("Statement after its deletion = %+v, %v; want %v", got, err, domain.ErrNotFound)
	}
	if _, err := c.ledger.DeleteCustomer(ctx, customer, nil); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.ledger.Customer(ctx, customer, domain.Reading{}); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("Customer after its deletion = %+v, %v; want %v", got, err, domain.ErrNotFound)
	}
}

// TestReadYourWrites writes and reads in turn through two instances that share
// the cache, with readers around that fill it all the time.
func TestReadYourWrites(t *testing.T) {
	one, two := newCore(t, coreOptions{}), newCore(t, coreOptions{})
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
					two.account(a[0])
				}
			}
		})
	}
	for i := range int64(100) {
		writer, reader := one, two
		if i%2 == 1 {
			writer, reader = two, one
		}
		writer.place(a[0], a[1], 1)
		if got, source := reader.account(a[0]); got.Balance != openingBalance-1-i || got.Version != 2+i {
			t.Errorf("after write %d: balance %d, version %d from %s; want %d, %d", i, got.Balance, got.Version, source, openingBalance-1-i, 2+i)
		}
	}
	close(stop)
	readers.Wait()
}

// TestSlowFill has a reader who read before a write, and who stores what it
// read only after the write was invalidated.
func TestSlowFill(t *testing.T) {
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	old, origin, err := c.primary.FindAccount(t.Context(), a[0])
	if err != nil {
		t.Fatal(err)
	}
	c.place(a[0], a[1], 5)
	c.cache.Put(t.Context(), cache.Account, accountKeyOf(a[0]),
		cache.Version{Timeline: origin.Timeline, Number: old.Version}, `{"ID":1,"Balance":0}`)
	if n := value(t, c.cache.Collector(), "ledger_cache_puts_total", "kind=account", "result=outdated"); n != 1 {
		t.Errorf("outdated copies that were refused = %g; want 1", n)
	}
	for range 2 {
		if got, source := c.account(a[0]); got.Balance != openingBalance-5 {
			t.Errorf("balance = %d from %s; want %d", got.Balance, source, openingBalance-5)
		}
	}
}

// TestStampede has a crowd ask for a copy that has just expired, while the
// database takes its time.
func TestStampede(t *testing.T) {
	c := newCore(t, coreOptions{})
	a := c.accounts(1)[0]
	for range 2 {
		c.account(a)
	}
	missed := func() float64 {
		return value(t, c.cache.Collector(), "ledger_cache_gets_total", "kind=account", "result=miss")
	}
	before := missed()
	if n, err := c.rdb.Del(t.Context(), accountKeyOf(a)).Result(); n != 1 || err != nil {
		t.Fatalf("expired %d copies, %v; want the one", n, err)
	}
	tx, err := c.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, counter := store.WithCounter(t.Context())
	const crowd = 100
	var readers sync.WaitGroup
	for range crowd {
		readers.Go(func() {
			got, _, err := c.ledger.Account(ctx, a, domain.Reading{})
			if err != nil || got.Balance != openingBalance {
				t.Errorf("Account = %+v, %v; want balance %d", got, err, openingBalance)
			}
		})
	}
	eventually(t, "everybody has missed", func() bool { return missed()-before == crowd })
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	readers.Wait()
	if n := counter.RoundTrips(); n < 1 || n > 2 {
		t.Errorf("%d readers cost %d database loads; want at most 2", crowd, n)
	}
	if _, source := c.account(a); source != domain.Cache {
		t.Errorf("afterwards the account comes from %s; want cache", source)
	}
}
