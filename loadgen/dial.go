package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// A dialer makes connections to the host of a base URL.
type dialer struct {
	allowed  func(host string) bool
	timeouts Timeouts
	connect  func(ctx context.Context, network, addr string) (net.Conn, error)
	names    *resolver
	host     string // a name or an address
	port     string
	tls      *tls.Config // nil: none
}

func newDialer(c Config) (*dialer, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse target: %w", err)
	}
	d := &dialer{allowed: c.allowed, timeouts: c.Timeouts, connect: c.dial, host: base.Hostname(), port: base.Port()}
	if base.Scheme == "https" {
		d.tls = c.TLS.Clone()
		if d.tls == nil {
			d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if d.tls.ServerName == "" {
			d.tls.ServerName = d.host
		}
		d.tls.NextProtos = []string{string(c.Protocol)}
	}
	if d.port == "" {
		d.port = map[bool]string{false: "80", true: "443"}[d.tls != nil]
	}
	d.names = &resolver{host: d.host, every: c.Resolve, timeout: c.Timeouts.Dial, lookup: c.lookup}
	if d.names.lookup == nil {
		d.names.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if d.connect == nil {
		d.connect = (&net.Dialer{Control: d.control}).DialContext
	}
	return d, nil
}

// dial makes a connection. Finding and connecting to an address have the dial
// timeout together, the handshake has its own.
func (d *dialer) dial(ctx context.Context) (*countingConn, *tls.Conn, Timings, error) {
	conn, timings, err := d.dialTCP(ctx)
	if err != nil {
		return nil, nil, timings, &dialError{err}
	}
	counting := &countingConn{Conn: conn}
	if d.tls == nil {
		return counting, nil, timings, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.TLS)
	defer cancel()
	began := time.Now()
	secure := tls.Client(counting, d.tls)
	err = secure.HandshakeContext(ctx)
	timings.TLS = max(1, time.Since(began))
	if want := d.tls.NextProtos[0]; err == nil && want != string(HTTP1) && secure.ConnectionState().NegotiatedProtocol != want {
		err = fmt.Errorf("server does not speak %s", want)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, timings, &handshakeError{err}
	}
	return counting, secure, timings, nil
}

func (d *dialer) dialTCP(ctx context.Context) (net.Conn, Timings, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.Dial)
	defer cancel()
	var t Timings
	began := time.Now()
	addrs, err := d.names.resolve(ctx)
	if d.names.isName() {
		t.DNS = max(1, time.Since(began))
	}
	if err != nil {
		return nil, t, err
	}
	began = time.Now()
	conn, err := d.connectAny(ctx, addrs)
	t.Connect = max(1, time.Since(began))
	return conn, t, err
}

// connectAny tries the addresses one after the other. Each has an equal part of
// the time that is left, so that one that does not answer leaves time for the
// next.
func (d *dialer) connectAny(ctx context.Context, addrs []netip.Addr) (net.Conn, error) {
	var first error
	for i, addr := range addrs {
		part, cancel := ctx, context.CancelFunc(func() {})
		if end, ok := ctx.Deadline(); ok && i < len(addrs)-1 {
			part, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(len(addrs)-i))
		}
		conn, err := d.connect(part, "tcp", net.JoinHostPort(addr.String(), d.port))
		cancel()
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// control refuses addresses that load may not be sent to: a local name can
// resolve to something that is not local.
func (d *dialer) control(_, addr string, _ syscall.RawConn) error {
	if d.host != "localhost" && d.allowed(d.host) {
		return nil
	}
	ip, _, err := net.SplitHostPort(addr)
	if err == nil && !d.allowed(ip) {
		err = fmt.Errorf("connect to %s: %w", ip, ErrHostNotAllowed)
	}
	return err
}

// A resolver looks one name up. Nothing is remembered between two connections:
// each looks the name up anew.
type resolver struct {
	host    string
	every   time.Duration // how often connections in use are held against the name; 0: never
	timeout time.Duration
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)

	looking sync.WaitGroup
	mu      sync.Mutex
	busy    bool
	asked   time.Time
	addrs   map[netip.Addr]bool
	changes int // of addrs
}

// isName reports whether the host is a name.
func (r *resolver) isName() bool {
	_, err := netip.ParseAddr(r.host)
	return err != nil
}

// resolve returns the addresses that the host has now, at least one.
func (r *resolver) resolve(ctx context.Context) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(r.host); err == nil {
		return []netip.Addr{addr}, nil
	}
	addrs, err := r.lookup(ctx, r.host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no addresses")
	}
	if err != nil {
		return nil, &dnsError{fmt.Errorf("look up %s: %w", r.host, err)}
	}
	known := make(map[netip.Addr]bool, len(addrs))
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
		known[addrs[i]] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !maps.Equal(r.addrs, known) {
		r.changes++
	}
	r.addrs, r.asked = known, time.Now()
	return addrs, nil
}

// current reports whether the host still has that address, as far as is known.
// Once the last answer is old enough, it has the name looked up again, and does
// not wait for it.
func (r *resolver) current(ctx context.Context, addr netip.Addr) bool {
	if r.every <= 0 || !addr.IsValid() || !r.isName() {
		return true
	}
	r.keepUp(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addrs[addr]
}

// changed returns how often the addresses have changed, and keeps them up to
// date as current does.
func (r *resolver) changed(ctx context.Context) int {
	if r.every <= 0 || !r.isName() {
		return 0
	}
	r.keepUp(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changes
}

func (r *resolver) keepUp(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.busy && !r.asked.IsZero() && time.Since(r.asked) >= r.every {
		r.busy = true
		r.looking.Go(func() { r.refresh(ctx) })
	}
}

// refresh looks the name up. If that fails, the last answer stands.
func (r *resolver) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	_, _ = r.resolve(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy, r.asked = false, time.Now()
}

// A dialError marks an error as one of connecting.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// A dnsError marks an error as one of looking a name up.
type dnsError struct{ error }

func (e *dnsError) Unwrap() error { return e.error }

// A handshakeError marks an error as one of the TLS handshake.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }
