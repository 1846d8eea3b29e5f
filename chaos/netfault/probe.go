package netfault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// What a probe can do at most, and the least that it takes for the effect of a
// toxic and not for chance.
const (
	maxPadding  = 16 << 10 // bytes
	probeWanted = 200 * time.Millisecond
	probeSeen   = 20 * time.Millisecond
	maxPatience = 10 * time.Second
)

// A mark is what a toxic does to a request of a probe and its answer, as far as
// a client can see it. Of the zero mark nothing is seen.
type mark struct {
	padding int           // bytes that the request has more than it needs
	extra   time.Duration // the answer comes so much later
	silent  bool          // nothing comes, and the connection stays
	ends    bool          // the connection ends before the answer is whole, within extra
}

// A sample is what a client has met.
type sample struct {
	answered bool // to the end
	ended    bool // refused, reset or closed before
	bytes    int  // of the answer
	took     time.Duration
}

// A probe is a client of its own that asks through a proxy and past it. What a
// stock Toxiproxy server lists says what it was told; what it does is seen by
// the difference.
type probe struct {
	through, past string // addresses
	mark          mark
	before        sample // through the proxy, before the fault
}

// newProbe finds the addresses and asks once, before the fault.
func newProbe(ctx context.Context, l control, m mark) (probe, error) {
	var proxy struct{ Listen, Upstream string }
	if err := l.do(ctx, http.MethodGet, l.proxyPath(), nil, &proxy); err != nil {
		return probe{}, err
	}
	host, port, err := net.SplitHostPort(proxy.Listen)
	if err != nil {
		return probe{}, fmt.Errorf("link %s: where its proxy listens: %w", l.link, err)
	}
	// A proxy that listens everywhere is where its control interface is.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		base, err := url.Parse(l.base)
		if err != nil {
			return probe{}, fmt.Errorf("link %s: %w", l.link, err)
		}
		host = base.Hostname()
	}
	p := probe{through: net.JoinHostPort(host, port), past: proxy.Upstream, mark: m}
	p.before = p.ask(ctx, p.through, requestTimeout)
	return p, nil
}

// ask sends a request to an address and waits for the head of the answer.
func (p probe) ask(ctx context.Context, addr string, patience time.Duration) (s sample) {
	began := time.Now()
	defer func() { s.took = time.Since(began) }()
	ctx, cancel := context.WithTimeout(ctx, min(patience, maxPatience))
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return sample{ended: ctx.Err() == nil}
	}
	defer func() { _ = c.Close() }() // nothing is left to say
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(began) })
	defer stop()
	_, err = c.Write(p.request())
	var head []byte
	for buf := make([]byte, 4<<10); err == nil && !bytes.Contains(head, []byte("\r\n\r\n")) && len(head) < 4*maxPadding; {
		var n int
		n, err = c.Read(buf)
		head = append(head, buf[:n]...)
	}
	timeout, ok := errors.AsType[net.Error](err)
	return sample{answered: err == nil, ended: err != nil && (!ok || !timeout.Timeout()), bytes: len(head)}
}

// request is what the probe asks. A server of another protocol will hardly
// answer it, and then there is nothing to compare.
func (p probe) request() []byte {
	var b strings.Builder
	b.WriteString("HEAD / HTTP/1.1\r\nHost: proofload\r\nUser-Agent: proofload\r\nConnection: close\r\n")
	for left := p.mark.padding; left > 0; {
		n := min(left, 1<<10)
		b.WriteString("X-Padding: " + strings.Repeat("x", n) + "\r\n")
		left -= n
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// compare asks through the proxy and past it at the same time. Where nobody
// answers past it, the proxy before the fault is what is compared with.
func (p probe) compare(ctx context.Context) (base, now sample) {
	var both sync.WaitGroup
	both.Go(func() {
		base = p.before
		if past := p.ask(ctx, p.past, requestTimeout); past.answered {
			base = past
		}
	})
	now = p.ask(ctx, p.through, p.before.took+2*p.mark.extra+time.Second)
	both.Wait()
	return base, now
}

// see says how a client sees the toxic, or why it does not.
func (p probe) see(ctx context.Context, link string) (string, error) {
	if p.mark == (mark{}) {
		return "", fmt.Errorf("link %s: its proxy counts nothing, and a probe of a few bytes would not meet this toxic", link)
	}
	base, now := p.compare(ctx)
	if !base.answered {
		return "", fmt.Errorf("link %s: its proxy counts nothing, and a probe by HTTP was not answered before the fault either", link)
	}
	if !p.mark.on(base, now) {
		return "", fmt.Errorf("link %s: a probe does not see the toxic: %s", link, now.beside(base))
	}
	return "a probe " + now.beside(base), nil
}

// well says how a client sees that the toxic is gone.
func (p probe) well(ctx context.Context, link string) (string, error) {
	if p.mark == (mark{}) || !p.before.answered {
		return "toxic gone", nil
	}
	base, now := p.compare(ctx)
	if now.ended && now.bytes == 0 && p.ask(ctx, p.past, requestTimeout).ended {
		return "toxic gone, and nobody answers behind it", nil
	}
	if !now.answered || p.mark.on(base, now) {
		return "", fmt.Errorf("link %s: a probe is not well yet: %s", link, now.beside(base))
	}
	return "toxic gone, a probe " + now.beside(base), nil
}

// on reports whether a sample shows the toxic.
func (m mark) on(base, now sample) bool {
	switch {
	case m.silent:
		return !now.answered && !now.ended
	case m.ends:
		return now.ended && now.bytes < base.bytes
	}
	return m.extra >= probeSeen && !now.ended && now.took-base.took >= m.extra/2
}

// beside puts a sample into words, and what it is compared with.
func (s sample) beside(base sample) string {
	said := "got no answer in"
	switch {
	case s.answered:
		said = "was answered in"
	case s.ended:
		said = fmt.Sprintf("was cut off after %d bytes in", s.bytes)
	}
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("%s %s, without the toxic with %d bytes in %s", said, round(s.took), base.bytes, round(base.took))
}
