package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/proofload/proofload/reports/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFreeze freezes a server for 3 s at 200 operations per second. Whatever
// the cap of operations in flight, the latencies tell of the freeze and the
// arrivals neither pause nor bunch.
func TestFreeze(t *testing.T) {
	for _, limit := range []int{20, 100, 4096} {
		t.Run(fmt.Sprint("cap ", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { freeze(t, limit) })
		})
	}
}

func freeze(t *testing.T, limit int) {
	t.Helper()
	began := time.Now()
	inFlight := new(atomic.Int64)
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		if inFlight.Load() == 0 {
			t.Error("a request has come, and none is said to be under way")
		}
		if e := time.Since(began); e > 4*time.Second && e < 7*time.Second {
			pause(r, 7*time.Second-e)
		}
		pause(r, 5*time.Millisecond)
	})
	b.Phases = []Phase{{Name: "steady", For: 12 * time.Second, From: 200, To: 200}}
	b.MaxInFlight, b.InFlight = limit, inFlight
	stats := b.drive(t.Context(), t)
	if n := inFlight.Load(); n != 0 {
		t.Errorf("%d operations are said to be under way after the load", n)
	}

	tally := history.NewTally()
	perSecond := make([]int, 12)
	for _, e := range b.events(t) {
		tally.Observe(&e)
		perSecond[e.Sched/time.Second]++
		if e.Class != ClassShed && e.Sent/time.Second != e.Sched/time.Second {
			t.Errorf("operation of %v was sent at %v", e.Sched, e.Sent)
		}
	}
	if want := slices.Repeat([]int{200}, 12); !slices.Equal(perSecond, want) {
		t.Errorf("arrivals per second = %v, want 200 each", perSecond)
	}
	cell := tally.Cell("", "")
	if got := cell.Latency(history.OK, 1); got < 2900*time.Millisecond {
		t.Errorf("longest answer took %v, want about 3 s", got)
	}
	if shed := max(0, 600-limit); cell.Shed < int64(shed)-10 || cell.Shed > int64(shed)+10 || stats.Shed != cell.Shed {
		t.Errorf("%d operations recorded and %d counted as shed, want about %d", cell.Shed, stats.Shed, shed)
	}
	if got := cell.Latency(history.OK, 0.99); got < 2800*time.Millisecond {
		t.Errorf("p99 = %v, want at least 2.8 s", got)
	}
	if stats.Offered != 2400 || stats.Sent != stats.Offered-stats.Shed || stats.Completed != stats.Sent || stats.LagMax > 1 {
		t.Errorf("stats = %+v, want 2400 offered, all sent in time and completed", stats)
	}
}

func TestEventsOfAnOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			pause(r, 20*time.Millisecond)
			w.Header().Set("Ledger-Instance", "api-1")
			w.Header().Set("Ledger-Timeline", "3")
			body, _ := io.ReadAll(r.Body)
			if r.Method == http.MethodPut && (string(body) != "{}" || r.ContentLength != 2) {
				w.WriteHeader(http.StatusBadRequest)
			}
			if r.Method == http.MethodGet && (len(r.TransferEncoding) > 0 || r.Header.Get("X-Correlation-ID") != "proofload-2-0") {
				w.WriteHeader(http.StatusBadRequest)
			}
			for name := range r.Header {
				if strings.HasPrefix(name, "X-Vegeta") {
					w.WriteHeader(http.StatusBadRequest)
				}
			}
		})
		w := &ops{next: func(seq uint64) Operation {
			if seq > 0 {
				op := writes(seq)
				op.Peer = "l"
				return op
			}
			op := reads(seq)
			op.Session, op.Promise = "s-1", history.PromiseStrong
			op.Saw = func(header http.Header, _ []byte) Sight {
				return Sight{Source: header.Get("Ledger-Instance"), Version: 8, Balance: 9}
			}
			return op
		}}
		b.Workload, b.Drill = w, 2
		b.Phases = []Phase{{Name: "a", For: time.Second, From: 1, To: 1}, {Name: "b", For: time.Second, From: 1, To: 1}}
		b.Start = b.Recorder.Now() + 10*time.Second
		b.drive(t.Context(), t)

		const start, rtt = 10 * time.Second, 20 * time.Millisecond
		read, write := start+500*time.Millisecond, start+1500*time.Millisecond
		want := []history.Event{
			{At: read + rtt, Kind: history.OK, By: history.ByLoad, Op: "read", Drill: 2, Phase: "a", Sched: read, Sent: read, Status: 200, Connect: 1, FirstByte: rtt, Node: "api-1", Timeline: 3, Seq: 1, Session: "s-1", Promise: history.PromiseStrong, Role: "api-1", Value: 8, Amount: 9},
			{At: write, Kind: history.Invoke, By: history.ByLoad, Op: "write", ID: "w1", Drill: 2, Phase: "b", Write: true, Sched: write, Sent: write, Amount: 5, Key: "k", Peer: "l", Seq: 2},
			{At: write + rtt, Kind: history.OK, By: history.ByLoad, Op: "write", ID: "w1", Drill: 2, Phase: "b", Write: true, Sched: write, Sent: write, Status: 200, Amount: 5, Key: "k", Peer: "l", Seq: 2, Node: "api-1", Timeline: 3},
		}
		if diff := cmp.Diff(want, b.events(t)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]bool{"": true, "w1": true}, w.observed); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		b.Phases = []Phase{{Name: "slow", For: time.Minute, From: 0.25, To: 0.25}}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("kill switch")
		time.AfterFunc(3*time.Second, func() { cancel(stopped) }) // one was due at 2 s, the next is at 6 s
		began := time.Now()
		stats, err := Drive(ctx, b.Config)
		if !errors.Is(err, stopped) {
			t.Errorf("Drive = %v, want %v", err, stopped)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("stopped after %v, want exactly 3 s", took)
		}
		if n := len(b.events(t)); n != 1 || stats.Offered != 1 || stats.Planned != 15 {
			t.Errorf("%d operations, stats %+v; want 1 of 15", n, stats)
		}
	})
}

