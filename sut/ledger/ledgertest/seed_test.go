//go:build integration

package ledgertest

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/proofload/proofload/sut/ledger/store"
)

func TestMigrateAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			v, err := store.Migrate(t.Context(), dsn(t, databaseVar), slog.New(slog.DiscardHandler))
			if v < 1 || err != nil {
				t.Errorf("Migrate = %d, %v; want a version", v, err)
			}
		})
	}
	wg.Wait()
}

func TestSeed(t *testing.T) {
	r := newRig(t, options{})
	const n = 50
	if _, err := store.Seed(t.Context(), dsn(t, databaseVar), n, "EUR", opening); err != nil {
		t.Fatal(err)
	}
	before := query[int64](r, `SELECT sum(balance)::bigint FROM accounts WHERE id <= $1`, n)
	created, err := store.Seed(t.Context(), dsn(t, databaseVar), n, "EUR", 7)
	if created != 0 || err != nil {
		t.Errorf("second Seed = %d, %v; want nothing created", created, err)
	}
	after := query[int64](r, `SELECT sum(balance)::bigint FROM accounts WHERE id <= $1`, n)
	if count := query[int64](r, `SELECT count(*) FROM accounts WHERE id <= $1`, n); count != n || after != before {
		t.Errorf("%d accounts with %d; want %d with %d", count, after, n, before)
	}
}
