package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/google/go-cmp/cmp"
)

// arrival is data that a receiver got, and when, since the start.
type arrival struct {
	Data string
	At   time.Duration
}

// runGuard sends chunks through a guard, each at its time, and returns what
// arrives. It runs in a bubble, in which time is not real.
func runGuard(g *guard, id uint64, e effect, chunks []arrival) []arrival {
	g.valve = newValve()
	g.valve.set(e)
	in, out := make(chan *stream.StreamChunk), make(chan *stream.StreamChunk)
	stub := toxics.NewToxicStub(in, out)
	stub.State = g.newLine(id)
	go g.Pipe(stub)
	start := time.Now()
	go func() {
		for _, c := range chunks {
			<-time.After(c.At - time.Since(start))
			in <- &stream.StreamChunk{Data: []byte(c.Data), Timestamp: time.Now()}
		}
		close(in)
	}()
	var got []arrival
	for c := range out {
		got = append(got, arrival{string(c.Data), time.Since(start)})
	}
	return got
}

func TestGuardEffects(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	kilo := string(bytes.Repeat([]byte("k"), 1000))
	tests := []struct {
		name   string
		effect effect
		send   []arrival
		want   []arrival
	}{
		{
			name: "none",
			send: []arrival{{"a", 0}, {"b", ms(5)}},
			want: []arrival{{"a", 0}, {"b", ms(5)}},
		},
		{
			name:   "latency delays each chunk, not their rate",
			effect: effect{latency: ms(100)},
			send:   []arrival{{"a", 0}, {"b", ms(10)}, {"c", ms(200)}},
			want:   []arrival{{"a", ms(100)}, {"b", ms(110)}, {"c", ms(300)}},
		},
		{
			name:   "bandwidth spreads a chunk",
			effect: effect{rate: 4000},
			send:   []arrival{{kilo, 0}, {"b", ms(1000)}},
			want:   []arrival{{kilo[:400], 0}, {kilo[:400], ms(100)}, {kilo[:200], ms(200)}, {"b", ms(1000)}},
		},
		{
			name:   "both",
			effect: effect{rate: 4000, latency: ms(50)},
			send:   []arrival{{kilo[:800], 0}},
			want:   []arrival{{kilo[:400], ms(50)}, {kilo[:400], ms(150)}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, runGuard(new(guard), 1, tt.effect, tt.send)); diff != "" {
					t.Errorf("arrivals (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestJitterIsSeededPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := effect{latency: 100 * time.Millisecond, jitter: 20 * time.Millisecond}
		send := []arrival{{"a", 0}, {"b", time.Second}, {"c", 2 * time.Second}}
		g := &guard{seed: 7}
		first, second := runGuard(g, 1, e, send), runGuard(g, 2, e, send)
		again := runGuard(&guard{seed: 7}, 1, e, send)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("same seed, first connection (-one +other):\n%s", diff)
		}
		if cmp.Equal(first, second) {
			t.Errorf("two connections had the same jitter: %v", first)
		}
		for i, got := range first {
			if late := got.At - send[i].At; late < 80*time.Millisecond || late > 120*time.Millisecond {
				t.Errorf("%s came %s late, want 80 to 120 ms", got.Data, late)
			}
		}
	})
}

// TestGuardBuffer checks that a stall takes what arrives up to the limit, and
// no more.
func TestGuardBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guard{valve: newValve()}
		g.valve.set(effect{stalled: true})
		in, out := make(chan *stream.StreamChunk), make(chan *stream.StreamChunk)
		stub := toxics.NewToxicStub(in, out)
		stub.State = g.newLine(1)
		go g.Pipe(stub)
		const size = 64 << 10
		taken := 0
		for range 2 * maxHeld / size {
			synctest.Wait()
			select {
			case in <- &stream.StreamChunk{Data: make([]byte, size), Timestamp: time.Now()}:
				taken += size
			default:
			}
		}
		if taken != maxHeld {
			t.Errorf("took %d bytes, want %d", taken, maxHeld)
		}
		close(in)
		g.valve.set(effect{})
		passed := 0
		for c := range out {
			passed += len(c.Data)
		}
		if passed != taken {
			t.Errorf("passed %d bytes of %d", passed, taken)
		}
	})
}
