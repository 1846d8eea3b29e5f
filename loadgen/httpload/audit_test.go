package httpload

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// shop is a system with orders, which may lose or double some of them.
type shop struct {
	mu      sync.Mutex
	orders  map[string]int // by id: how many times it is there
	made    int
	lose    func(n int) bool
	double  func(n int) bool
	failing int // lookups that are answered with 500
}

func newShop() *shop {
	never := func(int) bool { return false }
	return &shop{orders: map[string]int{}, lose: never, double: never}
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	id := strings.TrimPrefix(r.URL.Path, "/orders/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/orders":
		s.made++
		id = fmt.Sprintf("o%d", s.made)
		s.store(id)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id": %q}`, id)
	case r.Method == http.MethodPut:
		s.made++
		s.store(id)
		w.WriteHeader(http.StatusCreated)
	case s.failing > 0:
		s.failing--
		w.WriteHeader(http.StatusInternalServerError)
	case s.orders[id] == 0:
		w.WriteHeader(http.StatusNotFound)
	default:
		fmt.Fprintf(w, `{"items": [%s]}`, strings.TrimSuffix(strings.Repeat("0,", s.orders[id]), ","))
	}
}

func (s *shop) store(id string) {
	switch {
	case s.lose(s.made):
	case s.double(s.made):
		s.orders[id] = 2
	default:
		s.orders[id] = 1
	}
}

const shopFile = `
requests:
  - {name: made-there, post: /orders, json: {n: "${seq}"}, ack: {key: $.id, lookup: {get: "/orders/${key}?pass=${secret:PASSWORD}", count: "$.items[*]", within: 1ms}}}
  - {name: made-here, set: {id: "${uuid}"}, put: "/orders/${id}", ack: {key: "${id}", lookup: {get: "/orders/${key}", count: "$.items[*]", within: 1ms}}}
  - {name: read, get: "/orders/${recent.made-there}"}
`

