//go:build integration

package ledgertest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/resilience"
	"github.com/proofload/proofload/sut/ledger/store"
)

// TestServiceSilentReplica has the way to the replica go silent, with all its
// connections open: whoever asked for the replica is answered by the primary,
// within the time of the request. Should a read wait for the replica longer
// than that, it would be answered with 504.
func TestServiceSilentReplica(t *testing.T) {
	b := newBooks(t)
	l := newLink(t, databaseAddr(t))
	s, svc := serveBooks(t, b, map[string]string{
		"LEDGER_DATABASE_RO_URL": through(t, b.url, l), "LEDGER_REQUEST_TIMEOUT": "2s", "LEDGER_HEALTH_INTERVAL": "100ms",
	})
	svc.awaitReady()
	a := s.accounts(2)
	placed := s.put(a[0], a[1], 5)
	reads := []string{
		fmt.Sprintf("/v2/accounts/%d?consistency=replica", a[0]), placed + "?consistency=replica", "/v2/accounts?consistency=replica",
		fmt.Sprintf("/v2/transfers?consistency=replica&account=%d", a[0]), "/v2/customers?consistency=replica",
		"/v2/statements?consistency=replica", "/v2/notifications?consistency=replica",
		fmt.Sprintf("/v1/accounts/%d?consistency=replica", a[0]),
	}
	for _, path := range reads {
		wantStatus(t, s.read(path), http.StatusOK)
	}
	eventually(t, "the replica is up", func() bool { _, d := svc.health(); return d["replica"].State == "up" })
	l.fallSilent()
	for range 2 {
		for _, path := range reads {
			if r := s.read(path); r.status != http.StatusOK || r.header.Get("Ledger-Source") != "primary" {
				t.Errorf("GET %s of a silent replica = %d from %q: %s", path, r.status, r.header.Get("Ledger-Source"), r.text)
			}
		}
	}
	eventually(t, "the replica is known to be down", func() bool {
		_, d := svc.health()
		return d["replica"].State == "down" && d["replica"].Breaker != resilience.Closed.String()
	})
	if r := s.read("/readyz"); r.status != http.StatusOK {
		t.Errorf("/readyz = %d; want 200, for the primary answers", r.status)
	}
	written := s.ask(http.MethodPut, "/v2/transfers/"+uuid.NewString(), transferBody(a[0], a[1], 1))
	wantStatus(t, written, http.StatusCreated)
	r := s.read(reads[0], "Ledger-Position", written.header.Get("Ledger-Position"))
	wantFields(t, r, document{"balance": float64(opening - 6)})
	l.speak()
	eventually(t, "the replica is up again", func() bool {
		_, d := svc.health()
		return d["replica"].State == "up" && d["replica"].Breaker == resilience.Closed.String()
	})
	wantStatus(t, s.read(reads[0]), http.StatusOK)
}

// TestUpkeepKnowsTheBreaker has what a worker does besides its jobs meet a
// database that is gone: that counts against it, and it is then left alone.
func TestUpkeepKnowsTheBreaker(t *testing.T) {
	b := newBooks(t)
	l := newLink(t, databaseAddr(t))
	l.cut()
	options := func(name string) store.Options {
		return store.Options{
			MaxConns: 2, AcquireTimeout: time.Second, TxTimeout: time.Second,
			Breaker: resilience.NewBreaker(resilience.Settings{Name: name, OpenFor: time.Hour}),
		}
	}
	primary, replica := options("database"), options("replica")
	gone, err := store.OpenPrimary(t.Context(), through(t, b.url, l), primary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gone.Close)
	eventually(t, "the care for partitions opens the breaker", func() bool {
		if gone.EnsurePartitions(t.Context(), 1) == nil {
			t.Fatal("EnsurePartitions = nil; want an error")
		}
		return primary.Breaker.State() == resilience.OpenState
	})
	away, err := store.OpenReplica(t.Context(), through(t, b.url, l), replica)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	background(t, store.NewLag(b.primary, away, 20*time.Millisecond).Run)
	eventually(t, "the measurement of lag opens the breaker", func() bool { return replica.Breaker.State() == resilience.OpenState })
}
