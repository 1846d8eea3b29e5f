package main

import (
	"bytes"
	"net"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// traffic counts the bytes of one direction of a link.
type traffic struct {
	in  atomic.Int64 // read from the sender
	out atomic.Int64 // accepted by the kernel for the receiver

	// What guards have passed, and dropped.
	pieces  atomic.Int64
	waited  atomic.Int64 // of all pieces together, for latencies, in microseconds
	dropped atomic.Int64 // bytes
}

// A pair is one connection through a link: the client's and the one to the
// upstream.
type pair struct {
	id               uint64
	draw             float64 // from 0 to 1: it meets the toxics of a larger share
	client, upstream net.Conn
	halves           atomic.Int32 // directions that have ended
	closed           atomic.Bool  // both connections are closed, or are about to be
	done             func()       // called when both have

	resets map[*resetToxic]*time.Timer // that are due; under the link's mu
	over   bool                        // was reset at once; under the link's mu
}

// reset closes both connections, with an RST to the peers that are told.
func (p *pair) reset(told ...net.Conn) {
	p.closed.Store(true) // or the end of one, passed on, would be quicker than the RST of the other
	for _, c := range told {
		if lingerer, ok := c.(interface{ SetLinger(sec int) error }); ok {
			_ = lingerer.SetLinger(0) // fails only if it is closed already
		}
	}
	p.close()
}

// towards returns the connection that a direction leads to.
func (p *pair) towards(dir stream.Direction) net.Conn {
	if dir == stream.Upstream {
		return p.upstream
	}
	return p.client
}

// close closes both connections. What is under way still runs through the
// guards, into nothing.
func (p *pair) close() {
	p.closed.Store(true)
	_, _ = p.client.Close(), p.upstream.Close() // they may be closed already
}

// How much of one direction is read in one go: little as long as little comes,
// because there may be thousands of connections, and more where that pays.
const (
	smallBuffer = 2 << 10
	largeBuffer = 128 << 10
)

// A lane carries one direction of a pair. Most of the time no toxic has an
// effect, and then data goes from one socket to the other in one goroutine.
// Otherwise, and for as long as the guard holds anything back, it goes through
// the guard, so that the order is kept.
type lane struct {
	from    net.Conn
	to      *sink
	traffic *traffic
	guard   *guard

	detour chan *stream.StreamChunk // to the guard; nil until the first use
}

// carry moves data until the sender has no more.
func (l *lane) carry() {
	buf := make([]byte, smallBuffer)
	for {
		n, err := l.from.Read(buf)
		l.traffic.in.Add(int64(n))
		switch {
		case n == 0:
		case l.clear():
			l.to.write(buf[:n])
		default:
			l.hand(buf[:n])
		}
		switch {
		case err != nil:
			l.finish()
			return
		case n == len(buf) && n < largeBuffer:
			buf = make([]byte, min(8*n, largeBuffer))
		}
	}
}

// clear reports whether nothing has to go through the guard: there is no
// effect, and nothing is in it that could be overtaken.
func (l *lane) clear() bool { return l.to.held.Load() == 0 && l.guard.valve.open() }

// hand gives a copy of some data to the guard.
func (l *lane) hand(data []byte) {
	if l.detour == nil {
		l.divert()
	}
	l.to.held.Add(int64(len(data)))
	l.detour <- &stream.StreamChunk{Data: bytes.Clone(data), Timestamp: time.Now()}
}

// divert starts the guard of this lane, which stays until the lane ends.
func (l *lane) divert() {
	l.detour = make(chan *stream.StreamChunk)
	out := make(chan *stream.StreamChunk)
	stub := toxics.NewToxicStub(l.detour, out)
	state := l.guard.newLine(l.to.pair.id, l.to.pair.draw)
	stub.State = state
	go l.guard.Pipe(stub)
	go l.to.drain(out, state)
}

// finish passes the end on, through the guard where there is an effect, such as
// a stall that holds it back like everything else.
func (l *lane) finish() {
	switch {
	case l.detour == nil && l.guard.valve.open():
		l.to.end()
		return
	case l.detour == nil:
		l.divert()
	}
	close(l.detour)
}

// A sink writes one direction of a pair. The lane and its guard take turns at
// it: the lane writes only while the guard holds nothing.
type sink struct {
	pair    *pair
	conn    net.Conn
	traffic *traffic
	held    atomic.Int64 // bytes given to the guard and not written yet
	broken  bool
}

// drain writes what comes out of the guard of a line, and ends as that says.
func (s *sink) drain(out <-chan *stream.StreamChunk, l *line) {
	for chunk := range out {
		s.write(chunk.Data)
		s.held.Add(-int64(len(chunk.Data)))
	}
	switch l.ends {
	case endsClosed:
		s.pair.close()
	case endsReset:
		s.pair.reset(s.pair.client, s.pair.upstream)
	}
	s.end()
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
	if s.pair.closed.Load() {
		return
	}
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	s.pair.close()
}
