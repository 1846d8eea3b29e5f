//go:build integration

package probe

import (
	"os"
	"testing"

	"github.com/proofload/proofload/reports/history"
)

// TestDatabase probes real servers: the one at PROOFLOAD_TEST_DATABASE_URL, and
// its replica at PROOFLOAD_TEST_REPLICA_URL if there is one.
func TestDatabase(t *testing.T) {
	for variable, role := range map[string]string{"PROOFLOAD_TEST_DATABASE_URL": Primary, "PROOFLOAD_TEST_REPLICA_URL": Replica} {
		t.Run(role, func(t *testing.T) {
			url := os.Getenv(variable)
			if url == "" && role == Replica {
				t.Skip(variable + " is not set: the drills probe replicas")
			}
			d := newObserver(Target{Op: history.ProbeDatabase, URL: url})
			defer d.close(t.Context())
			for range 2 { // on a new connection and on the kept one
				var e history.Event
				if err := d.observe(t.Context(), &e); err != nil {
					t.Fatal(err)
				}
				if e.Role != role || e.Timeline < 1 || e.Value <= 0 {
					t.Errorf("observed %+v, want a %s with a timeline and a position", e, role)
				}
			}
		})
	}
}

// TestBooks takes snapshots of accounts that balance, and of some that do not.
func TestBooks(t *testing.T) {
	url := os.Getenv("PROOFLOAD_TEST_DATABASE_URL")
	conn, err := Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	d := &database{conn: conn, ask: readBooks}
	defer d.close(t.Context())
	for _, sql := range []string{
		"CREATE TEMPORARY TABLE accounts (balance bigint, opening bigint)",
		"INSERT INTO accounts VALUES (7, 10), (13, 10)",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var e history.Event
	if err := d.observe(t.Context(), &e); err != nil || e.Value != 0 || e.Count != 0 {
		t.Errorf("books that balance: off by %d, %d negative, %v", e.Value, e.Count, err)
	}
	if _, err := conn.Exec(t.Context(), "UPDATE accounts SET balance = -1 WHERE balance = 7"); err != nil {
		t.Fatal(err)
	}
	if err := d.observe(t.Context(), &e); err != nil || e.Value != -8 || e.Count != 1 {
		t.Errorf("books that do not: off by %d, %d negative, %v; want -8 and 1", e.Value, e.Count, err)
	}
}
