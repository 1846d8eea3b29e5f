package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// The toxics that linkd offers. Those that Toxiproxy has too replace its own of
// that name, with the same attributes.
const (
	typeGuard     = "guard"
	typeLatency   = "latency"
	typeBandwidth = "bandwidth"
	typeSlicer    = "slicer"
	typeLimit     = "limit_data"
	typeReset     = "reset_peer"
	typeStall     = "stall"
	typeHalfOpen  = "half_open"
)

// offered lists the types that clients may add.
func offered() []string {
	return []string{typeBandwidth, typeHalfOpen, typeLatency, typeLimit, typeReset, typeSlicer, typeStall}
}

// An effect is what all toxics of one direction of a link together do to a
// connection. The zero effect does nothing.
type effect struct {
	stalled  bool
	halfOpen bool // what arrives is dropped
	delays   []delay
	rate     int64       // bytes per second of each connection; 0 is unlimited
	slices   slicing     // the zero value slices nothing
	limit    *limitToxic // nil: none
}

// acts reports whether data that passes has met a toxic.
func (e effect) acts() bool {
	return len(e.delays) > 0 || e.rate > 0 || e.slices.size > 0 || e.limit != nil
}

// delay returns how long latencies hold a chunk back that drew u.
func (e effect) delay(u float64) time.Duration {
	var sum time.Duration
	for _, d := range e.delays {
		sum += d.of(u)
	}
	return sum
}

// A slicing says into which pieces data is cut, and how far apart they are.
type slicing struct {
	size, variation int // bytes: size ± variation
	pause           time.Duration
}

// A toxic is a setting of a link that a client of the API may add. It handles
// no data itself: the [guard] of each connection does, by the effect of all
// toxics. Toxiproxy only keeps the list of them.
type toxic interface {
	toxics.Toxic
	check() error // are the attributes possible?
	addTo(to *effect)
}

// A listing is a toxic as it is listed.
type listing struct {
	toxic toxic
	share float64 // of the connections that it acts on: those that drew less
}

// registerToxics makes Toxiproxy's API understand our types.
func registerToxics() {
	toxics.Register(typeGuard, new(guard))
	for _, name := range offered() {
		toxics.Register(name, newToxic(name))
	}
}

// newToxic returns an empty toxic of a type, or nil if linkd does not offer it
// to clients.
func newToxic(name string) toxic {
	switch name {
	case typeLatency:
		return new(latencyToxic)
	case typeBandwidth:
		return new(bandwidthToxic)
	case typeSlicer:
		return new(slicerToxic)
	case typeLimit:
		return new(limitToxic)
	case typeReset:
		return new(resetToxic)
	case typeStall:
		return new(stallToxic)
	case typeHalfOpen:
		return new(halfOpenToxic)
	}
	return nil
}

// passive is the part of a toxic that Toxiproxy would run if it stood in a
// chain itself, which none does.
type passive struct{}

// Pipe passes everything on.
func (passive) Pipe(stub *toxics.ToxicStub) { new(toxics.NoopToxic).Pipe(stub) }

// latencyToxic delays data, in milliseconds. The order of the data stays.
type latencyToxic struct {
	passive

	Latency      int64  `json:"latency"`
	Jitter       int64  `json:"jitter"`
	Distribution string `json:"distribution"` // of the jitter; see [delay]
}

func (t *latencyToxic) check() error {
	if t.Latency < 0 || t.Jitter < 0 || t.Latency+t.Jitter == 0 {
		return fmt.Errorf("latency %d and jitter %d are milliseconds, of which one must be positive and none negative", t.Latency, t.Jitter)
	}
	if !isDistribution(t.Distribution) {
		return fmt.Errorf("distribution %q is not one of %s, %s and %s", t.Distribution, uniform, normal, pareto)
	}
	return nil
}

func (t *latencyToxic) addTo(to *effect) {
	to.delays = append(to.delays, delay{
		mean: time.Duration(t.Latency) * time.Millisecond, jitter: time.Duration(t.Jitter) * time.Millisecond, shape: t.Distribution,
	})
}

