package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// driveTCP drives n operations against a real address and returns what was
// recorded.
func driveTCP(t *testing.T, url string, n int, w Workload) ([]history.Event, Stats) {
	t.Helper()
	return driveWith(t, url, n, w, func(*Config) {})
}

// driveWith is driveTCP with a configuration that is changed.
func driveWith(t *testing.T, url string, n int, w Workload, change func(*Config)) ([]history.Event, Stats) {
	t.Helper()
	b := &bench{}
	rec, err := history.NewRecorder(&b.file)
	if err != nil {
		t.Fatal(err)
	}
	b.Config = Config{
		BaseURL: url, Drill: 1, Workload: w, Recorder: rec,
		Timeouts: long(), MaxLag: -1, // however busy the machine is
		Phases: []Phase{{Name: "p", For: time.Duration(n) * time.Millisecond, From: 1000, To: 1000}},
	}
	change(&b.Config)
	stats := b.drive(t.Context(), t)
	return b.events(t), stats
}

// TestNoHiddenRetries has a server take in each request and close every second
// connection without an answer. Go's transport would repeat most of these
// requests on another connection; here the server must see each exactly once,
// and every closed connection must be seen by the client.
func TestNoHiddenRetries(t *testing.T) {
	for _, tt := range []struct {
		method string
		key    bool
		body   string
	}{
		{http.MethodGet, false, ""},
		{http.MethodHead, false, ""},
		{http.MethodOptions, false, ""},
		{http.MethodTrace, false, ""},
		{http.MethodDelete, true, ""},
		{http.MethodPut, false, "{}"},
		{http.MethodPut, true, "{}"},
		{http.MethodPut, true, ""},
		{http.MethodPost, true, "{}"},
	} {
		t.Run(fmt.Sprintf("%s key %t body %q", tt.method, tt.key, tt.body), func(t *testing.T) {
			s := newKiller(t)
			const n = 100
			w := &ops{next: func(seq uint64) Operation {
				op := Operation{Op: "write", Write: true, ID: strconv.FormatUint(seq, 10), Method: tt.method, Path: "/" + strconv.FormatUint(seq, 10), Body: []byte(tt.body)}
				if tt.key {
					op.Header = http.Header{"Idempotency-Key": {op.ID}, "X-Idempotency-Key": {op.ID}}
				}
				return op
			}}
			events, _ := driveTCP(t, s.url, n, w)
			var ok, lost, unsent int
			for _, e := range events {
				switch {
				case e.Kind == history.Invoke:
				case e.Kind == history.OK:
					ok++
				case e.Kind == history.Info && (e.Class == ClassEOF || e.Class == ClassReset):
					lost++
				case e.Kind == history.Fail && e.Class == ClassNotSent:
					unsent++
				default:
					t.Errorf("operation %s ended as %s %q", e.ID, e.Kind, e.Class)
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for path, count := range s.received {
				if count != 1 {
					t.Errorf("the server received %s %d times", path, count)
				}
			}
			if len(s.received) != ok+lost || ok+lost+unsent != n {
				t.Errorf("%d received; %d ok, %d lost, %d not sent of %d; want received = ok + lost", len(s.received), ok, lost, unsent, n)
			}
			if s.reused == 0 || lost != s.closed {
				t.Errorf("the server closed %d connections, %d of them used before; the client saw %d", s.closed, s.reused, lost)
			}
		})
	}
}

// A killer is a server that closes a connection instead of answering the
// second request on it.
type killer struct {
	url string

	mu       sync.Mutex
	received map[string]int
	closed   int
	reused   int
}

func newKiller(t *testing.T) *killer {
	t.Helper()
	k := &killer{received: map[string]int{}}
	k.url = serve(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for i := 0; ; i++ {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			k.mu.Lock()
			k.received[req.URL.Path]++
			if i == 1 {
				k.closed++
				k.reused++
			}
			k.mu.Unlock()
			if i == 1 {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	return k
}

// serve accepts TCP connections until the test ends, and closes each when
// handle returns.
func serve(t *testing.T, handle func(net.Conn)) (url string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return "http://" + l.Addr().String()
}

// TestErrorClassesAreFew provokes 600 resets, whose messages all name another
// port.
func TestErrorClassesAreFew(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	events, stats := driveTCP(t, url, 600, &ops{next: writes})
	classes := map[string]int{}
	for _, e := range events {
		if e.Kind != history.Invoke {
			classes[string(e.Kind)+" "+e.Class]++
		}
	}
	// Now and then a close overtakes the reset.
	if len(classes) > 2 || classes["info reset"]+classes["info eof"] != 600 || classes["info reset"] < 500 || stats.Offered != 600 || stats.Completed != 0 {
		t.Errorf("outcomes %v, stats %+v; want 600 times info reset or eof", classes, stats)
	}
}

func TestDialRefused(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	events, _ := driveTCP(t, url, 20, &ops{next: reads})
	sampled := 0
	for _, e := range events {
		if strings.Contains(e.Text, "connection refused") {
			sampled++
		}
		if e.Kind != history.Fail || e.Class != ClassDialRefused {
			t.Errorf("operation ended as %s %q, want %s %q", e.Kind, e.Class, history.Fail, ClassDialRefused)
		}
	}
	if sampled != samplesEach {
		t.Errorf("%d of 20 errors are kept as text, want %d", sampled, samplesEach)
	}
}

// TestTLS checks that what was sent is also known below TLS.
func TestTLS(t *testing.T) {
	var received atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		received.Add(1)
		panic(http.ErrAbortHandler)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for _, protocol := range []Protocol{HTTP1, HTTP2} {
		c := Config{BaseURL: s.URL, Protocol: protocol, Timeouts: Timeouts{Dial: time.Minute, TLS: time.Minute, Total: time.Minute}}
		c.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
		before := received.Load()
		if event := sendOne(t, c, writes(1)); event.Kind != history.Info || received.Load() != before+1 {
			t.Errorf("%s: %d received, outcome %s %q; want 1, %s", protocol, received.Load()-before, event.Kind, event.Class, history.Info)
		}
		c.TLS = nil // does not trust the server
		if event := sendOne(t, c, writes(2)); event.Kind != history.Fail || event.Class != ClassTLS || received.Load() != before+1 {
			t.Errorf("%s: %d received, outcome %s %q; want 1, %s %q", protocol, received.Load()-before, event.Kind, event.Class, history.Fail, ClassTLS)
		}
	}
}

// sendOne sends one operation and returns what would be recorded of it.
func sendOne(t *testing.T, c Config, op Operation) history.Event {
	t.Helper()
	c = c.withDefaultsFor(t)
	tr, err := newTransport(t.Context(), c, aTurn(t))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	e := &engine{samples: map[string]int{}, Config: c, transport: tr, load: t.Context()}
	event := history.Event{Kind: history.Fail}
	e.send(&job{op: op, user: nobody}, &event)
	return event
}

func (c Config) withDefaultsFor(t *testing.T) Config {
	t.Helper()
	rec, err := history.NewRecorder(&bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rec.Close() })
	c.Recorder = rec
	return c.withDefaults()
}

// TestNamesThatAreNotLocal checks the address that a name resolved to.
func TestNamesThatAreNotLocal(t *testing.T) {
	c := Config{BaseURL: "http://localhost:80", Timeouts: Timeouts{Dial: time.Minute}}
	c.lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
	}
	d, err := newDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err = d.dial(t.Context()); !errors.Is(err, ErrHostNotAllowed) {
		t.Errorf("dial of 192.0.2.1 = %v, want %v", err, ErrHostNotAllowed)
	}
}

// aTurn returns a turn that ends with the test.
func aTurn(t *testing.T) *turn {
	t.Helper()
	turn, err := newTurn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = turn.close() })
	return turn
}
