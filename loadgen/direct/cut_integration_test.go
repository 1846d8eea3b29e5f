//go:build integration

package direct

import (
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cutter stands before a server and can lose what it answers.
type cutter struct {
	upstream string
	listener net.Listener
	dials    atomic.Int64
	cut      atomic.Bool // close both sides instead of carrying the next answer
	mute     atomic.Bool // carry no answer any more

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

// muteFor is how long a test waits for what nobody answers: all that comes before,
// such as the request itself, has time on a busy machine too.
const muteFor = 2 * time.Second

// behind returns a cutter before the server of a URL in the environment, and
// the URL of the same through it.
func behind(t *testing.T, variable string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(os.Getenv(variable))
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{upstream: u.Host}
	if c.listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	c.wg.Go(func() { c.accept(context.WithoutCancel(t.Context())) })
	t.Cleanup(func() {
		_ = c.listener.Close()
		c.closeAll()
		c.wg.Wait()
	})
	u.Host = c.listener.Addr().String()
	return c, u.String()
}

func (c *cutter) accept(ctx context.Context) {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.dials.Add(1)
		server, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, client, server)
		c.mu.Unlock()
		c.wg.Go(func() {
			_, _ = io.Copy(server, client)
			_, _ = server.Close(), client.Close()
		})
		c.wg.Go(func() {
			defer func() { _, _ = server.Close(), client.Close() }()
			buf := make([]byte, 64<<10)
			for {
				n, err := server.Read(buf)
				if err != nil || c.cut.CompareAndSwap(true, false) {
					return
				}
				if c.mute.Load() {
					continue
				}
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
		})
	}
}

// closeAll breaks all connections.
func (c *cutter) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}
