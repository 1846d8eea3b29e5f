//go:build integration

package ledgertest

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// link is a TCP proxy that can be cut or go silent, and that counts cancel requests of the
// PostgreSQL protocol.
type link struct {
	addr    string
	cancels atomic.Int64

	mu    sync.Mutex
	down  bool
	conns []net.Conn
	gate  chan struct{} // closed while what arrives is passed on
}

func newLink(t *testing.T, upstream string) *link {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the test's clean-up
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: ln.Addr().String(), gate: make(chan struct{})}
	close(l.gate)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { l.serve(conn, upstream) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		l.speak()
		l.cut()
		wg.Wait()
	})
	return l
}

func (l *link) serve(client net.Conn, upstream string) {
	server, err := net.Dial("tcp", upstream) //nolint:noctx // closed by cut
	if err != nil || !l.keep(client, server) {
		_ = client.Close()
		if server != nil {
			_ = server.Close()
		}
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { pipe(client, gated{server, l}, nil) })
	wg.Go(func() { pipe(server, gated{client, l}, l.inspect) })
	wg.Wait()
}

// keep remembers connections for cut, unless the link is down.
func (l *link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return false
	}
	l.conns = append(l.conns, conns...)
	return true
}

func (l *link) inspect(first []byte) {
	const cancelRequest = 80877102
	if len(first) >= 8 && binary.BigEndian.Uint32(first[4:]) == cancelRequest {
		l.cancels.Add(1)
	}
}

func pipe(dst, src net.Conn, inspect func([]byte)) {
	defer dst.Close()
	buf := make([]byte, 8<<10)
	n, err := src.Read(buf)
	if inspect != nil {
		inspect(buf[:n])
	}
	if _, werr := dst.Write(buf[:n]); err == nil && werr == nil {
		_, _ = io.Copy(dst, src)
	}
}

// cut closes all connections and refuses new ones.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// fallSilent keeps all connections and takes new ones, and passes nothing on
// until speak is called: what a peer sees of a host that hangs.
func (l *link) fallSilent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = make(chan struct{})
}

func (l *link) speak() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.gate:
	default:
		close(l.gate)
	}
}

// gated is a connection whose reads wait while the link is silent.
type gated struct {
	net.Conn
	l *link
}

// Read implements [io.Reader].
func (g gated) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.l.mu.Lock()
	gate := g.l.gate
	g.l.mu.Unlock()
	<-gate
	return n, err
}

// through returns the URL with the link's address in place of its own.
func through(t *testing.T, rawURL string, l *link) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.addr
	return u.String()
}

func addrOf(t *testing.T, rawURL, port string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func databaseAddr(t *testing.T) string { t.Helper(); return addrOf(t, dsn(t, databaseVar), "5432") }
func redisAddr(t *testing.T) string    { t.Helper(); return addrOf(t, dsn(t, redisVar), "6379") }
func brokerAddr(t *testing.T) string   { t.Helper(); return addrOf(t, dsn(t, amqpVar), "5672") }