func TestStopDrains(t *testing.T) {
	tests := []struct {
		name       string
		drain      time.Duration
		answerTook time.Duration
		ends       time.Duration // after the stop
		class      string
	}{
		{"answered in time", time.Second, 600 * time.Millisecond, 500 * time.Millisecond, ""},
		{"cancelled after the grace", time.Second, time.Minute, time.Second, ClassCanceled},
		{"cancelled at once", -1, time.Minute, 0, ClassCanceled},
		{"by default, the timeout ends them", 0, time.Minute, 4900 * time.Millisecond, ClassTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(_ http.ResponseWriter, r *http.Request) { pause(r, tt.answerTook) })
				b.Phases = []Phase{{Name: "p", For: time.Second, From: 1, To: 1}, {Name: "q", For: time.Minute}, {Name: "r", For: time.Second, From: 1, To: 1}}
				b.Workload, b.Drain = &ops{next: writes}, tt.drain
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(600*time.Millisecond, cancel) // 100 ms after the first is sent
				began := time.Now()
				if _, err := Drive(ctx, b.Config); !errors.Is(err, context.Canceled) {
					t.Errorf("Drive = %v, want %v", err, context.Canceled)
				}
				if got := time.Since(began) - 600*time.Millisecond; got != tt.ends {
					t.Errorf("ended %v after the stop, want %v", got, tt.ends)
				}
				last := b.events(t)[1]
				if last.Class != tt.class || (last.Kind == history.OK) != (tt.class == "") {
					t.Errorf("operation ended as %s %q, want class %q", last.Kind, last.Class, tt.class)
				}
			})
		})
	}
}

func TestRefusesOtherHosts(t *testing.T) {
	dialled := func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialled")
		return nil, net.ErrClosed
	}
	rec, err := history.NewRecorder(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	c := Config{Workload: &ops{next: reads}, Recorder: rec, dial: dialled, AllowHosts: []string{"staging.example.com"}}
	for _, url := range []string{"http://example.com", "http://10.0.0.1:8080", "http://localhost.example.com", "http://127.0.0.1.example.com"} {
		c.BaseURL = url
		if _, err := Drive(t.Context(), c); !errors.Is(err, ErrHostNotAllowed) {
			t.Errorf("Drive against %s = %v, want %v", url, err, ErrHostNotAllowed)
		}
	}
	for _, url := range []string{"", "ftp://127.0.0.1", "127.0.0.1:80", "http://", "http://%zz"} {
		c.BaseURL = url
		if _, err := Drive(t.Context(), c); err == nil {
			t.Errorf("Drive against %q succeeded", url)
		}
	}
	for _, host := range []string{"127.0.0.1", "127.9.9.9", "::1", "localhost", "staging.example.com"} {
		if !c.allowed(host) {
			t.Errorf("allowed(%s) = false", host)
		}
	}
	if _, err := Drive(t.Context(), Config{}); err == nil {
		t.Error("Drive of nothing succeeded")
	}
}
