package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// The defaults of a [Config].
const (
	DefaultMaxInFlight    = 4096
	DefaultMaxLag         = 500 * time.Millisecond // half of the time in which a good operation is usually answered
	DefaultDialTimeout    = time.Second
	DefaultTLSTimeout     = 2 * time.Second
	DefaultTotalTimeout   = 5 * time.Second
	DefaultNodeHeader     = "Ledger-Instance"
	DefaultTimelineHeader = "Ledger-Timeline"
)

// ErrHostNotAllowed is wrapped by the error of a [Drive] against a host that
// it was not allowed to send load to. Nothing was sent.
var ErrHostNotAllowed = errors.New("host not allowed")

// A Config says what load to send in one drill.
type Config struct {
	BaseURL  string // http or https; the path of an [Operation] is appended to it; empty: none is a request
	Phases   []Phase
	Arrivals Arrivals   // empty is Even
	Holds    []Hold     // in order
	Cuts     <-chan Cut // nil: every phase lasts as long as it says
	Seed     uint64     // of the run; each drill has arrivals of its own
	Drill    int        // number of the drill, from 1

	// Start is when the schedule begins, on the recorder's clock; zero is now.
	// Arrivals that are already due are sent at once, or shed if they are later
	// than MaxLag, and count from when they were due.
	Start time.Duration

	Workload Workload
	Recorder *history.Recorder

	// MaxInFlight caps the operations in flight. What arrives above the cap is
	// shed: recorded and never sent. Zero is [DefaultMaxInFlight].
	MaxInFlight int

	// MaxLag is the longest send lag. What would be sent later is shed, so that
	// a generator that was held up does not catch up in a burst of its own.
	// Zero is [DefaultMaxLag]; negative sheds nothing for that.
	MaxLag time.Duration

	// InFlight counts the operations under way, for who watches the load from
	// beside. Nil if nobody does.
	InFlight *atomic.Int64

	// Share is the part of the arrivals that this engine sends; zero is all.
	Share Share

	Protocol    Protocol // empty is HTTP1
	Connections Connections
	TLS         *tls.Config   // of https; nil trusts the system's authorities, from TLS 1.2 on; see [TLSFiles]
	Resolve     time.Duration // how often connections in use are held against the host's name; 0: never
	Timeouts    Timeouts

	// Drain is how long operations in flight may go on once the load was
	// stopped. Zero is the total timeout, so that all of them end by
	// themselves; negative cancels them at once.
	Drain time.Duration

	// AllowHosts are the hosts other than loopback that may be sent load,
	// without ports.
	AllowHosts []string

	// NodeHeader and TimelineHeader are the response headers that say who
	// answered. Empty are [DefaultNodeHeader] and [DefaultTimelineHeader].
	NodeHeader, TimelineHeader string

	dial   func(ctx context.Context, network, addr string) (net.Conn, error) // nil: TCP
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)      // nil: the system's
}

// A Share is the part of the arrivals that one of several engines sends:
// engine Index, from 0, of Of takes every Of-th arrival, and every Of-th user
// of a closed phase. Together they send the arrivals of one.
type Share struct{ Index, Of int }

// Timeouts bound the parts of one operation. Zero fields have a default.
type Timeouts struct {
	Dial   time.Duration // [DefaultDialTimeout]
	TLS    time.Duration // [DefaultTLSTimeout]
	Header time.Duration // from the request's end to the answer's first byte; default: no bound but Total
	Total  time.Duration // from sending to the end of the answer; [DefaultTotalTimeout]
}

// Schedule returns the arrivals of the drill.
func (c Config) Schedule() (*Schedule, error) {
	arrivals := c.Arrivals
	if arrivals == "" {
		arrivals = Even
	}
	return NewSchedule(c.Phases, arrivals, c.Seed+uint64(max(0, c.Drill-1)))
}

// withDefaults returns the configuration with no zero fields that have a
// default.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	setDefault(&c.MaxInFlight, DefaultMaxInFlight)
	setDefault(&c.InFlight, new(atomic.Int64))
	setDefault(&c.MaxLag, DefaultMaxLag)
	if c.MaxLag < 0 {
		c.MaxLag = math.MaxInt64
	}
	c.Share.Of = max(1, c.Share.Of)
	setDefault(&c.Protocol, HTTP1)
	setDefault(&c.Timeouts.Dial, DefaultDialTimeout)
	setDefault(&c.Timeouts.TLS, DefaultTLSTimeout)
	setDefault(&c.Timeouts.Total, DefaultTotalTimeout)
	setDefault(&c.Drain, c.Timeouts.Total)
	setDefault(&c.NodeHeader, DefaultNodeHeader)
	setDefault(&c.TimelineHeader, DefaultTimelineHeader)
	setDefault(&c.Start, c.Recorder.Now())
	return c
}

func setDefault[T comparable](field *T, v T) {
	var zero T
	if *field == zero {
		*field = v
	}
}

// check makes sure that the configuration can be carried out and that load may
// be sent to its target.
func (c Config) check() error {
	switch {
	case c.Share.Index < 0 || c.Share.Index >= c.Share.Of:
		return fmt.Errorf("share of arrivals %d of %d: want an index from 0 to %d", c.Share.Index, c.Share.Of, c.Share.Of-1)
	case c.Protocol != HTTP1 && c.Protocol != HTTP2 && c.Protocol != H2C:
		return fmt.Errorf("protocol %q: want %s, %s or %s", c.Protocol, HTTP1, HTTP2, H2C)
	}
	return c.checkTarget()
}

func (c Config) checkTarget() error {
	if c.BaseURL == "" {
		return nil // there is nothing that a request could be sent to
	}
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return fmt.Errorf("parse target: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return fmt.Errorf("parse target %q: want http://HOST or https://HOST", base.Redacted())
	}
	if c.Protocol == HTTP2 && base.Scheme != "https" || c.Protocol == H2C && base.Scheme != "http" {
		return fmt.Errorf("send load to %s: %s is for https, %s for http", base.Redacted(), HTTP2, H2C)
	}
	if host := base.Hostname(); !c.allowed(host) {
		return fmt.Errorf("send load to %s: %w: want a loopback address or one of %q", host, ErrHostNotAllowed, c.AllowHosts)
	}
	return nil
}

// allowed reports whether load may be sent to a host. A name other than
// localhost must be listed, whatever it resolves to.
func (c Config) allowed(host string) bool {
	return slices.Contains(c.AllowHosts, host) || host == "localhost" || net.ParseIP(host).IsLoopback()
}
