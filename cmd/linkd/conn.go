package main

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
)

// traffic counts the bytes of one direction of a link.
type traffic struct {
	in  atomic.Int64 // read from the sender
	out atomic.Int64 // accepted by the kernel for the receiver
}

// A pair is one connection through a link: the client's and the one to the
// upstream.
type pair struct {
	client, upstream net.Conn
	halves           atomic.Int32 // directions that have ended
	done             func()       // called when both have
}

// close closes both connections. What is under way still runs through the
// guards, into nothing.
func (p *pair) close() {
	_, _ = p.client.Close(), p.upstream.Close() // they may be closed already
}

// bufferSize is how much of one direction is read in one go.
const bufferSize = 16 << 10

// A lane carries one direction of a pair. Most of the time no toxic has an
// effect, and then data goes from one socket to the other in one goroutine.
// Otherwise, and for as long as the guard holds anything back, it goes through
// Toxiproxy's chain, so that the order is kept: the chain reads from the lane.
type lane struct {
	from    net.Conn
	to      *sink
	traffic *traffic
	valve   *valve

	detour chan []byte // what the chain is to carry; closed at the end
	rest   []byte      // of a chunk that the chain has read a part of
}

// carry moves data until the sender has no more. The end itself goes through
// the chain, where a stall holds it back like everything else.
func (l *lane) carry() {
	defer close(l.detour)
	buf := make([]byte, bufferSize)
	for {
		n, err := l.from.Read(buf)
		l.traffic.in.Add(int64(n))
		switch {
		case n == 0:
		case l.to.held.Load() == 0 && l.valve.open():
			l.to.write(buf[:n])
		default:
			l.to.held.Add(int64(n))
			l.detour <- bytes.Clone(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// Read lets the chain take what goes through it.
func (l *lane) Read(buf []byte) (int, error) {
	if len(l.rest) == 0 {
		chunk, ok := <-l.detour
		if !ok {
			return 0, io.EOF
		}
		l.rest = chunk
	}
	n := copy(buf, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// A sink writes one direction of a pair. The lane and the chain take turns at
// it: the lane writes only while the chain holds nothing.
type sink struct {
	pair    *pair
	conn    net.Conn
	traffic *traffic
	held    atomic.Int64 // bytes given to the chain and not written yet
	broken  bool
}

// A tail is the sink as the chain sees it.
type tail struct{ *sink }

// Write writes what comes out of the chain. It never fails.
func (t tail) Write(buf []byte) (int, error) {
	t.write(buf)
	t.held.Add(-int64(len(buf)))
	return len(buf), nil
}

// Close ends the direction.
func (t tail) Close() error {
	t.end()
	return nil
}

// write writes to the receiver. If the receiver is gone it closes the pair and
// swallows what follows, so that the guard runs empty and ends.
func (s *sink) write(buf []byte) {
	if s.broken {
		return
	}
	n, err := s.conn.Write(buf)
	s.traffic.out.Add(int64(n))
	if err != nil {
		s.broken = true
		s.pair.close()
	}
}

// end ends this direction only; the second one to end closes the pair.
func (s *sink) end() {
	if s.pair.halves.Add(1) == 2 {
		s.pair.close()
		s.pair.done()
		return
	}
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	s.pair.close()
}
