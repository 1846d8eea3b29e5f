package httpload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/scenarios"
)

const (
	loginTimeout = 10 * time.Second
	loginsAtOnce = 4           // while the clients are made ready
	holdBack     = time.Second // between two logins of one client, also after a failure
	refreshShare = 0.8         // of its life, after which a token is refreshed
	maxLogin     = 1 << 20     // bytes of an answer
)

// An auth says how clients log in.
type auth struct {
	place   *scenarios.Node
	clients int // virtual clients, each with a login of its own
	login   *exchange
	refresh *exchange // nil: log in again
	header  string
	value   template // of the header, with ${token}
	locals  int
}

// An exchange is one request for a token.
type exchange struct {
	place   *scenarios.Node
	method  string
	path    template // below the base URL, or a whole URL
	headers []header
	body    *template
	kind    string

	token   *extraction
	expires *extraction   // in seconds
	lasts   time.Duration // where the answer does not say; 0: for ever
	extract []extraction
}

// tokenSlot is where an exchange keeps the token.
const tokenSlot = 0

// allowed reports whether logins go where load may be sent.
func (a *auth) allowed(c loadgen.Config) error {
	for _, x := range []*exchange{a.login, a.refresh} {
		if x == nil || !x.path.isConstant() {
			continue // it is checked when a connection is made
		}
		u, err := url.Parse(x.path.render(nil))
		if err == nil && u.Host != "" && !c.Allows(u.Hostname()) {
			return fmt.Errorf("log in at %s: %w", u.Host, loadgen.ErrHostNotAllowed)
		}
	}
	return nil
}

// logins are the virtual clients of one run.
type logins struct {
	w       *Workload
	auth    *auth
	clients []*client
}

// A client has one token at a time, which all its operations share. Whoever
// finds it missing waits for the one login that is going on.
type client struct {
	*logins

	index int
	visit *visit // what its requests are made with; used by its login alone

	mu      sync.Mutex
	current *loggedIn
	flight  chan struct{} // closed when the login that is going on is over
	err     error         // why there is no token
	notYet  time.Time     // no login before
}

// A loggedIn is a token that operations are sent with.
type loggedIn struct {
	client *client
	value  string // of the header
	from   time.Time
	until  time.Time // zero: for ever
}

func newLogins(w *Workload, a *auth) *logins {
	l := &logins{w: w, auth: a}
	for i := range a.clients {
		v := &visit{
			w: w, seq: uint64(i),
			rng:    rand.New(rand.NewPCG(w.Seed, ^uint64(i))),
			locals: make([]value, a.locals), rows: make([]int, len(w.feeds)),
		}
		for f, c := range w.feeds {
			v.rows[f] = i % max(1, len(c.feed.rows))
		}
		l.clients = append(l.clients, &client{logins: l, index: i, visit: v})
	}
	return l
}