// recorded drives a workload against a system, looks its writes up and returns
// what was recorded.
func recorded(t *testing.T, s *shop, text string) (events []history.Event, audit error) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	var file bytes.Buffer
	rec, err := history.NewRecorder(&file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(t.Context(), parseText(t, text), Config{Seed: 1, Nonce: [6]byte{1}, BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	_, err = loadgen.Drive(t.Context(), loadgen.Config{
		BaseURL: server.URL, Drill: 1, Workload: w, Recorder: rec, Seed: 1,
		Timeouts: loadgen.Timeouts{Dial: time.Minute, Total: time.Minute}, // however busy the machine is
		Phases:   []loadgen.Phase{{Name: "p", For: 100 * time.Millisecond, From: 3000, To: 3000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	audit = w.Audit(t.Context(), AuditConfig{Drill: 1, Recorder: rec, Within: time.Minute})
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	for e, err := range history.Read(bytes.NewReader(file.Bytes())) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, *e)
	}
	if notes, err := w.Findings(); len(notes) > 0 || err != nil {
		t.Errorf("findings = %q, %v", notes, err)
	}
	return events, audit
}

// writesOf counts the acknowledged writes of a history, and how often each was
// found.
func writesOf(events []history.Event) (acked, found, doubled int, missing []string) {
	for _, e := range events {
		switch {
		case e.By == history.ByLoad && e.Write && e.Kind == history.OK:
			acked++
		case e.Op != history.AuditWrite || e.By != history.ByAudit:
		case e.Kind == history.Fail:
			missing = append(missing, e.Text)
		case e.Count > 1:
			doubled++
			fallthrough
		default:
			found++
		}
	}
	return acked, found, doubled, missing
}

func TestSoundSystemLosesNothing(t *testing.T) {
	s := newShop()
	events, err := recorded(t, s, shopFile)
	acked, found, doubled, missing := writesOf(events)
	if err != nil || acked == 0 || acked != s.made || found != acked || doubled != 0 || len(missing) > 0 {
		t.Errorf("%d made, %d acknowledged, %d found, %d doubled, missing %q; %v", s.made, acked, found, doubled, missing, err)
	}
	ids := map[string]bool{}
	for _, e := range events {
		if e.By == history.ByLoad && e.ID != "" {
			ids[e.ID] = true
		}
		if e.By == history.ByAudit && !ids[e.ID] {
			t.Errorf("found %q, which was never sent", e.ID)
		}
		if e.Op == "read" && e.Kind == history.OK && !ids[e.Key] {
			t.Errorf("read of %q, which was never sent", e.Key)
		}
	}
}

func TestLostAndDoubledWritesAreCounted(t *testing.T) {
	s := newShop()
	s.lose = func(n int) bool { return n%10 == 0 }
	s.double = func(n int) bool { return n%10 == 5 }
	s.failing = 0
	events, err := recorded(t, s, strings.Replace(shopFile, "  - {name: read, get: \"/orders/${recent.made-there}\"}\n", "", 1))
	acked, found, doubled, missing := writesOf(events)
	if err != nil || acked != s.made || len(missing) != s.made/10 || found != acked-len(missing) || doubled != (s.made+5)/10 {
		t.Errorf("%d made, %d acknowledged, %d found, %d doubled, %d missing; %v", s.made, acked, found, doubled, len(missing), err)
	}
	for _, m := range missing {
		if !strings.HasPrefix(m, "not found at /orders/") || strings.Contains(m, "hunter2") {
			t.Errorf("missing: %q", m)
		}
	}
}

// TestLookupsAreRepeated: a write that shows late is not lost, and one that
// cannot be looked up is not either.
func TestLookupsAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, late, fail := time.Now(), 3*time.Second, true
		w, err := New(t.Context(), parseText(t, `
requests:
  - {name: make, post: /orders, ack: {key: $.id, lookup: "/orders/${key}"}}
`), Config{BaseURL: "http://localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		w.client = &http.Client{Transport: transport(func(*http.Request) int {
			switch {
			case time.Since(began) < time.Second, fail && time.Since(began) > 20*time.Second:
				return http.StatusServiceUnavailable
			case time.Since(began) < late:
				return http.StatusNotFound
			}
			return http.StatusOK
		})}
		var file bytes.Buffer
		rec, err := history.NewRecorder(&file)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		look := func() (found, missing int, err error) {
			remove := rec.Tap(func(e *history.Event) {
				if e.Kind == history.Fail {
					missing++
					return
				}
				found++
			})
			defer remove()
			op := w.Next(1, 0)
			reply(&op, 201, nil, `{"id": "o1"}`)
			err = w.Audit(t.Context(), AuditConfig{Drill: 1, Recorder: rec})
			return found, missing, err
		}
		if found, missing, err := look(); found != 1 || missing != 0 || err != nil {
			t.Errorf("late: %d found, %d missing, %v", found, missing, err)
		}
		late = time.Hour
		if found, missing, err := look(); found != 0 || missing != 1 || err != nil {
			t.Errorf("never: %d found, %d missing, %v", found, missing, err)
		}
		loadgen.Wait(t.Context(), time.Minute)
		want := "look up the writes of drill 1: 1 of 1 could not be looked up: testdata/w.yaml:5:58: make: the lookup was not answered as expected: the answer is 503 Service Unavailable"
		if found, missing, err := look(); found != 0 || missing != 0 || err == nil || err.Error() != want {
			t.Errorf("down: %d found, %d missing,\n%v\n%v", found, missing, err, want)
		}
	})
}

// transport answers with a status.
type transport func(*http.Request) int

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	w.WriteHeader(f(r))
	return w.Result(), nil
}

// TestWriteOfUnknownOutcome is looked up if its key is known.
func TestWriteOfUnknownOutcome(t *testing.T) {
	w := workload(t, parseText(t, shopFile), 1)
	for seq := range uint64(40) {
		op := w.Next(1, seq)
		op.Then(loadgen.End{Kind: history.Info, Class: loadgen.ClassTimeout})
	}
	var got []string
	spool := w.forget(1)
	defer spool.close()
	if err := spool.each(func(e written) { got = append(got, e.step.op) }); err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 || cmp.Diff(got, strings.Split(strings.TrimSuffix(strings.Repeat("made-here ", len(got)), " "), " ")) != "" {
		t.Errorf("to look up: %q, want only what the client made the key of", got)
	}
}

