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
	valve *valve
	seed  uint64
}

// newLine makes the state of one connection.
func (g *guard) newLine(id uint64) *line {
	return &line{rng: rand.New(rand.NewPCG(g.seed, id))}
}

// Pipe passes data from Input to Output until Input ends, in order.
func (g *guard) Pipe(stub *toxics.ToxicStub) {
	l, ok := stub.State.(*line)
	if !ok {
		stub.Close()
		return
	}
	for {
		effect, changed := g.valve.get()
		if l.ended && len(l.held) == 0 && !effect.stalled {
			stub.Close()
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
		case <-stub.Interrupt:
			return
		case <-changed:
		case <-timer:
		case chunk := <-input:
			l.push(chunk)
		case output <- piece:
			l.sent(len(piece.Data), effect, time.Now())
		}
	}
}

// A line is what a connection holds back in one direction.
type line struct {
	held  []heldChunk
	size  int       // bytes in held
	ended bool      // the sender is done
	free  time.Time // when a bandwidth limit lets the next piece pass
	rng   *rand.Rand
}

// A heldChunk is data as it was read in one go.
type heldChunk struct {
	*stream.StreamChunk

	jitter float64 // its share of the jitter, from -1 to 1
}

// push takes in a chunk; nil says that there will be no more.
func (l *line) push(chunk *stream.StreamChunk) {
	if chunk == nil {
		l.ended = true
		return
	}
	l.held = append(l.held, heldChunk{chunk, 2*l.rng.Float64() - 1})
	l.size += len(chunk.Data)
}

// next returns the data that may pass next and how long it has to wait for
// that, or nil if nothing may pass until more arrives or the effect changes.
func (l *line) next(e effect, now time.Time) (*stream.StreamChunk, time.Duration) {
	if e.stalled || len(l.held) == 0 {
		return nil, 0
	}
	head := l.held[0]
	piece := head.StreamChunk
	at := head.Timestamp.Add(e.latency + time.Duration(head.jitter*float64(e.jitter)))
	if e.rate > 0 {
		// A tenth of a second's worth at a time keeps the flow even.
		n := min(len(head.Data), int(max(1, e.rate/10)))
		piece = &stream.StreamChunk{Data: head.Data[:n], Timestamp: head.Timestamp}
		if l.free.After(at) {
			at = l.free
		}
	}
	return piece, at.Sub(now)
}

// sent takes n bytes off the head, which have passed under the effect.
func (l *line) sent(n int, e effect, now time.Time) {
	l.size -= n
	head := &l.held[0]
	if n < len(head.Data) {
		// The piece shares the array with the rest, not the chunk.
		head.StreamChunk = &stream.StreamChunk{Data: head.Data[n:], Timestamp: head.Timestamp}
	} else {
		l.held[0] = heldChunk{}
		l.held = l.held[1:]
	}
	if e.rate > 0 {
		if l.free.Before(now) {
			l.free = now
		}
		l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(e.rate))
	}
}
