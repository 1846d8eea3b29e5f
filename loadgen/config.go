package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// The defaults of a [Config].
const (
	DefaultMaxInFlight    = 4096
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
	BaseURL  string // http or https; the path of an [Operation] is appended to it
	Phases   []Phase
	Arrivals Arrivals // empty is Even
	Seed     uint64   // of the run; each drill has arrivals of its own
	Drill    int      // number of the drill, from 1

	// Start is when the schedule begins, on the recorder's clock; zero is now.
	// Arrivals that are already due are sent at once and count from when they
	// were due.
	Start time.Duration

	Workload Workload
	Recorder *history.Recorder

	// MaxInFlight caps the operations in flight. What arrives above the cap is
	// shed: recorded and never sent. Zero is [DefaultMaxInFlight].
	MaxInFlight int

	Timeouts Timeouts

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

	dial func(ctx context.Context, network, addr string) (net.Conn, error) // nil: TCP
}

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

// checkTarget makes sure that the base URL is one and that load may be sent
// there.
func (c Config) checkTarget() error {
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return fmt.Errorf("parse target: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return fmt.Errorf("parse target %q: want http://HOST or https://HOST", base.Redacted())
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