// TestJourneyOverTheWire drives a journey against a real server.
func TestJourneyOverTheWire(t *testing.T) {
	s := newShop()
	server := httptest.NewServer(s)
	defer server.Close()
	f := parseText(t, `
requests:
  - name: buy
    steps:
      - {name: order, post: /orders, extract: {id: $.id}, ack: {key: $.id}}
      - {name: look, get: "/orders/${id}", think: 1ms, expect: {json: {"$.items[0]": 0}}}
`)
	w, err := New(t.Context(), f, Config{Seed: 1, BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rec, err := history.NewRecorder(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	var mu sync.Mutex
	n := map[string]int{}
	defer rec.Tap(func(e *history.Event) {
		mu.Lock()
		defer mu.Unlock()
		n[fmt.Sprint(e.Op, " ", e.Kind, " ", e.Step)]++
	})()
	stats, err := loadgen.Drive(t.Context(), loadgen.Config{
		BaseURL: server.URL, Drill: 1, Workload: w, Recorder: rec,
		Timeouts: loadgen.Timeouts{Dial: time.Minute, Total: time.Minute},
		Phases:   []loadgen.Phase{{Name: "p", For: 50 * time.Millisecond, From: 400, To: 400}},
	})
	want := map[string]int{"order invoke 0": 20, "order ok 0": 20, "look ok 1": 20}
	if diff := cmp.Diff(want, n); err != nil || diff != "" || stats.Offered != 20 {
		t.Errorf("%d offered, %v; events (-want +got):\n%s", stats.Offered, err, diff)
	}
}

// over returns a context that is.
func over(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// TestAuditEndsWithItsContext does not wait for a system that is down.
func TestAuditEndsWithItsContext(t *testing.T) {
	w := workload(t, parseText(t, shopFile), 1)
	w.remember(1, written{step: w.file.steps[0], id: "a", key: "k"})
	if err := w.Audit(over(t.Context()), AuditConfig{Drill: 1}); err == nil {
		t.Error("no error of an audit that could not be made")
	}
}

// TestRefusedAndThere looks a write up that was refused, if nobody but its client
// can have put its key there, and records it only if it is there.
func TestRefusedAndThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := New(t.Context(), parseText(t, `
requests:
  - {name: fresh, set: {id: "${uuid}"}, put: "/orders/${id}", ack: {key: "${id}", lookup: "/orders/${key}"}}
  - {name: old, set: {n: "${int(1, 9)}"}, put: "/accounts/${n}", ack: {key: "${n}", lookup: "/accounts/${key}"}}
`), Config{BaseURL: "http://localhost", Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		there := http.StatusOK
		w.client = &http.Client{Transport: transport(func(*http.Request) int { return there })}
		rec, err := history.NewRecorder(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		var events []history.Event
		defer rec.Tap(func(e *history.Event) { events = append(events, *e) })()
		for _, tt := range []struct{ status, want int }{{http.StatusOK, 1}, {http.StatusNotFound, 0}} {
			there, events = tt.status, nil
			ids := map[string]string{}
			for seq := uint64(0); len(ids) < 2; seq++ {
				op := w.Next(1, seq)
				if ids[op.Op] == "" {
					ids[op.Op] = op.ID
					op.Then(loadgen.End{Kind: history.Fail, Status: http.StatusUnprocessableEntity})
				}
			}
			began := time.Now()
			if err := w.Audit(t.Context(), AuditConfig{Drill: 1, Recorder: rec}); err != nil {
				t.Error(err)
			}
			if len(events) != tt.want || tt.want > 0 && (events[0].ID != ids["fresh"] || events[0].Kind != history.Info) {
				t.Errorf("lookups answered with %d: recorded %+v, want %d", tt.status, events, tt.want)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("lookups answered with %d took %v: there is nothing to wait for", tt.status, took)
			}
		}
	})
}

// TestCountWithoutJSON says nothing of the write: it is not lost.
func TestCountWithoutJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := New(t.Context(), parseText(t, `
requests:
  - {name: make, post: /orders, ack: {key: $.id, lookup: {get: "/orders/${key}", count: "$.items[*]", within: 1s}}}
`), Config{BaseURL: "http://localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		w.client = &http.Client{Transport: transport(func(*http.Request) int { return http.StatusOK })} // with no body
		op := w.Next(1, 0)
		reply(&op, 201, nil, `{"id": "o1"}`)
		rec, err := history.NewRecorder(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		defer rec.Tap(func(e *history.Event) { t.Errorf("recorded %+v", e) })()
		err = w.Audit(t.Context(), AuditConfig{Drill: 1, Recorder: rec, Within: 5 * time.Second})
		if err == nil || !strings.Contains(err.Error(), "1 of 1 could not be looked up") || !strings.Contains(err.Error(), "$.items[*] counts in JSON, and the answer is none") {
			t.Errorf("Audit = %v", err)
		}
	})
}
