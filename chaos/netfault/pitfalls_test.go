package netfault

import (
	"net"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
)

// TestFrozenReceiver freezes a server behind a link that is slow, until nobody
// takes any more data. The link is mended in time all the same, whichever of
// the two is mended first, and broken again.
func TestFrozenReceiver(t *testing.T) {
	for _, thaws := range []bool{false, true} {
		server := chaostest.NewLocal(t, "pg-1")
		env := newLinkEnvTo(t, server.Addr("pg-1"), testLink)
		slow := func() chaos.Injection {
			in, _ := inject(t, env, kind(t, kindLatency), chaos.Params{Target: env.selection(testLink), Values: map[string]string{"delay": "10ms"}})
			return in
		}
		first := slow()
		if err := server.Pause(t.Context(), "pg-1"); err != nil {
			t.Fatal(err)
		}
		fill(t, env.ports[testLink])
		second := slow() // while no data moves
		if thaws {
			if err := server.Resume(t.Context(), "pg-1"); err != nil {
				t.Fatal(err)
			}
		}
		for _, in := range []chaos.Injection{first, second} {
			if err := in.Recover(deadline(t, 10*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if !thaws {
			if err := server.Resume(t.Context(), "pg-1"); err != nil {
				t.Fatal(err)
			}
		}
		chaostest.Whole(t, env.broken(testLink))
	}
}

// fill sends to an address until nobody takes more.
func fill(t *testing.T, addr string) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for chunk := make([]byte, 64<<10); err == nil; {
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		_, err = c.Write(chunk)
	}
}
