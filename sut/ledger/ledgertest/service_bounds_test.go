//go:build integration

package ledgertest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestServiceDrains tells an API process to end while a request is under way.
// It becomes unready and serves on, then finishes that request and ends.
func TestServiceDrains(t *testing.T) {
	s := startAPI(t, map[string]string{"LEDGER_DRAIN_DELAY": "2s", "LEDGER_SLOW_QUERY": "1ms"}).awaitReady()
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	release := c.lockAccount(a[0])
	id := uuid.New()
	underway := make(chan reply, 1)
	go func() { underway <- s.place(id, a[0], a[1], 5, nil) }()
	c.awaitBlocked()
	s.tell()
	eventually(t, "it drains", func() bool { return s.get("/readyz").text == "draining" })
	if got := s.get("/readyz?exclude=database&draining=404"); got.status != http.StatusNotFound {
		t.Errorf("what the load balancer is told = %d %s; want 404", got.status, got.text)
	}
	if got := s.get("/livez"); got.status != http.StatusOK {
		t.Errorf("/livez while draining = %d; want 200", got.status)
	}
	if got := s.get(accountURL(a[1])); got.status != http.StatusOK || !got.closed {
		t.Errorf("GET while draining = %d, connection closed %t; want 200, closed", got.status, got.closed)
	}
	eventually(t, "it refuses connections", func() bool { return !listens(t, s.url) })
	release()
	if got := <-underway; got.status != http.StatusCreated {
		t.Errorf("the request under way got %d %s; want 201", got.status, got.text)
	}
	s.stop()
	if n := s.logs.count(`"msg":"slow query"`, `"level":"WARN"`, "place_transfer"); n == 0 {
		t.Error("the log does not have the statement that waited")
	}
	if n := s.logs.count(id.String(), `"msg":"slow query"`); n != 0 {
		t.Error("the log of slow queries has values of parameters")
	}
}

// TestServiceSheds has an API process be asked for more than it does at once.
func TestServiceSheds(t *testing.T) {
	s := startAPI(t, map[string]string{"LEDGER_MAX_IN_FLIGHT": "1"}).awaitReady()
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	release := c.lockAccount(a[0])
	underway := make(chan reply, 1)
	go func() { underway <- s.place(uuid.New(), a[0], a[1], 5, nil) }()
	c.awaitBlocked()
	got := s.get(accountURL(a[1]))
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(got.text, "overloaded") {
		t.Errorf("GET = %d %s, Retry-After %q; want 503 overloaded", got.status, got.text, got.header.Get("Retry-After"))
	}
	for _, path := range []string{"/livez", "/readyz", "/healthz", "/metrics"} {
		if got := s.get(path); got.status != http.StatusOK {
			t.Errorf("GET %s = %d; want 200 whatever the load", path, got.status)
		}
	}
	release()
	if got := <-underway; got.status != http.StatusCreated {
		t.Errorf("the request under way got %d %s; want 201", got.status, got.text)
	}
	if got := s.get(accountURL(a[1])); got.status != http.StatusOK {
		t.Errorf("GET afterwards = %d %s; want 200", got.status, got.text)
	}
}
