package loadgen

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRequestsAreWellFormed holds what is written against what net/http reads.
func TestRequestsAreWellFormed(t *testing.T) {
	h := &http1{host: "db.example:81", prefix: "/base"}
	r := &request{method: http.MethodPut, path: "/a b/%2F?x=1 2&ü={}#part", corr: "proofload-1-7", body: []byte("{}"), header: http.Header{
		"X-A": {"1", "2"}, "host": {"other"}, "Content-Length": {"7"}, "Connection": {"close"}, "Transfer-Encoding": {"chunked"},
	}}
	head, err := h.appendHead(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(head) + "{}")))
	if err != nil {
		t.Fatalf("%v of:\n%s", err, head)
	}
	if got.RequestURI != "/base/a%20b/%2F?x=1%202&%C3%BC=%7B%7D" || got.ContentLength != 2 || got.Close || len(got.TransferEncoding) > 0 || len(got.Header["X-A"]) != 2 {
		t.Errorf("request:\n%s", head)
	}
	if got.Header.Get("User-Agent") != userAgent || got.Header.Get(correlationHeader) != "proofload-1-7" {
		t.Errorf("does not say who asks:\n%s", head)
	}
	for name, bad := range map[string]*request{
		"method":       {method: "GET /x", path: "/"},
		"header name":  {method: "GET", path: "/", header: http.Header{"X A": {"1"}}},
		"header value": {method: "GET", path: "/", header: http.Header{"X-A": {"1\r\nX-B: 2"}}},
		"host":         {method: "GET", path: "/", header: http.Header{"Host": {"a\r\nb"}}},
		"path":         {method: "GET", path: "/%zz"},
		"authority":    {method: "GET", path: ".evil/"},
		"escape":       {method: "GET", path: "/%+1"},
		"line break":   {method: "GET", path: "/ HTTP/1.1\r\nX: y"},
	} {
		if _, err := (&http1{host: "h"}).appendHead(nil, bad); err == nil {
			t.Errorf("a bad %s was accepted", name)
		}
	}
}

// TestReuseOverTLS uses a connection again, past the session tickets that a
// server sends once it has been made, and not once the server has closed it.
func TestReuseOverTLS(t *testing.T) {
	s := newTLSServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		if r.URL.Path == "/flush" {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "more")
		}
	})
	s.StartTLS()
	c := Config{BaseURL: s.URL, Timeouts: long(), TLS: s.Client().Transport.(*http.Transport).TLSClientConfig}.withDefaultsFor(t)
	tr, err := newTransport(t.Context(), c, aTurn(t))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	for i, tt := range []struct {
		path   string
		bytes  int
		made   bool // a connection
		before func()
	}{
		{"/", 10_000, true, func() {}},
		{"/", 10_000, false, func() {}},
		{"/flush", 10_004, false, func() {}},
		{"/", 10_000, false, func() {}},
		{"/", 10_000, true, s.CloseClientConnections},
		{"/", 10_000, false, func() {}},
	} {
		tt.before()
		a, err := tr.exchange(&request{method: http.MethodGet, path: tt.path, deadline: time.Now().Add(c.Timeouts.Total)})
		if err != nil || len(a.body) != tt.bytes || (a.timings.TLS > 0) != tt.made {
			t.Errorf("exchange %d: %d bytes, handshake took %v, %v; want %d bytes, a new connection %t", i, len(a.body), a.timings.TLS, err, tt.bytes, tt.made)
		}
	}
}

// TestUnusualAnswers reads answers of servers that are right, if not common, and
// of some that are not, each of them twice, and uses the connection again
// where the next answer is sure to begin where the last one ended.
func TestUnusualAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, method, answer string
		status               int
		body                 string
		again                bool // the connection is used again
	}{
		{"trailers", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n", 200, "ok", true},
		{"chunk extensions", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", 200, "ok", true},
		{"early hints", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
		{"continue that nobody asked for", "POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, "", true},
		{"length of HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 200, "", true},
		{"chunks of HEAD", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", true},
		{"length of 304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, "", true},
		{"no content", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
		{"no content, and yet", "DELETE", "HTTP/1.1 204 No Content\r\n\r\nhello", 204, "", false},
		{"more than its length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", 200, "ok", false},
		{"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
		{"HTTP/1.0 that keeps it", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
		{"large head", "GET", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 50) + "Content-Length: 2\r\n\r\nok", 200, "ok", true},
		{"compressed", "GET", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", 200, "\x1f\x8b", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, connections := answering(t, tt.answer)
			c := Config{BaseURL: "http://" + at, Timeouts: long()}.withDefaultsFor(t)
			tr, err := newTransport(t.Context(), c, aTurn(t))
			if err != nil {
				t.Fatal(err)
			}
			defer tr.close()
			for range 2 {
				a, err := tr.exchange(&request{method: tt.method, path: "/", deadline: time.Now().Add(DefaultTotalTimeout)})
				if err != nil || a.status != tt.status || string(a.body) != tt.body {
					t.Fatalf("%d %q, %v; want %d %q", a.status, a.body, err, tt.status, tt.body)
				}
			}
			if got := connections.Load() == 1; got != tt.again {
				t.Errorf("the connection was used again: %t, want %t", got, tt.again)
			}
		})
	}
}

// answering is a server that gives every request the same bytes as an answer. It
// is at an IPv6 address where the machine has one.
func answering(t *testing.T, answer string) (at string, connections *atomic.Int64) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		l, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	connections = &atomic.Int64{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			serving.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					_, _ = io.WriteString(conn, answer)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String(), connections
}

// FuzzHTTP1Answer gives the client any bytes as an answer: it must end, and say
// that all is well only of an answer with an end.
func FuzzHTTP1Answer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nto the end",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20),
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 70<<10) + "\r\n\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		client, server := net.Pipe()
		var talking sync.WaitGroup
		talking.Go(func() {
			defer server.Close()
			if _, err := http.ReadRequest(bufio.NewReader(server)); err == nil {
				_, _ = io.WriteString(server, text)
			}
		})
		c := Config{BaseURL: "http://127.0.0.1", Timeouts: long()}.withDefaultsFor(t)
		c.dial = func(context.Context, string, string) (net.Conn, error) { return client, nil }
		tr, err := newTransport(t.Context(), c, aTurn(t))
		if err != nil {
			t.Fatal(err)
		}
		a, err := tr.exchange(&request{method: http.MethodGet, path: "/", deadline: time.Now().Add(DefaultTotalTimeout)})
		tr.close()
		talking.Wait()
		if !a.sent || err == nil && (a.status < 100 || len(a.body) > maxBody) {
			t.Errorf("sent %t, status %d, %d bytes, %v", a.sent, a.status, len(a.body), err)
		}
	})
}
