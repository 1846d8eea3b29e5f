package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// http2 is a client of HTTP/2: that of net/http, kept from sending anything
// twice.
type http2 struct {
	ctx      context.Context
	dialer   *dialer
	timeouts Timeouts
	base     string

	mu      sync.Mutex
	client  *http.Transport
	changes int // of the host's addresses, that client knows of
	old     []*http.Transport
}

func newHTTP2(ctx context.Context, c Config, d *dialer) *http2 {
	h := &http2{ctx: ctx, dialer: d, timeouts: c.Timeouts, base: c.BaseURL}
	h.client = &http.Transport{
		Proxy:                  nil, // load goes where it was sent, whatever the environment says
		Protocols:              &http.Protocols{},
		DialContext:            h.dial,
		DialTLSContext:         h.dial,
		ResponseHeaderTimeout:  c.Timeouts.Header,
		MaxResponseHeaderBytes: maxHead,
		MaxConnsPerHost:        c.Connections.limit,
		DisableKeepAlives:      c.Connections.fresh,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
	}
	h.client.Protocols.SetHTTP2(c.Protocol == HTTP2)
	h.client.Protocols.SetUnencryptedHTTP2(c.Protocol == H2C)
	return h
}

// dial makes a connection, and tells the exchange that asked for it how long
// it took.
func (h *http2) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	wire, secure, timings, err := h.dialer.dial(ctx)
	if w, ok := ctx.Value(wireKey{}).(*wire2); ok {
		w.timings.Store(&timings)
	}
	switch {
	case err != nil:
		return nil, err
	case secure != nil:
		return secure, nil
	}
	return wire, nil
}

func (*http2) abort() {} // the context does it

func (h *http2) close() {
	for _, client := range append(h.old, h.client) {
		client.CloseIdleConnections()
	}
	h.dialer.names.looking.Wait()
}

// current returns the client to use. Once the host has other addresses it is a
// new one with no connections; those of the old one are closed when they have
// been unused for long enough.
func (h *http2) current() *http.Transport {
	changes := h.dialer.names.changed(h.ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if changes != h.changes {
		if h.changes > 0 { // before the first answer there are no connections
			h.old = append(h.old, h.client)
			h.client = h.client.Clone()
		}
		h.changes = changes
	}
	return h.client
}

func (h *http2) exchange(r *request) (a answer, err error) {
	ctx, cancel := context.WithDeadlineCause(h.ctx, r.deadline, errTotal)
	defer cancel()
	w := &wire2{began: time.Now()}
	req, err := newRequest(w.context(ctx), h.base, r)
	if err != nil {
		return a, err
	}
	resp, err := h.current().RoundTrip(req)
	a.sent = w.sent()
	a.timings = w.result()
	if err == nil {
		defer func() { _ = resp.Body.Close() }() // read to its end, or given up
		a.headed, a.status, a.header = true, resp.StatusCode, resp.Header
		a.body, err = readBody(resp, r.maxBody)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return a, err
}

// newRequest builds a request for net/http. It is never sent twice: a body that cannot be had
// again makes net/http give up where it would otherwise silently repeat
// requests that were refused, reads, and whatever carries an idempotency key,
// on another connection or stream.
func newRequest(ctx context.Context, base string, r *request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.GetBody = nil
	req.Body = io.NopCloser(bytes.NewReader(r.body))
	req.ContentLength = int64(len(r.body)) // 0 means unknown; the transport finds the body empty
	maps.Copy(req.Header, r.header)
	if r.corr != "" {
		req.Header.Set(correlationHeader, r.corr)
	}
	if r.header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", userAgent)
	}
	if host := r.header.Get("Host"); host != "" {
		req.Host = host
	}
	return req, nil
}

type wireKey struct{}

// A wire2 observes the connection that one exchange was given. It may share it
// with others.
type wire2 struct {
	began   time.Time
	conn    atomic.Pointer[countingConn]
	before  atomic.Int64 // writes on it before the request
	got     atomic.Bool
	first   atomic.Int64 // ns from the request's head to the answer's first byte
	wrote   atomic.Int64 // ns from began to the request's head
	timings atomic.Pointer[Timings]
}

// context returns a context whose exchange fills in w.
func (w *wire2) context(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, wireKey{}, w)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              w.gotConn,
		WroteHeaders:         func() { w.wrote.Store(int64(time.Since(w.began))) },
		GotFirstResponseByte: func() { w.first.Store(int64(time.Since(w.began)) - w.wrote.Load()) },
	})
}

func (w *wire2) gotConn(info httptrace.GotConnInfo) {
	conn := info.Conn
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = over.NetConn()
	}
	if c, ok := conn.(*countingConn); ok {
		w.before.Store(c.writes.Load())
		w.conn.Store(c)
	}
	w.got.Store(true)
}

// sent reports whether a byte of the request may have left. Where others share
// the connection, what they send counts as well: it is said of a request too
// often rather than not often enough.
func (w *wire2) sent() bool {
	c := w.conn.Load()
	if c == nil {
		return w.got.Load()
	}
	return c.writes.Load() != w.before.Load()
}

// result returns the timings.
func (w *wire2) result() (t Timings) {
	if made := w.timings.Load(); made != nil {
		t = *made
	}
	t.FirstByte = time.Duration(w.first.Load())
	return t
}
