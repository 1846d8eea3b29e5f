package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLifetimes(t *testing.T) {
	for _, kind := range append(Kinds(), "no such kind") {
		least, most := kind.lifetime()
		if least < 5*time.Minute || most > 24*time.Hour || most < least+least/10 {
			t.Errorf("lifetime of %s = %s to %s; want 5 min to 24 h and a tenth of jitter", kind, least, most)
		}
		drawn := map[time.Duration]bool{}
		for range 100 {
			ttl := kind.ttl()
			if ttl < least || ttl > most {
				t.Errorf("ttl of %s = %s; want %s to %s", kind, ttl, least, most)
			}
			drawn[ttl] = true
		}
		if len(drawn) < 90 {
			t.Errorf("100 lifetimes of %s take %d values; want them spread", kind, len(drawn))
		}
	}
}

func TestKindOf(t *testing.T) {
	for key, want := range map[string]Kind{
		"ledger:account:17": Account, "ledger:statement:6f1f-": Statement, "ledger:": "", "account": "account",
	} {
		if got := kindOf(key); got != want {
			t.Errorf("kindOf(%q) = %q; want %q", key, got, want)
		}
	}
}

func TestVersionOrder(t *testing.T) {
	ascending := []Version{{0, 0}, {0, 1}, {1, 0}, {1, 9}, {1, 10}, {1, 1 << 40}, {2, 3}, {16, 0}}
	encoded := make([]string, len(ascending))
	for i, v := range ascending {
		encoded[i] = v.encode()
		got, payload, ok := decode(v.encode() + "payload")
		if got != v || payload != "payload" || !ok {
			t.Errorf("decode(encode(%v)) = %v, %q, %t; want the same, payload", v, got, payload, ok)
		}
	}
	if !slices.IsSorted(encoded) {
		t.Errorf("encoded versions are not in order: %q", encoded)
	}
	if !slices.IsSortedFunc(ascending, Version.Compare) {
		t.Error("Compare does not order by timeline, then number")
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, bad := range []string{"", "{}", strings.Repeat("x", 24), strings.Repeat("f", 24)} {
		if v, _, ok := decode(bad); ok {
			t.Errorf("decode(%q) = %v; want not ok", bad, v)
		}
	}
}

func TestDebts(t *testing.T) {
	var d debts
	d.owe(map[string]Version{"a": {1, 5}, "b": {1, 1}})
	first, overflow := d.some()
	d.owe(map[string]Version{"a": {1, 4}, "b": {2, 0}})
	if got := fmt.Sprint(d.versions); got != "map[a:{1 5} b:{2 0}]" {
		t.Errorf("owed = %s; want the newest of each", got)
	}
	if !d.owes("a") || d.owes("c") {
		t.Errorf("owes(a) = %t, owes(c) = %t; want true, false", d.owes("a"), d.owes("c"))
	}
	if more := d.paid(first, overflow); !more || d.owes("a") || !d.owes("b") {
		t.Errorf("after payment: more = %t, owed = %v; want only what came since", more, d.versions)
	}
	if more := d.paid(d.some()); more || d.size() != 0 {
		t.Errorf("after all: more = %t, owed = %d; want nothing", more, d.size())
	}
}

// TestDebtsOverflow owes more than can be told apart: everything is owed until
// all of it is paid, also what overflowed while it was being paid.
func TestDebtsOverflow(t *testing.T) {
	var d debts
	fill := func() (overflowed bool) {
		for i := range maxOwed + 1 {
			overflowed = d.owe(map[string]Version{strconv.Itoa(i): {1, 1}}) || overflowed
		}
		return overflowed
	}
	if !fill() || !d.owes("whatever") || d.size() > maxOwed {
		t.Fatalf("after the overflow: owes(whatever) = %t, %d owed; want true, at most %d", d.owes("whatever"), d.size(), maxOwed)
	}
	early, overflow := d.some()
	fill()
	if !d.paid(early, overflow) || !d.owes("whatever") {
		t.Error("a payment covers what overflowed after it began")
	}
	for d.paid(d.some()) {
		if d.owes("whatever") {
			t.Fatal("one payment of everything was not enough")
		}
	}
}

func TestObserveKeepsHighest(t *testing.T) {
	c := &Cache{}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() { c.Observe(i) })
	}
	wg.Wait()
	if got := c.timeline.Load(); got != 9 {
		t.Errorf("timeline = %d; want 9", got)
	}
	for timeline, newest := range map[int]bool{8: false, 9: true} {
		if got := c.Observe(timeline); got != newest {
			t.Errorf("Observe(%d) after 9 = %t; want %t", timeline, got, newest)
		}
	}
}

