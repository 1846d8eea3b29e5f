//go:build integration

package ledgertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger"
	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/obs"
)

// A service is a whole process, run in this one as the command runs it: from
// the environment to the end.
type service struct {
	t    *testing.T
	url  string
	logs *logBuffer

	// stop tells the process to end and waits until it has.
	stop func()
	// tell only tells it.
	tell func()
}

// startAPI starts an API process. Variables replace those that lead to the
// tests' servers.
func startAPI(t *testing.T, variables map[string]string) *service {
	t.Helper()
	return start(t, ledger.API, ledger.RunAPI, variables)
}

// startWorker starts a worker process, as startAPI does.
func startWorkerProcess(t *testing.T, variables map[string]string) *service {
	t.Helper()
	return start(t, ledger.Worker, ledger.RunWorker, variables)
}

func start(
	t *testing.T, command ledger.Command, run func(context.Context, ledger.Config, io.Writer) error, variables map[string]string,
) *service {
	t.Helper()
	if err := migrated(); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{
		"LEDGER_INSTANCE":        map[ledger.Command]string{ledger.API: "api-1", ledger.Worker: "worker-1"}[command],
		"LEDGER_LISTEN":          unusedAddress(t),
		"LEDGER_DATABASE_URL":    dsn(t, databaseVar),
		"LEDGER_DATABASE_RO_URL": dsn(t, databaseVar),
		"LEDGER_REDIS_URL":       dsn(t, redisVar),
		"LEDGER_AMQP_URL":        dsn(t, amqpVar),
		"LEDGER_RELAY_INTERVAL":  "20ms",
		"LEDGER_DRAIN_DELAY":     "0s",
		"LEDGER_LOG_LEVEL":       "debug",
	}
	maps.Copy(environment, variables)
	cfg, err := ledger.LoadConfig(command, func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &service{t: t, url: "http://" + cfg.Listen, logs: &logBuffer{}, tell: cancel}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, s.logs) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the process ended with %v; want nil", err)
		}
		if t.Failed() {
			_, _ = t.Output().Write(s.logs.bytes())
		}
	})
	t.Cleanup(s.stop)
	eventually(t, s.url+" listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the process ended with %v", err)
		default:
		}
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", cfg.Listen)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return s
}

func unusedAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// awaitReady waits until the process is ready.
func (s *service) awaitReady() *service {
	s.t.Helper()
	eventually(s.t, s.url+" is ready", func() bool { return s.get("/readyz").status == http.StatusOK })
	return s
}

// reply is an answer of a service.
type reply struct {
	status int
	header http.Header
	text   string
	closed bool // the connection is not to be used again
}

func (s *service) get(path string) reply { s.t.Helper(); return s.send(http.MethodGet, path, "", nil) }

// send sends a request and reads the answer to its end.
func (s *service) send(method, path, body string, header http.Header) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
		return reply{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSpace(string(text)), resp.Close}
}

// place places a transfer.
func (s *service) place(id uuid.UUID, from, to, amount int64, header http.Header) reply {
	s.t.Helper()
	return s.send(http.MethodPut, "/v2/transfers/"+id.String(),
		fmt.Sprintf(`{"from":%d,"to":%d,"amount":%d,"currency":"EUR"}`, from, to, amount), header)
}

// health is what /healthz says, by dependency.
func (s *service) health() (status string, dependencies map[string]dependency) {
	s.t.Helper()
	var report struct {
		Status       string
		Dependencies []dependency
	}
	text := s.get("/healthz").text
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		s.t.Fatalf("/healthz answered %s: %v", text, err)
	}
	dependencies = map[string]dependency{}
	for _, d := range report.Dependencies {
		dependencies[d.Name] = d
	}
	return report.Status, dependencies
}

type dependency struct {
	Name, State, Breaker, Since string
	Required                    bool
	CheckedAt                   string `json:"checked_at"`
	LastError                   string `json:"last_error"`
}

// metric returns the value of a series as it is written, "" if there is none.
func (s *service) metric(series string) string {
	s.t.Helper()
	for line := range strings.Lines(s.get("/metrics").text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// A logBuffer keeps log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements [io.Writer].
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

// count returns how many lines have all of the texts in them.
func (b *logBuffer) count(texts ...string) int {
	n := 0
	for line := range strings.Lines(string(b.bytes())) {
		has := true
		for _, text := range texts {
			has = has && strings.Contains(line, text)
		}
		if has {
			n++
		}
	}
	return n
}

// listens reports whether somebody takes connections.
func listens(t *testing.T, url string) bool {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// lockAccount keeps everybody from changing an account until the returned
// function is called.
func (c *core) lockAccount(id int64) (release func()) {
	c.t.Helper()
	tx, err := c.db.Begin(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = tx.Rollback(context.WithoutCancel(c.t.Context())) })
	c.t.Cleanup(release)
	if _, err := tx.Exec(c.t.Context(), `SELECT FROM accounts WHERE id = $1 FOR UPDATE`, id); err != nil {
		c.t.Fatal(err)
	}
	return release
}

// awaitBlocked waits until somebody waits for a row.
func (c *core) awaitBlocked() {
	c.t.Helper()
	eventually(c.t, "somebody waits for a row", func() bool {
		return column[int64](c, `SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')`) > 0
	})
}

// bury sends the settlement of the worker processes a message of any text.
func bury(t *testing.T, text string) {
	t.Helper()
	broker := jobs.NewBroker(dsn(t, amqpVar), jobs.Options{})
	err := openChannel(t).PublishWithContext(t.Context(), "", broker.QueueName(jobs.SettlementQueue), true, false, amqp.Publishing{
		MessageId: uuid.NewString(), Body: []byte(text), Headers: amqp.Table{obs.CorrelationHeader: "corr-poison"},
	})
	if err != nil {
		t.Fatal(err)
	}
}
