package loadgen

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A pool keeps the HTTP/1.1 connections of one drill.
type pool struct {
	dialer *dialer
	policy Connections
	turn   *turn
	slots  chan struct{} // one for each connection that there may be; nil: no bound

	mu      sync.Mutex
	idle    []*conn // the one used last is the last one
	open    map[*conn]struct{}
	aborted bool
}

func newPool(d *dialer, policy Connections, t *turn) *pool {
	p := &pool{dialer: d, policy: policy, turn: t, open: map[*conn]struct{}{}}
	if policy.limit > 0 {
		p.slots = make(chan struct{}, policy.limit)
	}
	return p
}

// get returns a connection that was unused or is new, with its deadline set.
//
// Before it makes one it lets answers be taken in, since with each of them a
// connection is free again. On busy processors the answers lie where they are
// for as long as there is anything else to do; without this, each operation that
// comes meanwhile makes a connection of its own, which costs several times what
// an operation does, so that there is still more to do.
func (p *pool) get(ctx context.Context, deadline time.Time) (*conn, Timings, error) {
	if err := p.acquire(ctx, deadline); err != nil {
		return nil, Timings{}, err
	}
	waited := p.policy.fresh
	for {
		c, err := p.takeIdle(ctx)
		switch {
		case err != nil:
			p.release()
			return nil, Timings{}, err
		case c == nil && waited:
			return p.dial(ctx, deadline)
		case c == nil:
			waited = true
			p.turn.wait()
		case p.setDeadline(c, deadline) == nil && c.alive():
			return c, Timings{}, nil
		default:
			p.discard(c)
		}
	}
}

// acquire waits until there may be one more connection in use.
func (p *pool) acquire(ctx context.Context, deadline time.Time) error {
	if p.slots == nil {
		return nil
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-t.C:
		return fmt.Errorf("wait for a connection: %w", errTotal)
	case <-ctx.Done():
		return fmt.Errorf("wait for a connection: %w", context.Cause(ctx))
	}
}

func (p *pool) release() {
	if p.slots != nil {
		<-p.slots
	}
}

// takeIdle returns the connection used last, nil if there is none. It closes
// those that have been unused for too long, or whose address the host has no
// more.
func (p *pool) takeIdle(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.aborted {
		return nil, errStop
	}
	p.closeUnused()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if p.dialer.names.current(ctx, c.addr) {
			return c, nil
		}
		p.drop(c)
	}
	return nil, nil //nolint:nilnil // there is none, which is no error
}

// closeUnused closes what has been unused for too long.
func (p *pool) closeUnused() {
	n := 0
	for ; n < len(p.idle) && time.Since(p.idle[n].unused) > idleTimeout; n++ {
		p.drop(p.idle[n])
	}
	if n > 0 {
		p.idle = append(p.idle[:0], p.idle[n:]...)
	}
}

// dial makes a connection. It gives up its place if there is none.
func (p *pool) dial(ctx context.Context, deadline time.Time) (c *conn, timings Timings, err error) {
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errTotal)
	defer cancel()
	wire, secure, timings, err := p.dialer.dial(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, timings, err
	}
	c = newConn(wire, nil)
	if secure != nil {
		c = newConn(wire, secure)
	}
	p.mu.Lock()
	p.open[c] = struct{}{}
	p.mu.Unlock()
	if err := p.setDeadline(c, deadline); err != nil {
		p.discard(c)
		return nil, timings, err
	}
	return c, timings, nil
}

// setDeadline sets when a connection that is in use breaks, which an abort
// moves to now.
func (p *pool) setDeadline(c *conn, deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	p.mu.Lock() // abort goes through all connections with the lock held
	defer p.mu.Unlock()
	if p.aborted {
		return errStop
	}
	return nil
}

// put takes a connection back.
func (p *pool) put(c *conn, reusable bool) {
	defer p.release()
	if !reusable || p.policy.fresh {
		p.discard(c)
		return
	}
	c.unused = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.aborted {
		p.drop(c)
		return
	}
	p.idle = append(p.idle, c)
	p.closeUnused()
}

// discard closes a connection for good.
func (p *pool) discard(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(c)
}

// drop is discard with the lock held.
func (p *pool) drop(c *conn) {
	delete(p.open, c)
	_ = c.wire.Close() // without a goodbye of TLS, which might wait
}

// abort makes every connection in use break now.
func (p *pool) abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.aborted = true
	for c := range p.open {
		_ = c.SetDeadline(time.Unix(1, 0)) // a closed one needs none
	}
}

// close closes all connections.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.aborted = true
	for c := range p.open {
		p.drop(c)
	}
	p.idle = nil
}
