package loadgen

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"
)

// idleTimeout is after how long an unused connection is closed. It is shorter
// than the keep-alive timeouts that servers commonly have (the shortest is 5 s),
// so that a server seldom closes a connection just as a request is sent on it.
const idleTimeout = 4 * time.Second

// newTransport returns a transport of one drill's own. It speaks HTTP/1.1, goes
// through no proxy and keeps as many connections as may be in flight.
func newTransport(c Config) *http.Transport {
	dial := c.dial
	if dial == nil {
		dial = c.dialTCP
	}
	return &http.Transport{
		Proxy: nil, // load goes where it was sent, whatever the environment says
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, c.Timeouts.Dial)
			defer cancel()
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, &dialError{err}
			}
			return &countingConn{Conn: conn}, nil
		},
		TLSHandshakeTimeout:    c.Timeouts.TLS,
		ResponseHeaderTimeout:  c.Timeouts.Header,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           0, // no bound
		MaxIdleConnsPerHost:    c.MaxInFlight,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
	}
}

// dialTCP connects, and refuses addresses that load may not be sent to: a
// local name can resolve to something that is not local.
func (c Config) dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	listed := host != "localhost" && c.allowed(host)
	d := net.Dialer{Control: func(_, addr string, _ syscall.RawConn) error {
		ip, _, err := net.SplitHostPort(addr)
		if err == nil && !listed && !c.allowed(ip) {
			err = fmt.Errorf("connect to %s: %w", ip, ErrHostNotAllowed)
		}
		return err
	}}
	return d.DialContext(ctx, network, addr)
}

// A dialError marks an error as one of connecting.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// A countingConn knows whether anything was written to it.
type countingConn struct {
	net.Conn

	writes atomic.Int64 // begun, without those that wrote nothing
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1) // before, since the answer may be here before Write returns
	n, err := c.Conn.Write(b)
	if n == 0 {
		c.writes.Add(-1)
	}
	return n, err
}

// A wire observes the connection that one request was given.
type wire struct {
	conn   atomic.Pointer[countingConn]
	before atomic.Int64 // writes on it before the request
	got    atomic.Bool
}

// trace returns hooks that fill in w.
func (w *wire) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		conn := info.Conn
		if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
			conn = over.NetConn()
		}
		if c, ok := conn.(*countingConn); ok {
			w.before.Store(c.writes.Load())
			w.conn.Store(c)
		}
		w.got.Store(true)
	}}
}

// sent reports whether a byte of the request may have left.
func (w *wire) sent() bool {
	c := w.conn.Load()
	if c == nil {
		return w.got.Load()
	}
	return c.writes.Load() != w.before.Load()
}
