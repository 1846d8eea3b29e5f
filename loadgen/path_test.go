package loadgen

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// A proxyNet is a network through a proxy that can lose its way: it accepts each
// connection at once, before it has reached the server, and closes it then, as
// those that it has.
type proxyNet struct {
	*pipeNet

	mu    sync.Mutex
	lost  bool
	conns []net.Conn
}

func (p *proxyNet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost {
		client, proxy := net.Pipe()
		return client, proxy.Close()
	}
	c, err := p.pipeNet.dial(ctx, network, addr)
	p.conns = append(p.conns, c)
	return c, err
}

// lose makes the proxy lose its way, or find it again.
func (p *proxyNet) lose(lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = lost
	for _, c := range p.conns {
		_ = c.Close() // once is enough
	}
	p.conns = nil
}

// TestLoadSeesItsOwnPath has a server that is well throughout, as all see who
// ask it past the proxy, and a load that goes through the proxy. What is recorded
// is what the load met: nothing was good while the proxy had lost its way, though
// each connection was accepted, and everything was before and after.
func TestLoadSeesItsOwnPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lost, found = 3 * time.Second, 7 * time.Second
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		through := &proxyNet{pipeNet: newPipeNet()}
		var serving sync.WaitGroup
		serving.Go(func() { _ = b.server.Serve(through) })
		t.Cleanup(func() { _ = through.Close(); serving.Wait() })
		past := b.dial
		b.dial = through.dial
		b.Phases = []Phase{{Name: "steady", For: 10 * time.Second, From: 50, To: 50}}
		time.AfterFunc(lost, func() { through.lose(true) })
		time.AfterFunc(found-time.Second, func() {
			if !answers(t, past) {
				t.Error("the server does not answer past the proxy")
			}
		})
		time.AfterFunc(found, func() { through.lose(false) })
		b.drive(t.Context(), t)
		good := 0
		for _, e := range b.events(t) {
			within := e.Sched > lost && e.Sched < found
			if ok := e.Kind == history.OK; ok == within {
				t.Errorf("the operation of %s was %s %s", e.Sched, e.Kind, e.Class)
			} else if ok {
				good++
			}
		}
		if good < 290 {
			t.Errorf("%d operations were good, want about 300", good)
		}
	})
}

// answers asks a server once on a connection of its own.
func answers(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) bool {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", http.NoBody)
	if err != nil {
		t.Error(err)
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}
