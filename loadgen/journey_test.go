package loadgen

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/proofload/proofload/reports/history"
)

// journeyOf is an operation that is followed by others, one think time apart,
// as long as they end well.
func journeyOf(think time.Duration, ops ...string) Operation {
	op := Operation{Op: ops[0], Method: http.MethodGet, Path: "/" + ops[0]}
	if len(ops) > 1 {
		op.Then = func(end End) (*Operation, time.Duration) {
			if end.Kind != history.OK || end.Status != http.StatusOK {
				return nil, 0
			}
			next := journeyOf(think, ops[1:]...)
			return &next, think
		}
	}
	return op
}

// TestJourney sends the requests of a journey one after another, each with a
// latency of its own, and counts the journey as one arrival.
func TestJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) { pause(r, 20*time.Millisecond) })
		b.Workload = &ops{next: func(uint64) Operation { return journeyOf(time.Second, "login", "cart", "pay") }}
		b.Phases = []Phase{{Name: "a", For: time.Second, From: 1, To: 1}}
		stats := b.drive(t.Context(), t)

		const rtt, at = 20 * time.Millisecond, 500 * time.Millisecond
		event := func(step int, op string, sched time.Duration) history.Event {
			return history.Event{At: sched + rtt, Kind: history.OK, By: history.ByLoad, Op: op, Drill: 1, Phase: "a", Sched: sched, Sent: sched, Status: 200, Step: step, Seq: 1}
		}
		want := []history.Event{
			event(0, "login", at),
			event(1, "cart", at+rtt+time.Second),
			event(2, "pay", at+2*rtt+2*time.Second),
		}
		if diff := cmp.Diff(want, b.events(t), cmpopts.IgnoreFields(history.Event{}, "Connect", "FirstByte")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if stats.Offered != 1 || stats.Sent != 1 || stats.Completed != 1 {
			t.Errorf("stats = %+v, want one arrival", stats)
		}
	})
}

// TestJourneyGoesOnInTheNextPhase: what is broken there is not held against the
// phase in which the journey began, and counts where clients met it.
func TestJourneyGoesOnInTheNextPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		b.Workload = &ops{next: func(uint64) Operation { return journeyOf(2*time.Second, "login", "cart", "pay") }}
		b.Phases = []Phase{{Name: "a", For: time.Second, From: 1, To: 1}, {Name: "b", For: 2 * time.Second}}
		b.drive(t.Context(), t)
		got := map[string]string{}
		for _, e := range b.events(t) {
			got[e.Op] = e.Phase
		}
		want := map[string]string{"login": "a", "cart": "b", "pay": "b"} // pay is due after the load
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
	})
}

// TestJourneyEndsAtAFailure sends nothing that would follow a request that
// failed.
func TestJourneyEndsAtAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/cart" {
				w.WriteHeader(http.StatusConflict)
			}
		})
		b.Workload = &ops{next: func(uint64) Operation { return journeyOf(0, "login", "cart", "pay") }}
		b.Phases = []Phase{{Name: "a", For: time.Second, From: 1, To: 1}}
		b.drive(t.Context(), t)
		var got []string
		for _, e := range b.events(t) {
			got = append(got, e.Op+" "+string(e.Kind))
		}
		if diff := cmp.Diff([]string{"login ok", "cart fail"}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestJourneyEndsWithTheLoad stops the load while a client thinks.
func TestJourneyEndsWithTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		b.Workload = &ops{next: func(uint64) Operation { return journeyOf(time.Hour, "login", "cart") }}
		b.Phases = []Phase{{Name: "a", For: time.Second, From: 1, To: 1}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err := Drive(ctx, b.Config)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 11*time.Second {
			t.Errorf("Drive = %v after %v, want an end after 10 s", err, time.Since(began))
		}
		if got := b.events(t); len(got) != 1 {
			t.Errorf("%d operations, want the first one alone", len(got))
		}
	})
}

// TestExtras covers what an operation may have beside its request.
func TestExtras(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Token") == "" {
				pause(r, 3*time.Second)
			}
			_, _ = io.WriteString(w, "12345")
		})
		prepared := func(_ context.Context, h http.Header) error { h.Set("Token", "t"); return nil }
		extras := []Extras{
			{Prepare: prepared},
			{Prepare: func(context.Context, http.Header) error { return errors.New("no token") }},
			{Prepare: prepared, MaxBody: 4},
			{Timeout: time.Second},
		}
		b.Workload = &ops{next: func(seq uint64) Operation {
			return Operation{Op: "post", Write: true, Method: http.MethodPost, Path: "/", Extras: extras[seq]}
		}}
		b.Phases = []Phase{{Name: "a", For: 4 * time.Second, From: 1, To: 1}}
		b.drive(t.Context(), t)
		want := []history.Event{
			{Kind: history.OK, Status: 200},
			{Kind: history.Fail, Class: ClassNotSent},
			{Kind: history.Info, Class: ClassTooLarge},
			{Kind: history.Info, Class: ClassTimeout},
		}
		var got []history.Event
		for _, e := range b.events(t) {
			if e.Kind != history.Invoke {
				got = append(got, history.Event{Kind: e.Kind, Class: e.Class, Status: e.Status})
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
