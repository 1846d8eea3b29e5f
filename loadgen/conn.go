package loadgen

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// A countingConn knows whether anything was written to it, and can be asked
// whether there is something to read.
type countingConn struct {
	net.Conn

	writes  atomic.Int64 // begun, without those that wrote nothing
	peeking bool         // Read does not wait
	raw     syscall.RawConn
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1) // before, since the answer may be here before Write returns
	n, err := c.Conn.Write(b)
	if n == 0 {
		c.writes.Add(-1)
	}
	return n, err
}

func (c *countingConn) Read(b []byte) (int, error) {
	if c.peeking {
		return c.readNow(b)
	}
	return c.Conn.Read(b)
}

// A nothingYetError is the error of a read that would have to wait. It is a
// temporary one, so that TLS goes on afterwards.
type nothingYetError struct{}

func (nothingYetError) Error() string   { return "nothing to read yet" }
func (nothingYetError) Timeout() bool   { return true }
func (nothingYetError) Temporary() bool { return true }

// readNow reads what there is to read and does not wait for more.
func (c *countingConn) readNow(b []byte) (n int, err error) {
	if c.raw == nil {
		sc, ok := c.Conn.(syscall.Conn)
		if !ok {
			return 0, nothingYetError{} // it cannot be asked
		}
		if c.raw, err = sc.SyscallConn(); err != nil {
			return 0, err
		}
	}
	var readErr error
	err = c.raw.Read(func(fd uintptr) bool {
		n, readErr = syscall.Read(int(fd), b)
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(readErr, syscall.EAGAIN), errors.Is(readErr, syscall.EINTR):
		return 0, nothingYetError{}
	case readErr != nil:
		return 0, readErr
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// A conn is a connection that carries HTTP/1.1.
type conn struct {
	net.Conn // what is read from and written to: the TLS connection if there is one

	wire     *countingConn // below it
	in       *bufio.Reader
	out      []byte // scratch space for the head of a request
	headLeft int    // how many more bytes may be read
	addr     netip.Addr
	unused   time.Time // since when
}

func newConn(wire *countingConn, secure net.Conn) *conn {
	c := &conn{Conn: wire, wire: wire, headLeft: math.MaxInt}
	if secure != nil {
		c.Conn = secure
	}
	if tcp, ok := wire.RemoteAddr().(*net.TCPAddr); ok {
		c.addr = tcp.AddrPort().Addr().Unmap()
	}
	c.in = bufio.NewReaderSize(limited{c}, 4<<10)
	return c
}

// limited reads from a connection as much as the head of an answer may have.
type limited struct{ c *conn }

func (l limited) Read(b []byte) (int, error) {
	if l.c.headLeft <= 0 {
		return 0, errHeadTooLong
	}
	n, err := l.c.Read(b)
	l.c.headLeft -= n
	return n, err
}

// alive reports whether an unused connection can be used, as far as this side
// knows: the server has neither closed it nor said anything. The deadline must
// not have passed.
func (c *conn) alive() bool {
	if c.in.Buffered() > 0 {
		return false
	}
	c.wire.peeking = true
	defer func() { c.wire.peeking = false }()
	var one [1]byte
	n, err := c.Read(one[:])
	return n == 0 && errors.Is(err, nothingYetError{})
}
