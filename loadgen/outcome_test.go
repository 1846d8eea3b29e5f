package loadgen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// TestOutcomes checks how each answer, or lack of one, is recorded.
func TestOutcomes(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	refuse2xx := func(int, http.Header, []byte) Answer { return Broken }
	tests := []struct {
		name    string
		handler http.HandlerFunc
		judge   func(int, http.Header, []byte) Answer
		header  time.Duration
		class   string
		read    history.Kind
		write   history.Kind
	}{
		{name: "200", handler: status(200), read: history.OK, write: history.OK},
		{name: "201", handler: status(201), read: history.OK, write: history.OK},
		{name: "301 is not followed", handler: http.RedirectHandler("/elsewhere", http.StatusMovedPermanently).ServeHTTP, class: ClassOther, read: history.Fail, write: history.Info},
		{name: "409", handler: status(409), class: Class4xx, read: history.Fail, write: history.Fail},
		{name: "503", handler: status(503), class: Class5xx, read: history.Fail, write: history.Info},
		{name: "200 against the contract", handler: status(200), judge: refuse2xx, class: ClassBadBody, read: history.Fail, write: history.Info},
		{name: "closed before the answer", handler: hijack(""), class: ClassEOF, read: history.Fail, write: history.Info},
		{name: "closed in the body", handler: hijack("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), class: ClassEOF, read: history.Fail, write: history.Info},
		{name: "not HTTP", handler: hijack("SSH-2.0-x\r\n\r\n"), class: ClassOther, read: history.Fail, write: history.Info},
		{name: "no answer", handler: func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Minute) }, class: ClassTimeout, read: history.Fail, write: history.Info},
		{name: "no head in time", handler: func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Minute) }, header: time.Second, class: ClassHeaderTimeout, read: history.Fail, write: history.Info},
		{name: "endless body", handler: func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, class: ClassTooLarge, read: history.Fail, write: history.Info},
		{name: "body stops", handler: func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("abc"))
			_ = http.NewResponseController(w).Flush()
			pause(r, time.Minute)
		}, class: ClassTimeout, read: history.Fail, write: history.Info},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.handler)
				b.Phases = []Phase{{Name: "p", For: time.Second, From: 2, To: 2}}
				b.Timeouts.Header = tt.header
				b.Workload = &ops{next: func(seq uint64) Operation {
					op := reads(seq)
					if seq == 1 {
						op = writes(seq)
					}
					op.Judge = tt.judge
					return op
				}}
				b.drive(t.Context(), t)
				got := map[bool]string{}
				for _, e := range b.events(t) {
					if e.Kind != history.Invoke {
						got[e.Write] = string(e.Kind) + " " + e.Class
					}
				}
				want := map[bool]string{false: string(tt.read) + " " + tt.class, true: string(tt.write) + " " + tt.class}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("outcome by write (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// hijack answers with raw bytes and closes the connection.
func hijack(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

func TestNothingSent(t *testing.T) {
	silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	broken := func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		_ = server.Close()
		return client, nil
	}
	unreachable := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("no route to host")}
	}
	tests := []struct {
		name  string
		url   string
		dial  func(context.Context, string, string) (net.Conn, error)
		class string
	}{
		{"no answer to the dial", "http://127.0.0.1", silent, ClassDialTimeout},
		{"no route", "http://127.0.0.1", unreachable, ClassNotSent},
		{"closed before the first byte", "http://127.0.0.1", broken, ClassNotSent},
		{"handshake fails", "https://127.0.0.1", talk("HTTP/1.1 400 Bad Request\r\n\r\n"), ClassTLS},
		{"handshake stalls", "https://127.0.0.1", talk(""), ClassTLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.BaseURL, b.dial = tt.url, tt.dial
				b.Workload = &ops{next: writes}
				stats := b.drive(t.Context(), t)
				n := 0
				for _, e := range b.events(t) {
					if e.Kind == history.Invoke {
						continue
					}
					n++
					if e.Kind != history.Fail || e.Class != tt.class {
						t.Errorf("%s %q, want %s %q", e.Kind, e.Class, history.Fail, tt.class)
					}
				}
				if n != 10 || stats.Completed != 0 || stats.Sent != 10 {
					t.Errorf("%d completions, stats %+v; want 10, none completed", n, stats)
				}
			})
		})
	}
}

// talk dials a server that reads, and once says something.
func talk(say string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			_, _ = server.Read(make([]byte, 1<<10))
			if say != "" {
				_, _ = io.WriteString(server, say)
				return
			}
			_, _ = io.Copy(io.Discard, server)
		}()
		return client, nil
	}
}
