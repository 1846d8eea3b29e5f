package httpload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/proofload/proofload/loadgen"
)

// The kinds of steps that keep a connection, beside plain requests.
const (
	streamKind = "stream" // server-sent events
	socketKind = "socket" // WebSocket
	heldKind   = "held"   // how the connection of the step before it fared
)

// A channel is a connection on which events come.
type channel struct {
	first chan string   // those that are waited for; later ones are dropped
	done  chan struct{} // closed when no more can come
	err   error         // why, once done is closed
	end   func()
	bye   func() // says goodbye; may be nil
}

// leave closes the channel of a visit from our side, beside what goes on.
func (v *visit) leave() {
	c := v.open
	if c == nil {
		return
	}
	v.open = nil
	v.w.tasks.Go(func() {
		if c.bye != nil {
			c.bye()
		}
		c.end()
	})
}

// connect opens the channel of a step and waits for its first events, which are
// the body of the answer, a line each.
func (v *visit) connect(r *http.Request, transport http.RoundTripper) loadgen.Result {
	s, ctx := v.journey.steps[v.at], r.Context()
	// The connection outlives the operation, and ends with the workload at the
	// latest. Until it has given its first events it ends with the operation.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(v.w.life, cancel) //nolint:contextcheck // of the workload, which ends what operations leave open
	end := func() {
		detach()
		cancel()
	}
	settled := context.AfterFunc(ctx, end)
	defer settled()

	open := v.openStream
	if s.channel == socketKind {
		open = v.openSocket
	}
	c, result := open(r.Clone(life), transport, s)
	if c == nil {
		end()
		return result
	}
	c.end = end
	var seen []string
	for len(seen) < s.events {
		select {
		case e := <-c.first:
			seen = append(seen, e)
			continue
		default:
		}
		select {
		case e := <-c.first:
			seen = append(seen, e)
		case <-c.done:
			if len(c.first) > 0 {
				continue
			}
			end()
			return loadgen.Result{Err: c.err, Sent: true, Headers: true}
		}
	}
	v.open = c
	result.Body = []byte(strings.Join(seen, "\n"))
	return result
}

// openStream asks for server-sent events.
func (v *visit) openStream(r *http.Request, transport http.RoundTripper, s *step) (*channel, loadgen.Result) {
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "text/event-stream")
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, loadgen.Result{Err: err}
	}
	result := loadgen.Result{Status: resp.StatusCode, Header: resp.Header}
	if !s.expect.status.has(resp.StatusCode) {
		_ = resp.Body.Close() // what it says is not asked for
		return nil, result
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" { // no browser takes it either
		_ = resp.Body.Close()
		return nil, loadgen.Result{Err: fmt.Errorf("the answer is no event stream: its Content-Type is %q", kind), Sent: true, Headers: true}
	}
	c := newChannel(s.events)
	v.w.tasks.Go(func() {
		defer close(c.done)
		defer resp.Body.Close()
		c.err = readEvents(resp.Body, limitOf(s), c.take)
	})
	return c, result
}

// openSocket opens a WebSocket and sends the messages of the step.
func (v *visit) openSocket(r *http.Request, transport http.RoundTripper, s *step) (*channel, loadgen.Result) {
	conn, resp, err := websocket.Dial(r.Context(), r.URL.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     once{transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader: r.Header,
	})
	switch {
	case err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		_ = resp.Body.Close() // the library has read what there was
		return nil, loadgen.Result{Status: resp.StatusCode, Header: resp.Header}
	case err != nil:
		return nil, loadgen.Result{Err: err}
	}
	conn.SetReadLimit(limitOf(s))
	for _, m := range s.send {
		if err := conn.Write(r.Context(), websocket.MessageText, []byte(m.render(v))); err != nil {
			_ = conn.CloseNow() // it is broken already
			return nil, loadgen.Result{Err: err, Sent: true, Headers: true}
		}
	}
	c := newChannel(s.events)
	c.bye = func() { _ = conn.Close(websocket.StatusNormalClosure, "") } // whatever the other side makes of it
	v.w.tasks.Go(func() {                                                //nolint:contextcheck // it reads with that of the connection
		defer close(c.done)
		defer func() { _ = conn.CloseNow() }()
		for {
			_, data, err := conn.Read(r.Context())
			if err != nil {
				c.err = lost(err)
				return
			}
			c.take(string(data))
		}
	})
	return c, loadgen.Result{Status: resp.StatusCode, Header: resp.Header}
}

// once is a transport that sends nothing twice: a body that cannot be had again
// keeps it from silently repeating a request on another connection.
type once struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Body, r.GetBody, r.ContentLength = io.NopCloser(strings.NewReader("")), nil, 0
	return o.RoundTripper.RoundTrip(r)
}

// lost says in the words of packages io and loadgen why a WebSocket ended.
func lost(err error) error {
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return fmt.Errorf("%w: %w", loadgen.ErrTooLarge, err)
	case websocket.CloseStatus(err) >= 0:
		return fmt.Errorf("%w: %w", io.EOF, err)
	}
	return err
}

func newChannel(events int) *channel {
	return &channel{first: make(chan string, events), done: make(chan struct{})}
}

// take keeps an event that is waited for.
func (c *channel) take(event string) {
	select {
	case c.first <- event:
	default:
	}
}

// errEvent is why a stream cannot be read on.
var errEvent = fmt.Errorf("read an event: %w", loadgen.ErrTooLarge)

// readEvents calls take with the data of each event of a stream until the stream
// ends, and returns why. See the HTML standard, 9.2.6 Interpreting an event
// stream.
func readEvents(body io.Reader, limit int64, take func(string)) error {
	in := bufio.NewScanner(body)
	in.Buffer(make([]byte, 0, 4096), int(limit))
	in.Split(splitLines)
	var data []string
	size := 0
	for in.Scan() {
		line := in.Text()
		if line == "" {
			if data != nil {
				take(strings.Join(data, "\n"))
			}
			data, size = nil, 0
			continue
		}
		if field, rest, _ := strings.Cut(line, ":"); field == "data" {
			data = append(data, strings.TrimPrefix(rest, " "))
			if size += len(rest); int64(size) > limit {
				return errEvent
			}
		}
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return errEvent
	case err != nil:
		return err
	}
	return io.EOF
}

// splitLines is for lines that end in LF, CR LF or CR.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF && len(data) > 0:
		return len(data), data, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 == len(data) && !atEOF:
		return 0, nil, nil // an LF may follow
	}
	return i + 1, data[:i], nil
}

// hold makes the operation that says how a channel fared: due when it was to be
// held until, or at once when it breaks.
func (v *visit) hold(s *step) loadgen.Operation {
	c := v.open
	return loadgen.Operation{
		Op: s.op, Method: http.MethodGet, Path: "/", Judge: v.judge,
		Extras: loadgen.Extras{Early: c.done, Then: v.then, Do: func(*http.Request, http.RoundTripper) loadgen.Result {
			select {
			case <-c.done:
				return loadgen.Result{Err: c.err, Sent: true, Headers: true}
			default:
				return loadgen.Result{Status: http.StatusOK}
			}
		}},
	}
}
