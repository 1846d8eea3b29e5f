package loadgen

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// Extras are what an [Operation] may have beside its request. The zero value
// asks for nothing.
type Extras struct {
	// Prepare completes the request's header just before it is sent, on the
	// goroutine of the operation, so that it may wait for something, for
	// example a token. An error means that nothing was sent. Ctx ends with the
	// operation's timeout.
	Prepare func(ctx context.Context, header http.Header) error

	// Peer is what the amount of a write moves to; it moves from the Key.
	Peer string

	// Of is the id of an earlier write that a write builds on, for example the
	// transfer that a refund gives back. If that one is lost, so is this one's
	// ground.
	Of string

	// Session names the client whose reads must follow its own writes and each
	// other. It is empty if nothing of the kind is promised.
	Session string

	// Promise is what is promised of the operation; see [history.Event.Promise].
	Promise string

	// Saw says what is to be recorded of an answer that the contract allows.
	Saw func(header http.Header, body []byte) Sight

	// Timeout bounds the operation, from sending to the end of the answer.
	// Zero is the timeout of all operations.
	Timeout time.Duration

	// MaxBody is the longest answer that is read, in bytes. Zero is 1 MiB.
	MaxBody int64

	// Do carries the operation out in place of the engine, with the request that
	// the engine would have sent and a transport of net/http, since a connection
	// that is held cannot be the engine's own. It must end with the request's
	// context; what it leaves open belongs to the workload.
	Do func(r *http.Request, transport http.RoundTripper) Result

	// Run carries out an operation that is no request, for example a statement
	// on a database. It must end with ctx, which ends with the operation's
	// timeout.
	Run func(ctx context.Context) Outcome

	// Early, when it is closed, makes an operation that follows another due at
	// once, though the client has not thought for as long as it wanted.
	Early <-chan struct{}

	// Then makes the operation one request of a journey. It is called once the
	// operation has ended and was recorded, and returns the next one and how
	// long the client thinks before it, or nil where the journey ends.
	//
	// The schedule asks for the first request of a journey; each later one is
	// due when the client has thought, and of the phase that it is due in. They are operations of their own in the
	// history, with a number of their own in it ([history.Event.Step]).
	Then func(end End) (next *Operation, think time.Duration)
}

// A Sight is what an answer shows of the thing that was asked for. Zero fields
// are not known.
type Sight struct {
	Source  string // the kind of store that answered; see [history.Event.Role]
	Version int64  // grows with every change
	Balance int64  // of a read, in minor units
	Several string // versions of several things at one moment; see [history.Event.Saw]
}

// An End says how an operation ended; see [history.Event].
type End struct {
	Kind   history.Kind // OK, Fail or Info
	Class  string       // of the error, empty if there was none
	Status int          // of the answer, 0 if there was none
}

// follow waits until the next request of a journey is due, and returns it. It
// returns nil when the journey is over, or the load was stopped.
func (e *engine) follow(j *job) *job {
	if j.op.Then == nil {
		return nil
	}
	op, think := j.op.Then(j.end)
	if op == nil {
		return nil
	}
	next := job{seq: j.seq, sched: e.Recorder.Now() + think, op: *op, user: nobody, step: j.step + 1}
	if think > 0 && !e.pause(think, op.Early) || e.load.Err() != nil {
		return nil
	}
	next.sched = min(next.sched, e.Recorder.Now())
	phase, _ := e.schedule.at(e.holds.moment(next.sched))
	next.phase = e.schedule.Phase(phase) // what is broken by then is no fault of the phase in which it began
	return &next
}

// Allows reports whether load may be sent to a host: to the loopback interface,
// or where the configuration says so.
func (c Config) Allows(host string) bool { return c.allowed(host) }

// Client returns a client for requests beside the load, such as logins and final
// reads: to the same hosts alone, with the same timeouts, and it follows no
// redirects.
func (c Config) Client() *http.Client {
	setDefault(&c.MaxInFlight, DefaultMaxInFlight)
	setDefault(&c.Timeouts.Dial, DefaultDialTimeout)
	setDefault(&c.Timeouts.TLS, DefaultTLSTimeout)
	setDefault(&c.Timeouts.Total, DefaultTotalTimeout)
	return &http.Client{
		Transport:     c.besides(),
		Timeout:       c.Timeouts.Total,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Dial connects to HOST:PORT, where load may be sent, within the dial timeout.
// It is for what speaks no HTTP.
func (c Config) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	setDefault(&c.Timeouts.Dial, DefaultDialTimeout)
	connect := c.dial
	if connect == nil {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, &dialError{err}
		}
		d := &dialer{allowed: c.allowed, host: host}
		connect = (&net.Dialer{Timeout: c.Timeouts.Dial, Control: d.control}).DialContext
	}
	conn, err := connect(ctx, network, addr)
	if err != nil {
		return nil, &dialError{err}
	}
	return conn, nil
}

// besides returns a transport of net/http for what the engine's own does not
// carry. It goes where load may be sent, and through no proxy.
func (c Config) besides() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := c.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &countingConn{Conn: conn}, nil
		},
		TLSClientConfig: c.TLS.Clone(), TLSHandshakeTimeout: c.Timeouts.TLS, ResponseHeaderTimeout: c.Timeouts.Header,
		MaxResponseHeaderBytes: maxHead, MaxIdleConnsPerHost: c.MaxInFlight, IdleConnTimeout: idleTimeout, DisableCompression: true,
	}
}
