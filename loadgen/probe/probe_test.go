package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/proofload/proofload/reports/history"
)

// script is an observer that plays what it is told, one step an observation.
type script struct {
	steps  []func(context.Context, *history.Event) error
	stop   context.CancelFunc
	closed int
}

func (s *script) observe(ctx context.Context, e *history.Event) error {
	if len(s.steps) == 0 {
		s.stop()
		return ctx.Err()
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	return step(ctx, e)
}

func (s *script) close(context.Context) { s.closed++ }

func role(name string, timeline int, value int64) func(context.Context, *history.Event) error {
	return func(_ context.Context, e *history.Event) error {
		e.Role, e.Timeline, e.Value = name, timeline, value
		return nil
	}
}

func fails(text string) func(context.Context, *history.Event) error {
	return func(context.Context, *history.Event) error { return errors.New(text) }
}

func hangs(ctx context.Context, _ *history.Event) error {
	<-ctx.Done()
	return fmt.Errorf("ask: %w", ctx.Err())
}

func TestRecordsChangesAndHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		rec, err := history.NewRecorder(&file)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		s := &script{stop: stop}
		for i := range 25 { // 0 to 2.4 s
			s.steps = append(s.steps, role(Replica, 1, int64(i)))
		}
		for range 2 {
			s.steps = append(s.steps, fails("refused"))
		}
		s.steps = append(s.steps, hangs, role(Primary, 2, 99), role(Primary, 3, 99))
		watch(ctx, Target{Node: "pg-1", Op: history.ProbeDatabase}, s, func() time.Duration { return 100 * time.Millisecond }, rec)
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}

		event := func(at int, kind history.Kind, role string, timeline int, value int64, text string) history.Event {
			return history.Event{
				At: time.Duration(at) * time.Millisecond, Kind: kind, By: history.ByProbe, Op: history.ProbeDatabase, Node: "pg-1",
				Role: role, Timeline: timeline, Value: value, Text: text,
			}
		}
		want := []history.Event{
			event(0, history.Info, Replica, 1, 0, ""),
			event(1000, history.Info, Replica, 1, 10, ""),
			event(2000, history.Info, Replica, 1, 20, ""),
			event(2500, history.Fail, "", 0, 0, "refused"),
			event(3200, history.Fail, "", 0, 0, "no answer within 500ms"),
			event(3200, history.Info, Primary, 2, 99, ""), // its tick had passed meanwhile
			event(3300, history.Info, Primary, 3, 99, ""),
		}
		if diff := cmp.Diff(want, read(t, &file)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if s.closed != 1 {
			t.Errorf("closed %d times, want once", s.closed)
		}
	})
}

func read(t *testing.T, file io.Reader) []history.Event {
	t.Helper()
	var all []history.Event
	for e, err := range history.Read(file) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *e)
	}
	return all
}

func TestAgent(t *testing.T) {
	tests := []struct {
		name, body string
		status     int
		want       history.Event
		bad        bool
	}{
		{"old primary", `{"state":"running","role":"master","timeline":2}`, 200, history.Event{Role: Primary, Timeline: 2}, false},
		{"primary", `{"state":"running","role":"primary","timeline":2}`, 200, history.Event{Role: Primary, Timeline: 2}, false},
		{"replica", `{"role":"replica","timeline":1,"xlog":{"received_location":5}}`, 503, history.Event{Role: Replica, Timeline: 1}, false},
		{"no leader", `{"role":"replica","cluster_unlocked":true,"timeline":1}`, 200, history.Event{Role: Replica, Timeline: 1, Text: unlocked}, false},
		{"not JSON", `<html>`, 502, history.Event{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/patroni" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer s.Close()
			a := newObserver(Target{Op: history.ProbeAgent, URL: s.URL + "/"})
			defer a.close(t.Context())
			var got history.Event
			if err := a.observe(t.Context(), &got); (err != nil) != tt.bad {
				t.Errorf("observe = %v, want an error: %t", err, tt.bad)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNobodyThere probes a port on which nothing listens.
func TestNobodyThere(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	var file bytes.Buffer
	rec, err := history.NewRecorder(&file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	seen := map[string]bool{}
	rec.Tap(func(e *history.Event) {
		if seen[e.Op] = true; len(seen) == 3 {
			stop()
		}
	})
	Run(ctx, []Target{
		{Node: "pg-1", Op: history.ProbeDatabase, URL: "postgres://u:secret@" + addr + "/x?sslmode=disable"},
		{Node: "pgbouncer", Op: history.ProbeRoute, URL: "postgres://u:secret@" + addr + "/x?sslmode=disable"},
		{Node: "pg-1", Op: history.ProbeAgent, URL: "http://" + addr},
	}, Pace{Calm: 10 * time.Millisecond}, rec)
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	events := read(t, &file)
	if len(events) < 3 {
		t.Fatalf("%d events, want one a target", len(events))
	}
	for _, e := range events {
		if e.Kind != history.Fail || e.Text != "connection refused" {
			t.Errorf("%s of %s: %s %q, want fail %q", e.Op, e.Node, e.Kind, e.Text, "connection refused")
		}
		if e.Op != history.ProbeAgent && e.Class != history.ClassUnreached {
			t.Errorf("%s of %s: class %q, want %q", e.Op, e.Node, e.Class, history.ClassUnreached)
		}
	}
}

// TestNothingBehind probes a pooler that answers, and says that it has no
// database to give: it is not the pooler that is down.
func TestNothingBehind(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var pooler sync.WaitGroup
	pooler.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return // the test is over
		}
		defer conn.Close()
		back := pgproto3.NewBackend(conn, conn)
		if _, err := back.ReceiveStartupMessage(); err != nil {
			t.Errorf("receive start-up message: %v", err)
		}
		back.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "server login has been failing"})
		if err := back.Flush(); err != nil {
			t.Errorf("refuse: %v", err)
		}
	})
	d := newObserver(Target{Op: history.ProbeRoute, URL: "postgres://u:secret@" + l.Addr().String() + "/x?sslmode=disable"})
	defer d.close(t.Context())
	var e history.Event
	if err := d.observe(t.Context(), &e); err == nil || reason(err) != "server login has been failing" || e.Class != "" {
		t.Errorf("observed %v, class %q, want no class: somebody answered", err, e.Class)
	}
	_ = l.Close()
	pooler.Wait()
}

func TestReason(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 43210}, Err: errors.New("connection reset by peer")}
	tests := []struct {
		err  error
		want string
	}{
		{fmt.Errorf("read status: %w", reset), "connection reset by peer"},
		{fmt.Errorf("connect: %w", errors.Join(reset, io.EOF)), "connection reset by peer"},
		{fmt.Errorf("a: %w", &pgconn.PgError{Message: "the database system is starting up", Code: "57P03"}), "the database system is starting up"},
		{fmt.Errorf("a: %w", context.DeadlineExceeded), "no answer within 500ms"},
		{errors.New("plain"), "plain"},
	}
	for _, tt := range tests {
		if got := reason(tt.err); got != tt.want || strings.Contains(got, "43210") {
			t.Errorf("reason(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