// bandwidthToxic limits each connection, in units of 1000 bytes per second.
type bandwidthToxic struct {
	passive

	Rate int64 `json:"rate"`
}

func (t *bandwidthToxic) check() error {
	if t.Rate <= 0 {
		return fmt.Errorf("rate %d KB/s is not positive: to let nothing pass, add a %s", t.Rate, typeStall)
	}
	return nil
}

func (t *bandwidthToxic) addTo(to *effect) {
	if rate := t.Rate * 1000; to.rate == 0 || rate < to.rate {
		to.rate = rate
	}
}

// stallToxic lets nothing pass, not even the end of a connection. What arrives
// meanwhile is kept, up to [maxHeld], and then its sender is made to wait.
type stallToxic struct{ passive }

func (*stallToxic) check() error     { return nil }
func (*stallToxic) addTo(to *effect) { to.stalled = true }

// halfOpenToxic is the silence of a peer that has vanished: what arrives is
// dropped, and so is the end of a connection. Nobody is told. Afterwards, a
// connection that has lost something is reset, as by a peer that came back and
// does not know it: it never goes on with a gap.
type halfOpenToxic struct{ passive }

func (*halfOpenToxic) check() error     { return nil }
func (*halfOpenToxic) addTo(to *effect) { to.halfOpen = true }

// slicerToxic cuts data into small pieces that are sent one by one.
type slicerToxic struct {
	passive

	AverageSize   int `json:"average_size"`   // bytes
	SizeVariation int `json:"size_variation"` // bytes more or less
	Delay         int `json:"delay"`          // microseconds after each piece
}

func (t *slicerToxic) check() error {
	if t.AverageSize <= 0 || t.SizeVariation < 0 || t.SizeVariation >= t.AverageSize || t.Delay < 0 {
		return fmt.Errorf("average_size %d and size_variation %d are bytes and delay %d is microseconds: want a positive size, a smaller variation and none negative",
			t.AverageSize, t.SizeVariation, t.Delay)
	}
	return nil
}

func (t *slicerToxic) addTo(to *effect) {
	to.slices = slicing{t.AverageSize, t.SizeVariation, time.Duration(t.Delay) * time.Microsecond}
}

// limitToxic closes each connection when so many bytes have passed it since the
// toxic was added.
type limitToxic struct {
	passive

	Bytes int64 `json:"bytes"`
}

func (t *limitToxic) check() error {
	if t.Bytes <= 0 {
		return fmt.Errorf("bytes %d is not positive", t.Bytes)
	}
	return nil
}

func (t *limitToxic) addTo(to *effect) {
	if to.limit == nil || t.Bytes < to.limit.Bytes {
		to.limit = t
	}
}

// resetToxic ends each connection, also one that stands idle, with an RST to
// the peer that the direction leads to. The link carries it out, not the guard.
type resetToxic struct {
	passive

	Timeout int64 `json:"timeout"` // milliseconds from the toxic, or from a later connection, to the reset
}

func (t *resetToxic) check() error {
	if t.Timeout < 0 {
		return fmt.Errorf("timeout %d ms is negative", t.Timeout)
	}
	return nil
}

func (*resetToxic) addTo(*effect) {}

// A valve holds the toxics of one direction of a link and tells all its
// connections when they change.
type valve struct {
	none    atomic.Bool // there is no toxic
	mu      sync.Mutex
	list    []listing
	changed chan struct{}
}

func newValve() *valve {
	v := &valve{changed: make(chan struct{})}
	v.none.Store(true)
	return v
}

// open reports whether there is no toxic.
func (v *valve) open() bool { return v.none.Load() }

// get returns the effect on a connection by what it drew, from 0 to 1, and a
// channel that is closed when that may have changed.
func (v *valve) get(draw float64) (effect, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var e effect
	for _, l := range v.list {
		if draw < l.share {
			l.toxic.addTo(&e)
		}
	}
	return e, v.changed
}

func (v *valve) set(list []listing) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = list
	v.none.Store(len(list) == 0)
	close(v.changed)
	v.changed = make(chan struct{})
}
