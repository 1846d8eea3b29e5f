package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// ErrLeaseLost is wrapped by errors that say that a run has no guard any more.
var ErrLeaseLost = errors.New("the guard of this run is lost")

// A Lease is a run's side of its guard: while it is renewed, the guard leaves
// the run's faults in effect.
type Lease struct {
	conn net.Conn
	lost chan struct{} // closed when err is set

	mu     sync.Mutex
	err    error
	closed bool
}

// NewLease connects to the guard that listens, or is about to, at the path of a
// unix socket, and renews the lease until [Lease.Close].
func NewLease(ctx context.Context, socket string) (*Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseMeeting)
	defer cancel()
	var conn net.Conn
	err := Watch(ctx, func(ctx context.Context) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", socket)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reach the guard: %w", err)
	}
	l := &Lease{conn: conn, lost: make(chan struct{})}
	// The first answer is waited for: only then is somebody there.
	if err := l.beat(); err != nil {
		return nil, errors.Join(fmt.Errorf("reach the guard: %w", err), conn.Close())
	}
	go l.renew()
	return l, nil
}

// renew beats until the lease is closed or lost.
func (l *Lease) renew() {
	tick := time.NewTicker(leaseInterval)
	defer tick.Stop()
	for range tick.C {
		if err := l.beat(); err != nil {
			l.lose(err)
			return
		}
	}
}

// lose notes why the lease is lost, unless it was given back.
func (l *Lease) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.err = fmt.Errorf("%w: %w", ErrLeaseLost, err)
		close(l.lost)
	}
}

// beat says that the run is there, and hears whether its faults are.
func (l *Lease) beat() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return net.ErrClosed
	}
	l.mu.Unlock()
	err := l.conn.SetDeadline(time.Now().Add(leaseAnswer))
	if err != nil {
		return err
	}
	if _, err := l.conn.Write([]byte{sayBeat}); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := l.conn.Read(answer[:]); err != nil {
		return err
	}
	if answer[0] != sayHeld {
		return errors.New("it took this run for dead and healed everything")
	}
	return nil
}

// Watch blocks until the guard is gone or took this run for dead, and says
// which, or until ctx is done, and returns nil.
func (l *Lease) Watch(ctx context.Context) error {
	select {
	case <-l.lost:
		return l.Err()
	case <-ctx.Done():
		return nil
	}
}

// Err says why the lease is lost, or nil if it is not. It is a [Permit]'s
// reason to refuse: what nobody guards is not injected.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close dismisses the guard. What is still broken then is left as it is.
func (l *Lease) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	_, err := l.conn.Write([]byte{sayDone})
	if err != nil && l.Err() == nil {
		err = fmt.Errorf("dismiss the guard: %w", err)
	} else {
		err = nil
	}
	return errors.Join(err, l.conn.Close())
}
