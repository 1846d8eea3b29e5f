package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Protocol is the version of HTTP that load is sent with.
type Protocol string

// The protocols. HTTP/1.1 goes through a client of this package's own, HTTP/2
// through that of net/http.
const (
	HTTP1 Protocol = "http/1.1"
	HTTP2 Protocol = "h2"  // over TLS, and never anything less
	H2C   Protocol = "h2c" // HTTP/2 without TLS, begun with prior knowledge
)

// A Version is one of HTTP, as scenarios name it: "http/1.1", which empty is
// too, or "http/2".
type Version string

// The versions.
const (
	Version1 Version = "http/1.1"
	Version2 Version = "http/2"
)

// Over returns the protocol by which that version is spoken with a system at a
// base URL.
func (v Version) Over(base string) Protocol {
	switch {
	case v != Version2:
		return HTTP1
	case strings.HasPrefix(base, "https:"):
		return HTTP2
	}
	return H2C
}

// Client names the client that carries the version, for people.
func (v Version) Client() string {
	if v == Version2 {
		return "http/2 (net/http)"
	}
	return "http/1.1 (proofload)"
}

// Connections is the policy by which operations share connections: [Reuse],
// [FreshConnections] or [ConnectionsPerHost].
type Connections struct {
	fresh bool
	limit int // 0: no bound
}

// Reuse keeps connections open and uses the one that was used last. There are
// as many as operations in flight. It is the zero value.
func Reuse() Connections { return Connections{} }

// FreshConnections gives each operation a connection of its own.
func FreshConnections() Connections { return Connections{fresh: true} }

// ConnectionsPerHost keeps connections open, and has at most n of them.
// Operations wait for one; the wait is part of their time. HTTP/2 carries many
// operations over each.
func ConnectionsPerHost(n int) Connections { return Connections{limit: max(1, n)} }

// ParseConnections reads a policy: "reuse", "new" or "N per host".
func ParseConnections(text string) (Connections, error) {
	switch text {
	case "reuse":
		return Reuse(), nil
	case "new":
		return FreshConnections(), nil
	}
	var n int
	var rest string
	if got, _ := fmt.Sscanf(text, "%d per %s", &n, &rest); got == 2 && n > 0 && text == strconv.Itoa(n)+" per host" {
		return ConnectionsPerHost(n), nil
	}
	return Connections{}, fmt.Errorf("parse connections %q: want reuse, new or N per host", text)
}

// String returns what [ParseConnections] reads.
func (c Connections) String() string {
	switch {
	case c.fresh:
		return "new"
	case c.limit > 0:
		return strconv.Itoa(c.limit) + " per host"
	}
	return "reuse"
}

// Timings say how long the parts of an exchange took. Those of a connection
// are zero where one was used that was there already.
type Timings struct {
	DNS, Connect, TLS time.Duration
	FirstByte         time.Duration // from the send to the first byte of the answer
}

// connected reports whether a connection was made.
func (t *Timings) connected() bool { return t.DNS+t.Connect+t.TLS > 0 }

// A request is what a transport sends.
type request struct {
	method string
	path   string      // with query, below the base URL
	header http.Header // the operation's, not to be changed
	corr   string      // sent as the correlation id; empty: header has one
	body   []byte

	deadline time.Time // of the exchange
	maxBody  int64     // bytes of the answer that are read, at most; 0 is maxBody
}

// An answer is what came of a request. What is known of it is also filled in
// when there is an error.
type answer struct {
	sent    bool // a byte of the request may have left
	headed  bool // the head of the answer has come
	status  int
	header  http.Header
	body    []byte // to its end
	timings Timings
}

// A transport sends requests to one host.
type transport interface {
	// exchange sends a request, exactly once, whatever happens, and reads the
	// answer to its end. The error wraps errTotal when the total timeout has
	// passed and errStop when the transport was broken.
	exchange(r *request) (answer, error)

	// abort ends all exchanges under way.
	abort()

	// close frees what the transport holds. No exchange may be under way.
	close()
}

const (
	// maxBody is how much of an answer's body is read unless its operation says
	// otherwise.
	maxBody = 1 << 20

	// maxHead is how much of an answer's head is read.
	maxHead = 64 << 10

	// idleTimeout is after how long an unused connection is closed. It is
	// shorter than the keep-alive timeouts that servers commonly have (the
	// shortest is 5 s), so that a server seldom closes a connection just as a
	// request is sent on it.
	idleTimeout = 4 * time.Second
)

// The causes for which an exchange is given up.
var (
	errTotal       = errors.New("operation timed out")
	errStop        = errors.New("load was stopped")
	errHeadTooLong = errors.New("head too long")
)

// newTransport returns a transport of one drill's own, for a configuration
// that was checked. It goes through no proxy, whatever the environment says.
// Requests do not outlive ctx.
func newTransport(ctx context.Context, c Config, t *turn) (transport, error) {
	d, err := newDialer(c)
	if err != nil {
		return nil, err
	}
	if c.Protocol == HTTP1 {
		return newHTTP1(ctx, c, d, t), nil
	}
	return newHTTP2(ctx, c, d), nil
}
