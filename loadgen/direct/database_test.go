package direct

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/proofload/proofload/loadgen"
)

// TestTransactionThatIsLeftOpen is refused, and its session given up: what other
// operations do there would seem to be acknowledged, and never be committed.
func TestTransactionThatIsLeftOpen(t *testing.T) {
	d, err := OpenDatabase(Config{URL: "postgres://u:p@" + backends(t) + "/db?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close(t.Context())
	for range 2 {
		_, o := d.Do(t.Context(), Statement{SQL: "BEGIN"})
		if o.Answer != loadgen.Refused || o.Class != loadgen.ClassOther || o.Said == nil || !strings.Contains(o.Said.Error(), "transaction") {
			t.Errorf("BEGIN: %+v, want a refusal that says why", o)
		}
		// The server is in a transaction for as long as the session lasts.
		if _, o = d.Do(t.Context(), Statement{SQL: "INSERT"}); o.Answer != loadgen.Done || o.Err != nil {
			t.Errorf("INSERT: %+v, want it done in a session of its own", o)
		}
	}
}

// backends is a server that carries out every statement, and knows BEGIN.
func backends(t *testing.T) (at string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				serveSession(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

func serveSession(conn net.Conn) {
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	status, tag := byte('I'), ""
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Parse:
			tag = m.Query
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			b.Send(&pgproto3.NoData{})
		case *pgproto3.Execute:
			if tag == "BEGIN" {
				status = 'T'
			}
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		case *pgproto3.Terminate:
			return
		}
	}
}