// ready logs all clients in.
func (l *logins) ready(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(loginsAtOnce)
	for _, c := range l.clients {
		g.Go(func() error {
			_, err := c.get(ctx)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		pos := l.auth.place.Pos()
		return fmt.Errorf("%s:%d:%d: log in: %w", l.w.file.Path, pos.Line, pos.Col, err)
	}
	return nil
}

// token returns the token for an arrival of the schedule.
func (l *logins) token(ctx context.Context, seq uint64) (*loggedIn, error) {
	return l.clients[seq%uint64(len(l.clients))].get(ctx)
}

// get returns the client's token. One that is soon to expire is refreshed
// beside the operations that go on using it.
func (c *client) get(ctx context.Context) (*loggedIn, error) {
	for {
		c.mu.Lock()
		now := time.Now()
		if t := c.current; t.valid(now) {
			if t.old(now) {
				c.begin(now)
			}
			c.mu.Unlock()
			return t, nil
		}
		flight, err := c.begin(now), c.err // a login outlives the operation that began it
		c.mu.Unlock()
		if flight == nil {
			return nil, err
		}
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a login: %w", context.Cause(ctx))
		}
	}
}

// begin begins a login unless one is going on, or it is too early for another,
// and returns what is closed when it is over. The caller holds the lock.
func (c *client) begin(now time.Time) chan struct{} {
	if c.flight != nil || now.Before(c.notYet) {
		return c.flight
	}
	c.flight = make(chan struct{})
	last := c.current
	c.w.tasks.Go(func() { c.fly(last) })
	return c.flight
}

// fly logs in, or refreshes the last token.
func (c *client) fly(last *loggedIn) {
	x, began := c.auth.login, time.Now()
	if last != nil && c.auth.refresh != nil {
		x = c.auth.refresh
	}
	token, err := c.exchange(c.w.life, x)
	if err != nil && x == c.auth.refresh {
		token, err = c.exchange(c.w.life, c.auth.login)
	}
	if err != nil && c.w.life.Err() == nil {
		c.w.notes.add(x.place, nil, false, err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.notYet, c.err = now.Add(holdBack), err
	if err == nil {
		token.from = began
		c.current = token
		if token.valid(now) {
			c.notYet = token.early(holdBack)
		} else {
			c.err = errors.New("ask for a token: it had expired when it came")
		}
	}
	close(c.flight)
	c.flight = nil
}

// exchange asks for a token. It has a time of its own: where a refresh is not
// answered, a login may be.
func (c *client) exchange(ctx context.Context, x *exchange) (*loggedIn, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	began := time.Now()
	a, err := c.ask(ctx, x)
	if err != nil {
		return nil, fmt.Errorf("ask for a token: %w", err)
	}
	got, ok := x.token.from.find(a)
	if !ok || got.text == "" {
		return nil, fmt.Errorf("ask for a token: %s found none in the answer", x.token.place.Text())
	}
	c.visit.locals[tokenSlot] = got
	for _, e := range x.extract {
		v, ok := e.from.find(a)
		switch {
		case ok:
			c.visit.locals[e.slot] = v
		case x == c.auth.login: // a refresh need not repeat what stays the same
			return nil, fmt.Errorf("ask for a token: %s found nothing in the answer", e.place.Text())
		}
	}
	t := &loggedIn{client: c, value: c.auth.value.render(c.visit)}
	lasts := x.lasts
	if x.expires != nil {
		v, ok := x.expires.from.find(a)
		seconds, err := strconv.ParseFloat(v.text, 64)
		if !ok || err != nil || !(seconds >= 0 && seconds < 1e9) {
			return nil, fmt.Errorf("ask for a token: %s is no number of seconds in the answer", x.expires.place.Text())
		}
		lasts = time.Duration(seconds * float64(time.Second))
		t.until = began.Add(lasts)
	}
	if lasts > 0 {
		t.until = began.Add(lasts)
	}
	return t, nil
}

// ask sends the request of an exchange. Its error tells nothing of what was sent
// or answered: there are secrets in both.
func (c *client) ask(ctx context.Context, x *exchange) (*answer, error) {
	target := x.path.render(c.visit)
	if !strings.Contains(target, "://") {
		target = c.w.BaseURL + pathOf(target)
	}
	body := ""
	if x.body != nil {
		body = x.body.render(c.visit)
	}
	req, err := http.NewRequestWithContext(ctx, x.method, target, strings.NewReader(body))
	if err != nil {
		return nil, errors.New("its address is no URL")
	}
	if x.kind != "" {
		req.Header.Set("Content-Type", x.kind)
	}
	for _, h := range x.headers {
		req.Header.Set(h.name, h.value.render(c.visit))
	}
	resp, err := c.w.client.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxLogin+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(text) > maxLogin:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxLogin)
	case resp.StatusCode/100 != 2:
		return nil, fmt.Errorf("the answer is %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: text}, nil
}

// valid reports whether operations can be sent with it.
func (t *loggedIn) valid(now time.Time) bool {
	return t != nil && (t.until.IsZero() || now.Before(t.until))
}

// old reports whether it is time to refresh it.
func (t *loggedIn) old(now time.Time) bool {
	if t.until.IsZero() {
		return false
	}
	return !now.Before(t.due())
}

// due returns when it is time to refresh a token that expires.
func (t *loggedIn) due() time.Time {
	return t.from.Add(time.Duration(refreshShare * float64(t.until.Sub(t.from))))
}

// early returns until when another login would be too early: for a while, but no
// longer than the token lasts, or there would be none between the two.
func (t *loggedIn) early(holdBack time.Duration) time.Time {
	early := t.from.Add(holdBack)
	if due := t.due(); !t.until.IsZero() && due.Before(early) {
		return due
	}
	return early
}

// set gives a request the token.
func (t *loggedIn) set(h http.Header) { h.Set(t.client.auth.header, t.value) }

// refused drops a token that the system does not take any more.
func (t *loggedIn) refused() {
	c := t.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == t {
		c.current = nil
		c.err = errors.New("ask for a token: the system refuses what it gave")
	}
}