// TestUsable knows values by version and payload alone.
func TestUsable(t *testing.T) {
	tests := []struct {
		name, value string
		ok          bool
	}{
		{"copy", Version{3, 7}.encode() + "{}", true},
		{"copy from before the failover", Version{2, 9}.encode() + "{}", false},
		{"mark", Version{3, 7}.encode(), false},
		{"nothing", "", false},
		{"of another program", `{"id":1}`, false},
	}
	c := &Cache{}
	c.Observe(3)
	for _, tt := range tests {
		payload, ok := c.usable(tt.value)
		if ok != tt.ok || ok && payload != "{}" {
			t.Errorf("%s: usable(%q) = %q, %t; want ok = %t", tt.name, tt.value, payload, ok, tt.ok)
		}
	}
}

// TestFlight has readers arrive before and during a load: the first begins it,
// and all who come during it share one other.
func TestFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flight[int64]
		var loads atomic.Int64
		load := func(ctx context.Context) (int64, error) {
			n := loads.Add(1)
			<-time.After(time.Second)
			return n, ctx.Err()
		}
		results := make([]int64, 6)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				got, err := f.Do(t.Context(), "k", time.Minute, load)
				if err != nil {
					t.Errorf("Do of reader %d: %v", i, err)
				}
				results[i] = got
			})
			synctest.Wait()
		}
		wg.Wait()
		if want := []int64{1, 2, 2, 2, 2, 2}; !slices.Equal(results, want) {
			t.Errorf("loads seen by readers = %v; want %v", results, want)
		}
		if len(f.running) != 0 || len(f.waiting) != 0 {
			t.Errorf("flight keeps %d running, %d waiting; want none", len(f.running), len(f.waiting))
		}
	})
}

func TestFlightOutlivesCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flight[string]
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		load := func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		began := time.Now()
		if _, err := f.Do(ctx, "k", time.Minute, load); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Do = %v after %s; want the caller's deadline after 1s", err, time.Since(began))
		}
		got, err := f.Do(t.Context(), "k", time.Minute, func(context.Context) (string, error) { return "fresh", nil })
		if got != "fresh" || err != nil || time.Since(began) != time.Minute {
			t.Errorf("Do = %q, %v after %s; want fresh after the first load's minute", got, err, time.Since(began))
		}
	})
}

func TestFlightSurvivesPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flight[int]
		_, err := f.Do(t.Context(), "k", time.Minute, func(context.Context) (int, error) { panic("broken") })
		if err == nil || !strings.Contains(err.Error(), "broken") {
			t.Errorf("Do of a panicking load = %v; want an error that tells", err)
		}
		if got, err := f.Do(t.Context(), "k", time.Minute, func(context.Context) (int, error) { return 1, nil }); got != 1 || err != nil {
			t.Errorf("Do after the panic = %d, %v; want 1", got, err)
		}
	})
}

func TestCheckURL(t *testing.T) {
	if err := CheckURL("redis://:hunter2@host:port/0"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("CheckURL of a bad URL = %v; want an error without the password", err)
	}
	if err := CheckURL("redis://:hunter2@host:6379/0"); err != nil {
		t.Errorf("CheckURL of a good URL = %v; want nil", err)
	}
}
