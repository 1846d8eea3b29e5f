// Package direct sends operations to databases and brokers themselves, with
// nothing of HTTP between, so that these paths can be loaded on their own.
//
// A connection that broke is made anew by the operation that needs one. Nothing
// is sent twice.
package direct

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/proofload/proofload/loadgen"
)

const (
	// DefaultConnections is how many connections an endpoint has at most.
	DefaultConnections = 16

	// DefaultMaxBytes is the longest answer that is read.
	DefaultMaxBytes = 1 << 20

	// byeTimeout bounds the goodbye on a connection.
	byeTimeout = time.Second
)

// A Config says how to reach one database or broker.
type Config struct {
	URL         string         // with credentials
	Connections int            // that are open at most; zero is [DefaultConnections]
	MaxBytes    int64          // longest answer of any operation; zero is [DefaultMaxBytes]
	Load        loadgen.Config // says where load may go, and how long a dial may take
}

// withDefaults returns the configuration with no zero fields, once its URL was
// checked. No error has the URL in it, for there may be a password.
func (c Config) withDefaults(schemes ...string) (Config, error) {
	if c.Connections == 0 {
		c.Connections = DefaultConnections
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" {
		return c, fmt.Errorf("the address is no URL: want %s://USER:PASSWORD@HOST:PORT/NAME", schemes[0])
	}
	if port, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16); err != nil || port == 0 {
		return c, fmt.Errorf("the address has no port %s: want %s://USER:PASSWORD@HOST:PORT/NAME", u.Port(), schemes[0])
	}
	for _, s := range schemes {
		if u.Scheme != s {
			continue
		}
		if !c.Load.Allows(u.Hostname()) {
			return c, fmt.Errorf("send load to %s: %w: want a loopback address", u.Hostname(), loadgen.ErrHostNotAllowed)
		}
		return c, nil
	}
	return c, fmt.Errorf("the address begins with %s://: want %s://", u.Scheme, schemes[0])
}

// A session is one connection.
type session interface {
	// alive reports whether an unused session can be used, as far as is known.
	alive(ctx context.Context, unused time.Duration) bool
	close(ctx context.Context)
}

// A pool keeps the sessions with one endpoint, and has no more of them than it
// has slots.
type pool[S session] struct {
	open  func(ctx context.Context) (S, error)
	slots chan struct{}
	bye   sync.WaitGroup

	mu   sync.Mutex
	idle []unused[S] // the one used last is the last one
}

type unused[S session] struct {
	session S
	since   time.Time
}

func newPool[S session](connections int, open func(context.Context) (S, error)) *pool[S] {
	return &pool[S]{open: open, slots: make(chan struct{}, connections)}
}

// get returns a session that nobody else uses until it is given back.
func (p *pool[S]) get(ctx context.Context) (s S, err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return s, fmt.Errorf("wait for a connection: %w", context.Cause(ctx))
	}
	for {
		u, ok := p.pop()
		if !ok {
			break
		}
		if u.session.alive(ctx, time.Since(u.since)) {
			return u.session, nil
		}
		p.leave(ctx, u.session)
	}
	if s, err = p.open(ctx); err != nil {
		<-p.slots
		return s, fmt.Errorf("connect: %w", err)
	}
	return s, nil
}

func (p *pool[S]) pop() (u unused[S], ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return u, false
	}
	u, p.idle = p.idle[last], p.idle[:last]
	return u, true
}

// put gives a session back. One that is not sound is closed.
func (p *pool[S]) put(ctx context.Context, s S, sound bool) {
	if sound {
		p.mu.Lock()
		p.idle = append(p.idle, unused[S]{s, time.Now()})
		p.mu.Unlock()
	} else {
		p.leave(ctx, s)
	}
	<-p.slots
}

// leave closes a session beside what goes on, whether or not ctx is done.
func (p *pool[S]) leave(ctx context.Context, s S) {
	p.bye.Go(func() {
		leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeTimeout)
		defer cancel()
		s.close(leaving)
	})
}

// close closes all sessions. None may be in use.
func (p *pool[S]) close(ctx context.Context) {
	for {
		u, ok := p.pop()
		if !ok {
			break
		}
		p.leave(ctx, u.session)
	}
	p.bye.Wait()
}

// A wire is the network connection of a session. It knows why it broke.
type wire struct {
	net.Conn

	mu   sync.Mutex
	lost error // the first error
}

// Read implements [net.Conn].
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.note(err)
	return n, err
}

// Write implements [net.Conn].
func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.note(err)
	return n, err
}

func (w *wire) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost == nil {
		w.lost = err
	}
}

// why returns the error with which the connection broke, or another one if it
// did not.
func (w *wire) why(otherwise error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		return w.lost
	}
	return otherwise
}
