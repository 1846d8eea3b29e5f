package main

import (
	"math/rand/v2"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// maxHeld is how many bytes a connection holds back in one direction before
// its sender has to wait, in addition to what the kernel buffers. A chunk that
// makes it more is still taken.
const maxHeld = 1 << 20

// A guard is the one toxic that stands in the way of every connection, once in
// each direction. It carries out the effects of all others. A connection that
// has met no effect yet does without: see [lane].
//
// Toxiproxy inserts a toxic into the chains of living connections and takes it
// out again; that blocks while a receiver does not read, and gives up after a
// while and drops the data. As the guard never goes, there is nothing to hand
// over and so nothing to lose: a change of toxics is a change of the effect that
// the guard applies to the data it already holds.
type guard struct {
	valve   *valve
	seed    uint64
	traffic *traffic
}

// newLine makes the state of one connection, by its number and what it drew.
func (g *guard) newLine(id uint64, draw float64) *line {
	return &line{draw: draw, traffic: g.traffic, rng: rand.New(rand.NewPCG(g.seed, id))}
}

// Pipe passes data from Input to Output until Input ends or the effect ends the
// connection, in order.
func (g *guard) Pipe(stub *toxics.ToxicStub) {
	l, ok := stub.State.(*line)
	if !ok {
		stub.Close()
		return
	}
	effect, changed := g.valve.get(l.draw)
	for {
		if l.over(effect) {
			stub.Close()
			for !l.ended { // its sender must not wait for us
				l.push(<-stub.Input)
			}
			return
		}
		var input <-chan *stream.StreamChunk
		if !l.ended && l.size < maxHeld {
			input = stub.Input
		}
		piece, wait := l.next(effect, time.Now())
		var output chan<- *stream.StreamChunk
		var timer <-chan time.Time
		switch {
		case piece != nil && wait <= 0:
			output = stub.Output
		case piece != nil:
			timer = time.After(wait)
		}
		select {
		case <-changed:
			effect, changed = g.valve.get(l.draw)
		case <-timer:
		case chunk := <-input:
			l.push(chunk)
		case output <- piece:
			l.sent(len(piece.Data), effect, time.Now())
		}
	}
}

// How a direction of a connection ends.
const (
	endsAlone  = iota // the other direction goes on
	endsClosed        // both are closed
	endsReset         // both are reset
)

// A line is what a connection holds back in one direction.
type line struct {
	draw    float64 // from 0 to 1, of the connection
	traffic *traffic
	rng     *rand.Rand

	held  []heldChunk
	size  int       // bytes in held
	met   int       // so many of them have been stalled
	ended bool      // the sender is done
	free  time.Time // when a bandwidth limit or a slicer lets the next piece pass
	slice int       // how long the next piece is, if a slicer cuts it; 0: to be drawn

	limit  *limitToxic // that passed belongs to
	passed int64       // bytes since
	gap    bool        // something was dropped
	ends   int         // set before the end
}

// A heldChunk is data as it was read in one go.
type heldChunk struct {
	*stream.StreamChunk

	draw float64 // from 0 to 1, for the jitter
}

// push takes in a chunk; nil says that there will be no more.
func (l *line) push(chunk *stream.StreamChunk) {
	if chunk == nil {
		l.ended = true
		return
	}
	l.held = append(l.held, heldChunk{chunk, l.rng.Float64()})
	l.size += len(chunk.Data)
}

// over reports whether nothing more passes, and notes how the connection ends
// then. Where the peer has vanished it drops what is held.
func (l *line) over(e effect) bool {
	if l.limit != e.limit {
		l.limit, l.passed = e.limit, 0
	}
	if e.stalled {
		l.met = len(l.held)
	}
	switch {
	case e.halfOpen:
		l.gap = l.gap || l.size > 0
		l.traffic.dropped.Add(int64(l.size))
		l.held, l.size, l.met = nil, 0, 0
		return false
	case l.gap:
		l.ends = endsReset
		return true
	case e.limit != nil && l.passed >= e.limit.Bytes:
		l.ends = endsClosed
		return true
	}
	return l.ended && len(l.held) == 0 && !e.stalled
}

// next returns the data that may pass next and how long it has to wait for
// that, or nil if nothing may pass until more arrives or the effect changes.
func (l *line) next(e effect, now time.Time) (*stream.StreamChunk, time.Duration) {
	if e.stalled || len(l.held) == 0 {
		return nil, 0
	}
	head := l.held[0]
	at := head.Timestamp.Add(e.delay(head.draw))
	n := len(head.Data)
	if e.rate > 0 {
		// A tenth of a second's worth at a time keeps the flow even.
		n = min(n, int(max(1, e.rate/10)))
	}
	if e.slices.size > 0 {
		if l.slice == 0 {
			l.slice = e.slices.size - e.slices.variation + l.rng.IntN(2*e.slices.variation+1)
		}
		n = min(n, l.slice)
	}
	if e.limit != nil {
		n = int(min(int64(n), e.limit.Bytes-l.passed))
	}
	if (e.rate > 0 || e.slices.size > 0) && l.free.After(at) {
		at = l.free
	}
	if n == len(head.Data) {
		return head.StreamChunk, at.Sub(now)
	}
	return &stream.StreamChunk{Data: head.Data[:n], Timestamp: head.Timestamp}, at.Sub(now)
}

// sent takes n bytes off the head, which have passed under the effect.
func (l *line) sent(n int, e effect, now time.Time) {
	l.size -= n
	l.passed += int64(n)
	l.slice = 0
	head := &l.held[0]
	if e.acts() || l.met > 0 {
		l.traffic.pieces.Add(1)
		l.traffic.waited.Add(min(now.Sub(head.Timestamp), e.delay(head.draw)).Microseconds())
	}
	if n < len(head.Data) {
		// The piece shares the array with the rest, not the chunk.
		head.StreamChunk = &stream.StreamChunk{Data: head.Data[n:], Timestamp: head.Timestamp}
	} else {
		l.met = max(0, l.met-1)
		l.held[0] = heldChunk{}
		l.held = l.held[1:]
	}
	pause := e.slices.pause
	if e.rate > 0 {
		pause += time.Duration(n) * time.Second / time.Duration(e.rate)
	}
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(pause)
}
