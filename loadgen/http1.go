package loadgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	// maxInterim is how many interim answers (1xx) may come before the answer.
	maxInterim = 8

	// oneWrite is the size up to which head and body are sent in one piece.
	oneWrite = 16 << 10

	// longBody is the size of a body from which on the answer is read while it
	// is sent: a server may answer, and stop reading, before it has all.
	longBody = 64 << 10
)

// http1 is a client of HTTP/1.1. An exchange stays on the goroutine that asks
// for it: it writes the request, waits and reads the answer with the parser of
// net/http. That makes it cheaper than the client of net/http, which has two
// goroutines a connection, and it knows of each byte whether it was sent. It
// never sends anything twice.
type http1 struct {
	ctx      context.Context
	pool     *pool
	timeouts Timeouts
	host     string // of the Host header
	prefix   string // of every path
	fresh    bool   // tell the server that the connection ends
}

func newHTTP1(ctx context.Context, c Config, d *dialer, t *turn) *http1 {
	base, _ := url.Parse(c.BaseURL) // newDialer has seen that it is one
	return &http1{
		ctx: ctx, pool: newPool(d, c.Connections, t), timeouts: c.Timeouts,
		host: base.Host, prefix: strings.TrimRight(base.EscapedPath(), "/"), fresh: c.Connections.fresh,
	}
}

func (h *http1) abort() { h.pool.abort() }

func (h *http1) close() {
	h.pool.close()
	h.pool.dialer.names.looking.Wait()
}

func (h *http1) exchange(r *request) (a answer, err error) {
	deadline := r.deadline
	c, timings, err := h.pool.get(h.ctx, deadline)
	a.timings = timings
	if err != nil {
		return a, err
	}
	reusable := false
	defer func() { h.pool.put(c, reusable) }()
	if c.out, err = h.appendHead(c.out[:0], r); err != nil {
		reusable = true
		return a, err
	}
	before := c.wire.writes.Load()
	reusable, err = h.talk(c, r, deadline, &a)
	a.sent = c.wire.writes.Load() != before
	if err != nil {
		return a, h.explain(err, deadline)
	}
	return a, nil
}

// explain says why an exchange was given up, if it was.
func (h *http1) explain(err error, deadline time.Time) error {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case h.ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(h.ctx), err)
	case !time.Now().Before(deadline):
		return fmt.Errorf("%w: %w", errTotal, err)
	}
	return err // the header timeout
}

// talk sends a request whose head is in c.out, and reads the answer. It
// reports whether the connection can be used again.
func (h *http1) talk(c *conn, r *request, deadline time.Time, a *answer) (reusable bool, err error) {
	began := time.Now()
	if len(r.body) < longBody {
		err = c.send(r.body)
		if err != nil {
			return false, err
		}
		return h.receive(c, r, began, deadline, a)
	}
	sent := make(chan bool, 1)
	go func() { sent <- c.send(r.body) == nil }()
	reusable, err = h.receive(c, r, began, deadline, a)
	select {
	case all := <-sent:
		return reusable && all, err
	default: // answered before it was all sent
		_ = c.wire.Close()
		<-sent
		return false, err
	}
}

// send writes the head in c.out and the body. What goes in one piece over a
// connection without TLS leaves when the answer is read.
func (c *conn) send(body []byte) error {
	if len(c.out)+len(body) <= oneWrite {
		c.out = append(c.out, body...)
		body = nil
		if c.Conn == c.wire && c.wire.askNext(c.out) {
			return nil
		}
	}
	if _, err := c.Write(c.out); err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	_, err := c.Write(body)
	return err
}

// receive reads the answer to its end.
func (h *http1) receive(c *conn, r *request, began, deadline time.Time, a *answer) (reusable bool, err error) {
	if h.timeouts.Header > 0 {
		if until := began.Add(h.timeouts.Header); until.Before(deadline) {
			err = c.SetReadDeadline(until)
			if err != nil {
				return false, err
			}
		}
	}
	c.headLeft = maxHead
	resp, err := readHead(c, r.method, began, a) //nolint:bodyclose // closing would read on; see readBody
	c.headLeft = math.MaxInt
	if err != nil {
		return false, err
	}
	if h.timeouts.Header > 0 {
		err = h.pool.setDeadline(c, deadline)
		if err != nil {
			return false, err
		}
	}
	a.headed, a.status, a.header = true, resp.StatusCode, resp.Header
	a.body, err = readBody(resp, r.maxBody)
	if err != nil {
		return false, err
	}
	return !resp.Close && !h.fresh && resp.StatusCode != http.StatusSwitchingProtocols && c.in.Buffered() == 0, nil
}

