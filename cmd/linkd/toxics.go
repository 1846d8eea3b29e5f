package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// The toxics that linkd offers. Latency and bandwidth replace Toxiproxy's own
// of that name.
const (
	typeGuard     = "guard"
	typeLatency   = "latency"
	typeBandwidth = "bandwidth"
	typeStall     = "stall"
)

// An effect is what all toxics of one direction of a link together do to it.
// The zero effect does nothing.
type effect struct {
	stalled bool
	latency time.Duration
	jitter  time.Duration // each chunk of data waits latency ± jitter
	rate    int64         // bytes per second of each connection; 0 is unlimited
}

// A toxic is a setting of a link that a client of the API may add. It handles
// no data itself: the [guard] of each connection does, by the effect of all
// toxics. Toxiproxy only keeps the list of them.
type toxic interface {
	toxics.Toxic
	check() error // are the attributes possible?
	addTo(to *effect)
}

// registerToxics makes Toxiproxy's API understand our types.
func registerToxics() {
	toxics.Register(typeGuard, new(guard))
	for _, name := range []string{typeLatency, typeBandwidth, typeStall} {
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
	case typeStall:
		return new(stallToxic)
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

	Latency int64 `json:"latency"`
	Jitter  int64 `json:"jitter"`
}

func (t *latencyToxic) check() error {
	if t.Latency < 0 || t.Jitter < 0 || t.Latency+t.Jitter == 0 {
		return fmt.Errorf("latency %d and jitter %d are milliseconds, of which one must be positive and none negative", t.Latency, t.Jitter)
	}
	return nil
}

func (t *latencyToxic) addTo(to *effect) {
	to.latency += time.Duration(t.Latency) * time.Millisecond
	to.jitter += time.Duration(t.Jitter) * time.Millisecond
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

// A valve holds the effect on one direction of a link and tells all its
// connections when it changes.
type valve struct {
	none    atomic.Bool // there is no effect
	mu      sync.Mutex
	effect  effect
	changed chan struct{}
}

func newValve() *valve {
	v := &valve{changed: make(chan struct{})}
	v.none.Store(true)
	return v
}

// open reports whether there is no effect.
func (v *valve) open() bool { return v.none.Load() }

// get returns the effect and a channel that is closed when it is replaced.
func (v *valve) get() (effect, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.effect, v.changed
}

func (v *valve) set(e effect) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.effect = e
	v.none.Store(e == effect{})
	close(v.changed)
	v.changed = make(chan struct{})
}
