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
func echo(t testing.TB) string {
	t.Helper()
	return upstream(t, func(c net.Conn) {
		io.Copy(c, c)
		c.Close()
	})
}

// upstream starts a server that handles each connection.
func upstream(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
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
func start(t testing.TB, upstreams map[string]string) linkd {
	t.Helper()
	var cfg config
	for name, addr := range upstreams {
		cfg.Links = append(cfg.Links, linkConfig{Name: name, Listen: "127.0.0.1:0", Upstream: addr})
	}
	srv, err := newServer(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.close)
	control := httptest.NewServer(srv.routes())
	t.Cleanup(control.Close)
	return linkd{srv, control.URL}
}

// do sends a request to the API of a link and returns the status and body. No
// request may take 6 s, whatever the link's peers do.
func (d linkd) do(t testing.TB, method, link, path, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.url+"/links/"+url.PathEscape(link)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func (d linkd) must(t testing.TB, method, link, path, body string) string {
	t.Helper()
	status, answer := d.do(t, method, link, path, body)
	if status >= 300 {
		t.Fatalf("%s %s %s: status %d: %s", method, path, body, status, answer)
	}
	return answer
}

func (d linkd) add(t testing.TB, link, typ, stream, attributes string) {
	t.Helper()
	d.must(t, "POST", link, "/proxies/link/toxics",
		fmt.Sprintf(`{"name":"%s_%s","type":"%[1]s","stream":"%[2]s","attributes":%s}`, typ, stream, attributes))
}

func (d linkd) remove(t testing.TB, link, typ, stream string) {
	t.Helper()
	d.must(t, "DELETE", link, "/proxies/link/toxics/"+typ+"_"+stream, "")
}

func (d linkd) counters(t testing.TB, link string) counters {
	t.Helper()
	var c counters
	if err := json.Unmarshal([]byte(d.must(t, "GET", link, "/counters", "")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// dial connects through a link.
func (d linkd) dial(t testing.TB, link string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", d.links[link].proxy.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// wait polls until done or 10 s have passed.
func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// roundTrip sends text and wants it back.
func roundTrip(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	expect(t, c, text)
}

func expect(t testing.TB, c net.Conn, text string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, len(text))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != text {
		t.Fatalf("read %q, %v, want %q", buf, err, text)
	}
}

// silent checks that nothing arrives for a while.
func silent(t testing.TB, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
	n, err := c.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); n > 0 || !ok || !timeout.Timeout() {
		t.Fatalf("read %d bytes, %v, want none until the deadline", n, err)
	}
}
