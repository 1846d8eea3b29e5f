package main

import (
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

// A source reads one direction of a pair.
type source struct {
	conn    net.Conn
	traffic *traffic
}

// Read reads from the sender.
func (s *source) Read(buf []byte) (int, error) {
	n, err := s.conn.Read(buf)
	s.traffic.in.Add(int64(n))
	return n, err
}

// A sink writes one direction of a pair.
type sink struct {
	pair    *pair
	conn    net.Conn
	traffic *traffic
	broken  bool
}

// Write writes to the receiver. If the receiver is gone it closes the pair and
// swallows what follows, so that the guard runs empty and ends; it never fails.
func (s *sink) Write(buf []byte) (int, error) {
	if s.broken {
		return len(buf), nil
	}
	n, err := s.conn.Write(buf)
	s.traffic.out.Add(int64(n))
	if err != nil {
		s.broken = true
		s.pair.close()
	}
	return len(buf), nil
}

// Close ends this direction only; the second one to end closes the pair.
func (s *sink) Close() error {
	if s.pair.halves.Add(1) == 2 {
		s.pair.close()
		s.pair.done()
		return nil
	}
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return nil
	}
	s.pair.close()
	return nil
}
