package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestJitter(t *testing.T) {
	tests := []struct {
		u    float64
		want time.Duration
	}{{0, 270 * time.Second}, {0.5, 300 * time.Second}, {1, 330 * time.Second}}
	for _, tt := range tests {
		if got := jitter(5*time.Minute, tt.u); (got - tt.want).Abs() > time.Microsecond {
			t.Errorf("jitter(5m, %g) = %s; want %s", tt.u, got, tt.want)
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

func TestOwed(t *testing.T) {
	c := &Cache{owed: map[string]Version{}}
	c.owe(t.Context(), map[string]Version{"a": {1, 5}, "b": {1, 1}})
	c.owe(t.Context(), map[string]Version{"a": {1, 4}, "b": {2, 0}})
	if got := fmt.Sprint(c.owed); got != "map[a:{1 5} b:{2 0}]" {
		t.Errorf("owed = %s; want the newest of each", got)
	}
	if !c.owes("a") || c.owes("c") {
		t.Errorf("owes(a) = %t, owes(c) = %t; want true, false", c.owes("a"), c.owes("c"))
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

func TestCheckURL(t *testing.T) {
	if err := CheckURL("redis://:hunter2@host:port/0"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("CheckURL of a bad URL = %v; want an error without the password", err)
	}
	if err := CheckURL("redis://:hunter2@host:6379/0"); err != nil {
		t.Errorf("CheckURL of a good URL = %v; want nil", err)
	}
}
