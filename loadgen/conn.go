package loadgen

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
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
	ask     []byte // what the next Read is to write before; see askNext
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
	switch {
	case c.peeking:
		return c.readNow(b)
	case len(c.ask) > 0:
		return c.askAndRead(b)
	}
	return c.Conn.Read(b)
}

// askNext has the next Read write a request before it waits for the answer. A
// Read after a Write asks the kernel at once for what cannot be there yet; this
// one begins to wait before it writes, and so asks once the answer is there. It
// reports whether the connection can do that.
func (c *countingConn) askNext(request []byte) bool {
	if c.rawConn() != nil || c.raw == nil {
		return false
	}
	c.ask = request
	return true
}

// askAndRead writes c.ask and reads what comes back.
func (c *countingConn) askAndRead(b []byte) (n int, err error) {
	left := c.ask
	c.ask = nil
	var ioErr error
	waiting := false
	err = c.raw.Read(func(fd uintptr) bool {
		if waiting {
			n, ioErr = ignoringEINTR(syscall.Read, int(fd), b)
			return !errors.Is(ioErr, syscall.EAGAIN)
		}
		c.writes.Add(1) // before, since the answer may be here before it returns
		var wrote int
		wrote, ioErr = ignoringEINTR(syscall.Write, int(fd), left)
		if wrote <= 0 {
			c.writes.Add(-1)
		}
		left = left[max(0, wrote):]
		waiting = ioErr == nil && len(left) == 0
		return !waiting
	})
	switch {
	case err != nil:
		return 0, err
	case !waiting && (ioErr == nil || errors.Is(ioErr, syscall.EAGAIN)): // no room for all of it
		if _, err := c.Write(left); err != nil {
			return 0, err
		}
		return c.Conn.Read(b)
	case ioErr != nil:
		return 0, &net.OpError{Op: "exchange", Net: "tcp", Addr: c.RemoteAddr(), Err: ioErr}
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// ignoringEINTR makes a system call again that a signal interrupted.
func ignoringEINTR(call func(fd int, b []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		n, err := call(fd, b)
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// rawConn sets c.raw, which stays nil if there is none.
func (c *countingConn) rawConn() (err error) {
	sc, ok := c.Conn.(syscall.Conn)
	if c.raw == nil && ok {
		c.raw, err = sc.SyscallConn()
	}
	return err
}

// A nothingYetError is the error of a read that would have to wait. It is a
// temporary one, so that TLS goes on afterwards.
type nothingYetError struct{}

func (nothingYetError) Error() string   { return "nothing to read yet" }
func (nothingYetError) Timeout() bool   { return true }
func (nothingYetError) Temporary() bool { return true }

// readNow reads what there is to read and does not wait for more.
func (c *countingConn) readNow(b []byte) (n int, err error) {
	err = c.rawConn()
	if err != nil {
		return 0, err
	}
	if c.raw == nil {
		return 0, nothingYetError{} // it cannot be asked
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
	asked    http.Request // for the parser of answers
	out      []byte       // scratch space for the head of a request
	headLeft int          // how many more bytes may be read
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
