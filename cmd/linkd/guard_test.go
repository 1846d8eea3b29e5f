package main

import (
	"bytes"
	"slices"
	"sync"
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

// listAll lists toxics that act on all connections.
func listAll(list []toxic) (all []listing) {
	for _, t := range list {
		all = append(all, listing{t, 1})
	}
	return all
}

// runGuard sends chunks through a guard, each at its time, and returns what
// arrives. It runs in a bubble, in which time is not real.
func runGuard(g *guard, id uint64, list []toxic, chunks []arrival) []arrival {
	g.valve, g.traffic = newValve(), new(traffic)
	g.valve.set(listAll(list))
	in, out := make(chan *stream.StreamChunk), make(chan *stream.StreamChunk)
	stub := toxics.NewToxicStub(in, out)
	stub.State = g.newLine(id, 0.5)
	go g.Pipe(stub)
	start := time.Now()
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		for _, c := range chunks {
			<-time.After(c.At - time.Since(start))
			in <- &stream.StreamChunk{Data: []byte(c.Data), Timestamp: time.Now()}
		}
		close(in)
	})
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
		toxics []toxic
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
			toxics: []toxic{&latencyToxic{Latency: 100}},
			send:   []arrival{{"a", 0}, {"b", ms(10)}, {"c", ms(200)}},
			want:   []arrival{{"a", ms(100)}, {"b", ms(110)}, {"c", ms(300)}},
		},
		{
			name:   "bandwidth spreads a chunk",
			toxics: []toxic{&bandwidthToxic{Rate: 4}},
			send:   []arrival{{kilo, 0}, {"b", ms(1000)}},
			want:   []arrival{{kilo[:400], 0}, {kilo[:400], ms(100)}, {kilo[:200], ms(200)}, {"b", ms(1000)}},
		},
		{
			name:   "both",
			toxics: []toxic{&bandwidthToxic{Rate: 4}, &latencyToxic{Latency: 50}},
			send:   []arrival{{kilo[:800], 0}},
			want:   []arrival{{kilo[:400], ms(50)}, {kilo[:400], ms(150)}},
		},
		{
			name:   "slicer",
			toxics: []toxic{&slicerToxic{AverageSize: 300, Delay: 5000}},
			send:   []arrival{{kilo[:700], 0}},
			want:   []arrival{{kilo[:300], 0}, {kilo[:300], ms(5)}, {kilo[:100], ms(10)}},
		},
		{
			name:   "limit ends the connection within a chunk",
			toxics: []toxic{&limitToxic{Bytes: 500}},
			send:   []arrival{{kilo[:400], 0}, {kilo[:400], ms(5)}, {"b", ms(10)}},
			want:   []arrival{{kilo[:400], 0}, {kilo[:100], ms(5)}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, runGuard(new(guard), 1, tt.toxics, tt.send)); diff != "" {
					t.Errorf("arrivals (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestJitterIsSeededPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := []toxic{&latencyToxic{Latency: 100, Jitter: 20}}
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
		g := &guard{valve: newValve(), traffic: new(traffic)}
		g.valve.set(listAll([]toxic{new(stallToxic)}))
		in, out := make(chan *stream.StreamChunk), make(chan *stream.StreamChunk)
		stub := toxics.NewToxicStub(in, out)
		stub.State = g.newLine(1, 0.5)
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
		g.valve.set(nil)
		passed := 0
		for c := range out {
			passed += len(c.Data)
		}
		if passed != taken {
			t.Errorf("passed %d bytes of %d", passed, taken)
		}
	})
}

// TestDelayDistributions checks the middle, the spread and the tail of each
// distribution.
func TestDelayDistributions(t *testing.T) {
	const n = 10000
	for _, tt := range []struct {
		shape              string
		least, median, p99 time.Duration // in a mean of 100 ms with a jitter of 20 ms
	}{
		{"", 80, 100, 120},
		{uniform, 80, 100, 120},
		{normal, 22, 100, 146},
		{pareto, 88, 95, 173},
	} {
		var got []time.Duration
		for i := range n {
			got = append(got, delay{100, 20, tt.shape}.of((float64(i)+0.5)/n))
		}
		slices.Sort(got)
		for _, q := range []struct{ got, want time.Duration }{{got[0], tt.least}, {got[n/2], tt.median}, {got[n*99/100], tt.p99}} {
			if off := q.got - q.want; off < -2 || off > 2 {
				t.Errorf("%s: least %d, median %d, p99 %d, want %d, %d, %d", tt.shape, got[0], got[n/2], got[n*99/100], tt.least, tt.median, tt.p99)
				break
			}
		}
		if d := (delay{1, 100, tt.shape}).of(0.001); d < 0 {
			t.Errorf("%s: a delay of %s", tt.shape, d)
		}
	}
}