// readHead reads the head of the final answer.
func readHead(c *conn, method string, began time.Time, a *answer) (*http.Response, error) {
	for range maxInterim + 1 {
		if _, err := c.in.Peek(1); err != nil {
			return nil, err
		}
		if a.timings.FirstByte == 0 {
			a.timings.FirstByte = max(1, time.Since(began))
		}
		c.asked.Method = method
		resp, err := http.ReadResponse(c.in, &c.asked)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			return resp, nil
		}
	}
	return nil, errors.New("too many interim answers")
}

// readBody reads a body to its end, up to limit bytes, or maxBody if that is 0.
// It does not close the
// body, which would read on: the connection is closed instead.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	limit = cmp.Or(limit, maxBody)
	switch n := resp.ContentLength; {
	case resp.Body == http.NoBody:
		return nil, nil
	case n > limit:
		return nil, ErrTooLarge
	case n > 0:
		body := make([]byte, n)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = ErrTooLarge
	}
	return body, err
}

// appendHead appends the head of a request. The error names what cannot be
// sent, so that nothing that a workload makes can pass as another header or
// another request.
func (h *http1) appendHead(b []byte, r *request) ([]byte, error) {
	target, err := requestTarget(h.prefix, r.path)
	if err != nil {
		return b, err
	}
	if !httpguts.ValidHeaderFieldName(r.method) { // both are tokens
		return b, fmt.Errorf("make request: method %q", r.method)
	}
	host := h.host
	if own := r.header.Get("Host"); own != "" {
		host = own
	}
	if !httpguts.ValidHostHeader(host) {
		return b, fmt.Errorf("make request: host %q", host)
	}
	b = append(append(append(b, r.method...), ' '), target...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), host...), "\r\n"...)
	b, err = appendFields(b, r)
	if err != nil {
		return b, err
	}
	if len(r.body) > 0 || r.method == http.MethodPost || r.method == http.MethodPut || r.method == http.MethodPatch {
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, int64(len(r.body)), 10), "\r\n"...)
	}
	if h.fresh {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// appendFields appends the header fields of an operation, and who is asking.
func appendFields(b []byte, r *request) ([]byte, error) {
	for name, values := range r.header {
		if !httpguts.ValidHeaderFieldName(name) {
			return b, fmt.Errorf("make request: header name %q", name)
		}
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length", "Transfer-Encoding", "Connection":
			continue // these are for the client to say
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return b, fmt.Errorf("make request: value of header %s", name)
			}
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if r.corr != "" {
		b = append(append(append(b, correlationHeader+": "...), r.corr...), "\r\n"...)
	}
	if r.header.Get("User-Agent") == "" {
		b = append(b, "User-Agent: "+userAgent+"\r\n"...)
	}
	return b, nil
}

// requestTarget returns the path and query that a request asks for. What may
// not stand there is escaped; what is escaped already stays as it is.
func requestTarget(prefix, path string) (string, error) {
	path, _, _ = strings.Cut(path, "#")
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("make request: path %q does not begin with /", path)
	}
	if !strings.ContainsFunc(path, needsCare) {
		return prefix + path, nil
	}
	b := make([]byte, 0, len(prefix)+len(path)+16)
	b = append(b, prefix...)
	for i := range len(path) {
		switch c := path[i]; {
		case c < ' ' || c == 0x7f:
			return "", fmt.Errorf("make request: path %q has a control character", path)
		case c == '%' && !isEscape(path[i:]):
			return "", fmt.Errorf("make request: path %q has a %% that escapes nothing", path)
		case c != '%' && needsCare(rune(c)):
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b), nil
}

const hexDigits = "0123456789ABCDEF"

// needsCare reports whether a character is none of those that are always right
// in a path or query.
func needsCare(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("%\"<>\\^`{|}", r)
}

// isEscape reports whether a text begins with % and two hexadecimal digits.
func isEscape(text string) bool {
	if len(text) < 3 {
		return false
	}
	_, err := strconv.ParseUint(text[1:3], 16, 8)
	return err == nil && text[1] != '+' && text[1] != '-'
}
