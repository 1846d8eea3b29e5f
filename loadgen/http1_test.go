package loadgen

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
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
