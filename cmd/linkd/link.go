package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// dialTimeout bounds connecting to an upstream; the client is cut off then.
const dialTimeout = 5 * time.Second

// proxyName is the name of the only proxy in the API of a link.
const proxyName = "link"

// A link is one proxied connection between two nodes.
type link struct {
	name   string
	logger *slog.Logger
	api    *toxiproxy.ApiServer
	routes http.Handler     // Toxiproxy's own
	proxy  *toxiproxy.Proxy // what the API shows: never started, its toxics are only a list

	guards  [stream.NumDirections]*guard
	traffic [stream.NumDirections]traffic

	apiMu sync.Mutex // one API request at a time
	stop  func()     // set while enabled; under apiMu

	mu     sync.Mutex
	pairs  map[*pair]struct{}
	count  uint64       // pairs so far, to number them
	resets []resetEntry // what connections meet
	draws  *rand.Rand   // one draw for each pair

	resetCount atomic.Int64 // connections that were reset
}

// newLink makes a link that does not listen yet.
func newLink(cfg linkConfig, seed uint64, logger *slog.Logger) (*link, error) {
	l := &link{
		name:   cfg.Name,
		logger: logger.With(slog.String("link", cfg.Name)),
		api:    toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		pairs:  map[*pair]struct{}{},
		draws:  rand.New(rand.NewPCG(seed, 0)),
	}
	l.routes = l.api.Routes()
	l.proxy = toxiproxy.NewProxy(l.api, proxyName, cfg.Listen, cfg.Upstream)
	for dir := range stream.NumDirections {
		l.guards[dir] = &guard{valve: newValve(), seed: seed<<1 | uint64(dir), traffic: &l.traffic[dir]}
		entry := fmt.Sprintf(`{"name": "guard_%[1]s", "type": "guard", "stream": "%[1]s"}`, dir)
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(entry)); err != nil {
			return nil, fmt.Errorf("list guard: %w", err)
		}
	}
	if err := l.api.Collection.Add(l.proxy, false); err != nil {
		return nil, fmt.Errorf("add to API: %w", err)
	}
	return l, nil
}

// enable starts to listen. The link lives on when ctx is cancelled, until
// disable. Enabling an enabled link does nothing.
func (l *link) enable(ctx context.Context) error {
	if l.stop != nil {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", l.proxy.Listen)
	if err != nil {
		return fmt.Errorf("link %q: %w", l.name, err)
	}
	l.proxy.Listen, l.proxy.Enabled = listener.Addr().String(), true
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { l.accept(ctx, listener, &running) })
	l.stop = func() {
		cancel()
		_ = listener.Close() // fails only if it is closed already
		l.closePairs()
		running.Wait()
	}
	l.logger.LogAttrs(ctx, slog.LevelInfo, "link listens",
		slog.String("address", l.proxy.Listen), slog.String("upstream", l.proxy.Upstream))
	return nil
}

// disable stops listening and closes all connections. Disabling a disabled
// link does nothing.
func (l *link) disable() {
	if l.stop == nil {
		return
	}
	l.stop()
	l.stop, l.proxy.Enabled = nil, false
}

// close disables the link for good.
func (l *link) close() {
	l.apiMu.Lock()
	defer l.apiMu.Unlock()
	l.disable()
}

// accept connects each client with the upstream until the listener is closed.
func (l *link) accept(ctx context.Context, listener net.Listener, running *sync.WaitGroup) {
	for {
		client, err := listener.Accept()
		switch {
		case err == nil:
			running.Go(func() { l.connect(ctx, client) })
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		l.logger.LogAttrs(ctx, slog.LevelWarn, "accept failed", slog.Any("error", err))
		select { // out of file descriptors, for example: wait for some to be closed
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// connect dials the upstream for a client and starts both directions.
func (l *link) connect(ctx context.Context, client net.Conn) {
	// The default resolver has a lookup wait for the one of the same name that is
	// under way: where a name server is silent about a node that is down, who comes
	// after its return would be told what its absence was worth.
	dialer := net.Dialer{Timeout: dialTimeout, Resolver: new(net.Resolver)}
	upstream, err := dialer.DialContext(ctx, "tcp", l.proxy.Upstream)
	if err != nil {
		_ = client.Close() // it has nothing to be told
		l.logger.LogAttrs(ctx, slog.LevelWarn, "upstream unreachable", slog.Any("error", err))
		return
	}
	p := &pair{client: client, upstream: upstream}
	p.done = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.pairs, p)
		p.stopResets(nil)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil { // disabled meanwhile
		p.close()
		return
	}
	l.pairs[p] = struct{}{}
	l.count++
	p.id, p.draw = l.count, l.draws.Float64()
	l.planResets(p)
	l.start(p, stream.Upstream, client, upstream)
	l.start(p, stream.Downstream, upstream, client)
}

// start lets data pass in one direction of a pair.
func (l *link) start(p *pair, dir stream.Direction, from, to net.Conn) {
	counts := &l.traffic[dir]
	in := &lane{from: from, to: &sink{pair: p, conn: to, traffic: counts}, traffic: counts, guard: l.guards[dir]}
	go in.carry() // ends with the connection, which disabling the link closes
}

// closePairs closes all connections.
func (l *link) closePairs() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.pairs {
		p.close()
	}
	clear(l.pairs)
}

// connections returns how many connections are open.
func (l *link) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pairs)
}

// applyToxics makes the listed toxics take effect.
func (l *link) applyToxics() {
	var lists [stream.NumDirections][]listing
	var resets []resetEntry
	for _, item := range l.proxy.Toxics.GetToxicArray() {
		w, ok := item.(*toxics.ToxicWrapper)
		if !ok {
			continue
		}
		if t, ok := w.Toxic.(toxic); ok {
			lists[w.Direction] = append(lists[w.Direction], listing{t, float64(w.Toxicity)})
		}
		if t, ok := w.Toxic.(*resetToxic); ok {
			resets = append(resets, resetEntry{t, w.Direction, float64(w.Toxicity)})
		}
	}
	for dir, list := range lists {
		l.guards[dir].valve.set(list)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resets = resets
	for p := range l.pairs {
		p.stopResets(resets)
		l.planResets(p)
	}
}

// A resetEntry is a reset that is listed.
type resetEntry struct {
	toxic *resetToxic
	dir   stream.Direction
	share float64
}

// planResets lets a pair meet the resets that it has not met yet. The caller
// holds mu.
func (l *link) planResets(p *pair) {
	for _, r := range l.resets {
		if p.over {
			return
		}
		if _, met := p.resets[r.toxic]; met || p.draw >= r.share {
			continue
		}
		reset := func() {
			p.reset(p.towards(r.dir))
			l.resetCount.Add(1)
		}
		if r.toxic.Timeout == 0 { // at once: a timer might come after the first answer
			p.over = true
			reset()
			return
		}
		if p.resets == nil {
			p.resets = map[*resetToxic]*time.Timer{}
		}
		p.resets[r.toxic] = time.AfterFunc(time.Duration(r.toxic.Timeout)*time.Millisecond, reset)
	}
}

// stopResets calls off the resets of a pair that are not listed any more.
func (p *pair) stopResets(listed []resetEntry) {
	for t, timer := range p.resets {
		if !slices.ContainsFunc(listed, func(r resetEntry) bool { return r.toxic == t }) {
			timer.Stop()
			delete(p.resets, t)
		}
	}
}
