//go:build integration

package ledgertest

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// A frontend is a way to the database that looks at what clients send, for what
// would outlive a transaction. Behind a pooler in transaction mode the next
// transaction meets another session.
type frontend struct {
	t    *testing.T
	addr string

	mu       sync.Mutex
	messages int
	lasting  []string
}

func newFrontend(t *testing.T) *frontend {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the test's clean-up
	if err != nil {
		t.Fatal(err)
	}
	f := &frontend{t: t, addr: ln.Addr().String()}
	upstream := databaseAddr(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.serve(client, upstream) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait() // the connections end with their pools
	})
	return f
}

func (f *frontend) serve(client net.Conn, upstream string) {
	defer client.Close()
	server, err := net.Dial("tcp", upstream) //nolint:noctx // closed when the client hangs up
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	defer server.Close()
	for kind := 0; ; kind = 1 { // the first message has none
		head := make([]byte, kind+4)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[kind:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if kind == 1 {
			f.look(head[0], body)
		}
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
	}
}

// look looks at one message.
func (f *frontend) look(kind byte, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages++
	first, rest, _ := bytes.Cut(body, []byte{0})
	switch kind {
	case 'P': // Parse: the name of the statement, its text. Of names the pooler keeps track.
		text, _, _ := bytes.Cut(rest, []byte{0})
		if lasts(string(text)) {
			f.lasting = append(f.lasting, string(text))
		}
	case 'Q': // Query: statements
		if lasts(string(first)) {
			f.lasting = append(f.lasting, string(first))
		}
	}
}

// lasts reports whether a statement changes its session.
func lasts(sql string) bool {
	sql = strings.ToUpper(strings.TrimSpace(sql))
	for _, begins := range []string{"SET SESSION", "LISTEN", "PREPARE", "DECLARE", "CREATE TEMP"} {
		if strings.HasPrefix(sql, begins) {
			return true
		}
	}
	return strings.HasPrefix(sql, "SET ") && !strings.HasPrefix(sql, "SET LOCAL ") ||
		strings.Contains(sql, "PG_ADVISORY_LOCK(")
}

// TestServicePooling runs both processes and looks for anything that a pooler
// in transaction mode would break: statements prepared by PREPARE, settings of
// the session, locks of the session.
func TestServicePooling(t *testing.T) {
	f := newFrontend(t)
	variables := map[string]string{}
	for _, name := range []string{"LEDGER_DATABASE_URL", "LEDGER_DATABASE_RO_URL"} {
		variables[name] = through(t, dsn(t, databaseVar), &link{addr: f.addr})
	}
	api := startAPI(t, variables).awaitReady()
	startWorkerProcess(t, variables).awaitReady()
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	id := uuid.New()
	for range 2 { // the second time it is a repetition
		if got := api.place(id, a[0], a[1], 5, nil); got.status/100 != 2 {
			t.Errorf("PUT = %d %s; want a success", got.status, got.text)
		}
	}
	for _, path := range []string{
		accountURL(a[0]) + "?consistency=strong", accountURL(a[0]) + "?consistency=replica", "/v2/transfers?limit=1", "/v2/customers?limit=1",
		"/v2/accounts?limit=1", "/v2/statements?limit=1",
	} {
		if got := api.get(path); got.status != http.StatusOK {
			t.Errorf("GET %s = %d %s; want 200", path, got.status, got.text)
		}
	}
	eventually(t, "the transfer takes effect", func() bool { return c.effects(id) == once })
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.messages < 100 {
		t.Errorf("only %d messages were seen", f.messages)
	}
	if len(f.lasting) > 0 {
		t.Errorf("what outlives a transaction:\n%s", strings.Join(f.lasting, "\n"))
	}
}
