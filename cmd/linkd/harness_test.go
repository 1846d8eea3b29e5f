package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// echo starts a server that sends back what it gets.
func echo(tb testing.TB) string {
	tb.Helper()
	return upstream(tb, func(c net.Conn) {
		io.Copy(c, c)
		c.Close()
	})
}

// upstream starts a server that handles each connection.
func upstream(tb testing.TB, handle func(net.Conn)) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tb.Cleanup(func() { c.Close() })
			go handle(c)
		}
	}()
	return l.Addr().String()
}

// linkd is a server under test and its control interface.
type linkd struct {
	*server
	url string
}

// start starts one link per upstream, named by their keys.
func start(tb testing.TB, upstreams map[string]string) linkd {
	tb.Helper()
	var cfg config
	for name, addr := range upstreams {
		cfg.Links = append(cfg.Links, linkConfig{Name: name, Listen: "127.0.0.1:0", Upstream: addr})
	}
	srv, err := newServer(tb.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(srv.close)
	control := httptest.NewServer(srv.routes())
	tb.Cleanup(control.Close)
	return linkd{srv, control.URL}
}

// do sends a request to the API of a link and returns the status and body. No
// request may hang, whatever the link's peers do.
func (d linkd) do(tb testing.TB, method, link, path, body string) (int, string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.url+"/links/"+url.PathEscape(link)+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func (d linkd) must(tb testing.TB, method, link, path, body string) string {
	tb.Helper()
	status, answer := d.do(tb, method, link, path, body)
	if status >= 300 {
		tb.Fatalf("%s %s %s: status %d: %s", method, path, body, status, answer)
	}
	return answer
}

func (d linkd) add(tb testing.TB, link, typ, stream, attributes string) {
	tb.Helper()
	d.must(tb, "POST", link, "/proxies/link/toxics",
		fmt.Sprintf(`{"name":"%s_%s","type":"%[1]s","stream":"%[2]s","attributes":%s}`, typ, stream, attributes))
}

func (d linkd) remove(tb testing.TB, link, typ, stream string) {
	tb.Helper()
	d.must(tb, "DELETE", link, "/proxies/link/toxics/"+typ+"_"+stream, "")
}

func (d linkd) counters(tb testing.TB, link string) counters {
	tb.Helper()
	var c counters
	if err := json.Unmarshal([]byte(d.must(tb, "GET", link, "/counters", "")), &c); err != nil {
		tb.Fatal(err)
	}
	return c
}

// dial connects through a link.
func (d linkd) dial(tb testing.TB, link string) net.Conn {
	tb.Helper()
	c, err := new(net.Dialer).DialContext(tb.Context(), "tcp", d.links[link].proxy.Listen)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// wait polls until done or a minute has passed.
func wait(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			tb.Fatal("waited in vain: " + what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// roundTrip sends text and wants it back.
func roundTrip(tb testing.TB, c net.Conn, text string) {
	tb.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		tb.Fatal(err)
	}
	expect(tb, c, text)
}

func expect(tb testing.TB, c net.Conn, text string) {
	tb.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, len(text))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != text {
		tb.Fatalf("read %q, %v, want %q", buf, err, text)
	}
}

// silent checks that nothing arrives for a while.
func silent(tb testing.TB, c net.Conn) {
	tb.Helper()
	c.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
	n, err := c.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); n > 0 || !ok || !timeout.Timeout() {
		tb.Fatalf("read %d bytes, %v, want none until the deadline", n, err)
	}
}
