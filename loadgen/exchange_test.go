package loadgen

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// TestOperationsThatCarryThemselvesOut are classified like those of the engine.
func TestOperationsThatCarryThemselvesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		results := []func(*http.Request, http.RoundTripper) Result{
			func(*http.Request, http.RoundTripper) Result { return Result{Status: 200} },
			func(r *http.Request, rt http.RoundTripper) Result {
				resp, err := rt.RoundTrip(r)
				if err != nil {
					return Result{Err: err}
				}
				return Result{Status: resp.StatusCode, Header: resp.Header, Err: resp.Body.Close()}
			},
			func(*http.Request, http.RoundTripper) Result { return Result{Err: errors.New("no route")} },
			func(*http.Request, http.RoundTripper) Result { return Result{Err: io.EOF, Sent: true} },
			func(r *http.Request, _ http.RoundTripper) Result {
				<-r.Context().Done()
				return Result{Err: r.Context().Err(), Sent: true}
			},
			func(r *http.Request, rt http.RoundTripper) Result { // sent, as its connection shows
				resp, err := rt.RoundTrip(r)
				if err == nil {
					err = errors.Join(io.ErrUnexpectedEOF, resp.Body.Close())
				}
				return Result{Err: err}
			},
		}
		b.Workload = &ops{next: func(seq uint64) Operation {
			return Operation{Op: "own", Write: true, Method: http.MethodPost, Path: "/", Extras: Extras{Do: results[seq]}}
		}}
		b.Phases = []Phase{{Name: "a", For: time.Duration(len(results)) * time.Second, From: 1, To: 1}}
		b.drive(t.Context(), t)
		want := []history.Event{
			{Kind: history.OK, Status: 200},
			{Kind: history.Fail, Status: http.StatusTeapot, Class: Class4xx},
			{Kind: history.Fail, Class: ClassNotSent},
			{Kind: history.Info, Class: ClassEOF},
			{Kind: history.Info, Class: ClassEOF},
			{Kind: history.Info, Class: ClassTimeout},
		}
		var got []history.Event
		for _, e := range b.events(t) {
			if e.Kind != history.Invoke {
				got = append(got, history.Event{Kind: e.Kind, Status: e.Status, Class: e.Class})
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events, in the order in which they ended (-want +got):\n%s", diff)
		}
	})
}

// TestEarly has the next request of a journey before the client wanted it.
func TestEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		early := make(chan struct{})
		b.Workload = &ops{next: func(uint64) Operation {
			return Operation{Op: "first", Method: http.MethodGet, Path: "/", Extras: Extras{Then: func(End) (*Operation, time.Duration) {
				time.AfterFunc(3*time.Second, func() { close(early) })
				return &Operation{Op: "second", Method: http.MethodGet, Path: "/", Extras: Extras{Early: early}}, time.Hour
			}}}
		}}
		b.Phases = []Phase{{Name: "a", For: time.Second, From: 1, To: 1}}
		b.drive(t.Context(), t)
		events := b.events(t)
		if len(events) != 2 || events[1].Sched != events[0].At+3*time.Second {
			t.Errorf("events = %+v, want the second 3 s after the first", events)
		}
	})
}
