//go:build integration

package ledgertest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/obs"
)

// A webhook notes what it is told.
type webhook struct {
	url string

	mu    sync.Mutex
	heard []obs.Notification
}

func newWebhook(t *testing.T) *webhook {
	t.Helper()
	h := &webhook{}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var note obs.Notification
		if err != nil || json.Unmarshal(body, &note) != nil {
			t.Errorf("webhook got %s: %v", body, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.heard = append(h.heard, note)
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

// about returns what was heard of a dependency.
func (h *webhook) about(dependency string) []obs.Notification {
	h.mu.Lock()
	defer h.mu.Unlock()
	var some []obs.Notification
	for _, n := range h.heard {
		if n.Attributes[obs.DependencyKey] == dependency {
			some = append(some, n)
		}
	}
	return some
}

// TestServiceWithoutDatabase cuts the database off from an API process, twice.
// The process lives, says what is wrong, answers at once, tells the webhook
// once, and is well again when the database is back.
func TestServiceWithoutDatabase(t *testing.T) {
	l, hook := newLink(t, databaseAddr(t)), newWebhook(t)
	through := through(t, dsn(t, databaseVar), l)
	s := startAPI(t, map[string]string{
		"LEDGER_DATABASE_URL": through, "LEDGER_DATABASE_RO_URL": through, "LEDGER_ALERT_WEBHOOK": hook.url,
	}).awaitReady()
	a := newCore(t, coreOptions{}).accounts(2)
	if got := s.place(uuid.New(), a[0], a[1], 1, nil); got.status != http.StatusCreated {
		t.Fatalf("PUT = %d %s; want 201", got.status, got.text)
	}
	for round := range 2 {
		l.cut()
		s.awaitOutage(a)
		l.heal()
		eventually(t, "the breaker is closed again", func() bool {
			status, dependencies := s.health()
			return status == "up" && dependencies["database"].Breaker == "closed"
		})
		s.awaitReady()
		eventually(t, "a transfer is placed", func() bool { return s.place(uuid.New(), a[0], a[1], 1, nil).status == http.StatusCreated })
		eventually(t, "the webhook heard", func() bool { return len(hook.about("database")) > 0 })
		if heard := hook.about("database"); len(heard) != 1 || heard[0].Service != "ledger-api" || heard[0].Attributes["to"] != "open" {
			t.Errorf("round %d: the webhook heard %+v; want once that the breaker of the database opened", round, heard)
		}
	}
	if got := s.metric(`ledger_breaker_opened_total{dependency="database"}`); got == "" || got == "0" {
		t.Errorf("ledger_breaker_opened_total of the database = %q; want more", got)
	}
	if n := s.logs.count(`"critical":true`, `"dependency":"database"`, `"to":"open"`); n != 2 {
		t.Errorf("the log has %d critical openings; want 2", n)
	}
}

// awaitOutage waits until a service without its database has noticed.
func (s *service) awaitOutage(accounts []int64) {
	s.t.Helper()
	eventually(s.t, "the breaker opened", func() bool {
		got := s.place(uuid.New(), accounts[0], accounts[1], 1, nil)
		if got.status != http.StatusServiceUnavailable && got.status != http.StatusGatewayTimeout {
			s.t.Errorf("PUT without a database = %d %s; want 503 or 504", got.status, got.text)
		}
		if got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") == "" {
			s.t.Error("a 503 has no Retry-After")
		}
		_, dependencies := s.health()
		return dependencies["database"].Breaker == "open"
	})
	eventually(s.t, "readiness is lost", func() bool {
		got := s.get("/readyz")
		return got.status == http.StatusServiceUnavailable && got.text == "waiting for database"
	})
	eventually(s.t, "the breaker is half-open", func() bool {
		_, dependencies := s.health()
		return dependencies["database"].Breaker == "half-open"
	})
	status, dependencies := s.health()
	if d := dependencies["database"]; status != "down" || d.State != "down" || d.LastError == "" || !d.Required {
		s.t.Errorf("/healthz = %s, database %+v; want down, with the reason", status, d)
	}
	if d := dependencies["redis"]; d.State != "up" || d.Breaker != "closed" {
		s.t.Errorf("/healthz says of Redis %+v; want up", d)
	}
	for path, want := range map[string]int{
		"/livez": http.StatusOK, "/readyz?exclude=database": http.StatusOK, "/healthz": http.StatusServiceUnavailable, "/metrics": http.StatusOK,
	} {
		if got := s.get(path); got.status != want {
			s.t.Errorf("GET %s = %d %s; want %d", path, got.status, got.text, want)
		}
	}
	if up := s.metric(`ledger_dependency_up{dependency="database"}`); up != "0" || s.metric("ledger_ready") != "0" {
		s.t.Errorf("ledger_dependency_up of the database = %q; want 0, and not ready", up)
	}
}

// TestServiceWithoutReplica cuts the replicas off from an API process. The
// primary answers for them.
func TestServiceWithoutReplica(t *testing.T) {
	l := newLink(t, databaseAddr(t))
	s := startAPI(t, map[string]string{"LEDGER_DATABASE_RO_URL": through(t, dsn(t, databaseVar), l)}).awaitReady()
	path := accountURL(newCore(t, coreOptions{}).accounts(1)[0]) + "?consistency=replica"
	l.cut()
	eventually(t, "the breaker of the replicas opened", func() bool {
		if got := s.get(path); got.status != http.StatusOK || got.header.Get("Ledger-Source") != "primary" {
			t.Errorf("GET = %d %s from %q; want 200 from the primary", got.status, got.text, got.header.Get("Ledger-Source"))
		}
		_, dependencies := s.health()
		return dependencies["replica"].Breaker == "open"
	})
	eventually(t, "it is degraded", func() bool {
		status, _ := s.health()
		return status == "degraded"
	})
	if got := s.get("/readyz"); got.status != http.StatusOK {
		t.Errorf("/readyz = %d %s; want 200", got.status, got.text)
	}
	l.heal()
	eventually(t, "the replicas are back", func() bool {
		status, dependencies := s.health()
		return status == "up" && dependencies["replica"].Breaker == "closed"
	})
}

// TestServiceWithoutRedis cuts Redis off from an API process, which goes on
// without it.
func TestServiceWithoutRedis(t *testing.T) {
	l := newLink(t, redisAddr(t))
	s := startAPI(t, map[string]string{"LEDGER_REDIS_URL": through(t, dsn(t, redisVar), l)}).awaitReady()
	a := newCore(t, coreOptions{}).accounts(2)
	l.cut()
	eventually(t, "the breaker of Redis opened", func() bool {
		if got := s.get(accountURL(a[0])); got.status != http.StatusOK || got.header.Get("Ledger-Source") != "primary" {
			t.Errorf("GET = %d %s from %q; want 200 from the primary", got.status, got.text, got.header.Get("Ledger-Source"))
		}
		_, dependencies := s.health()
		return dependencies["redis"].Breaker == "open"
	})
	eventually(t, "it is degraded", func() bool {
		status, _ := s.health()
		return status == "degraded"
	})
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/healthz": 200} {
		if got := s.get(path); got.status != want {
			t.Errorf("GET %s = %d %s; want %d", path, got.status, got.text, want)
		}
	}
	if got := s.place(uuid.New(), a[0], a[1], 1, nil); got.status != http.StatusCreated {
		t.Errorf("PUT = %d %s; want 201", got.status, got.text)
	}
	l.heal()
	eventually(t, "the account is served from the cache", func() bool {
		got := s.get(accountURL(a[0]))
		if !strings.Contains(got.text, `"balance":99999`) {
			t.Errorf("GET = %d %s; want a balance of 99999", got.status, got.text)
		}
		return got.header.Get("Ledger-Source") == "cache"
	})
}

// TestServiceWithoutBroker cuts the broker off from a worker process.
func TestServiceWithoutBroker(t *testing.T) {
	l, hook := newLink(t, brokerAddr(t)), newWebhook(t)
	s := startWorkerProcess(t, map[string]string{
		"LEDGER_AMQP_URL": through(t, dsn(t, amqpVar), l), "LEDGER_HEALTH_INTERVAL": "100ms", "LEDGER_ALERT_WEBHOOK": hook.url,
	}).awaitReady()
	l.cut()
	eventually(t, "readiness is lost", func() bool { return s.get("/readyz").text == "waiting for broker" })
	eventually(t, "the breaker opened", func() bool {
		status, dependencies := s.health()
		return status == "down" && dependencies["broker"].Breaker == "open"
	})
	if got := s.get("/livez"); got.status != http.StatusOK {
		t.Errorf("/livez = %d; want 200", got.status)
	}
	eventually(t, "the webhook heard", func() bool { return len(hook.about("broker")) == 1 })
	l.heal()
	s.awaitReady()
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	id := c.place(a[0], a[1], 1)
	eventually(t, "a transfer takes effect", func() bool { return c.effects(id) == once })
}

// TestServiceLosesQueue deletes a queue, to which nobody listens, under a worker
// process: it is told, seen in the health, and there again.
func TestServiceLosesQueue(t *testing.T) {
	hook, ch := newWebhook(t), openChannel(t)
	s := startWorkerProcess(t, map[string]string{
		"LEDGER_HEALTH_INTERVAL": "100ms", "LEDGER_ALERT_WEBHOOK": hook.url,
	}).awaitReady()
	queue := jobs.NewBroker(dsn(t, amqpVar), jobs.Options{}).DeadQueueName(jobs.StatementsQueue)
	if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the health says so", func() bool {
		_, dependencies := s.health()
		return strings.Contains(dependencies["broker"].LastError, "a queue is missing: "+queue)
	})
	eventually(t, "it is told", func() bool {
		return s.logs.count("queue was missing", `"critical":true`, `"queue":"statements.dead"`) == 1
	})
	eventually(t, "the webhook heard", func() bool { return hook.heardOf("queue was missing") == 1 })
	s.awaitReady()
	if _, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
		t.Errorf("the queue is still missing: %v", err)
	}
}

// heardOf returns how often a message that begins so was heard.
func (h *webhook) heardOf(message string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, note := range h.heard {
		if strings.HasPrefix(note.Message, message) {
			n++
		}
	}
	return n
}
