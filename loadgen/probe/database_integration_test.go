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
