//go:build integration

package ledgertest

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut/ledger/store"
)

// catalogSQL lists whatever a schema consists of, a line for each thing.
const catalogSQL = `
	SELECT line FROM (
		SELECT 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull AS line
		FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND relkind IN ('r', 'p')
		UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conparentid = 0
		UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) || ' ' || indisvalid
		FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
		UNION ALL SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT 'function ' || oid::regprocedure || ' ' || md5(prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		UNION ALL SELECT 'sequence ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
	) AS catalog WHERE line NOT LIKE '%goose%' ORDER BY line`

func TestMigrateUpDownUp(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	url := newDatabase(t, "")
	steps, err := store.Migrations(t.Context(), url, log)
	if err != nil || len(steps) == 0 {
		t.Fatalf("Migrations = %v, %v; want some", steps, err)
	}
	newest := steps[len(steps)-1].Version
	up := func() {
		t.Helper()
		if v, err := store.Migrate(t.Context(), url, log); v != newest || err != nil {
			t.Fatalf("Migrate = %d, %v; want %d", v, err, newest)
		}
	}
	up()
	b := openBooks(t, url)
	first := all[string](b, catalogSQL)
	a := b.accounts(2)
	b.place(a[0], a[1], 5)
	up() // changes nothing
	if diff := cmp.Diff(first, all[string](b, catalogSQL)); diff != "" {
		t.Errorf("migrating twice differs:\n%s", diff)
	}
	for v := newest - 1; v >= 0; v-- {
		if left, err := store.MigrateDown(t.Context(), url, v, log); left != v || err != nil {
			t.Fatalf("MigrateDown to %d = %d, %v", v, left, err)
		}
		steps, err := store.Migrations(t.Context(), url, log)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			if applied := !s.Applied.IsZero(); applied != (s.Version <= v) {
				t.Errorf("at version %d: %s is applied: %t", v, s.Name, applied)
			}
		}
	}
	if left := all[string](b, catalogSQL); len(left) != 0 {
		t.Errorf("left of the schema: %v; want nothing", left)
	}
	up()
	if diff := cmp.Diff(first, all[string](b, catalogSQL)); diff != "" {
		t.Errorf("migrating down and up again differs:\n%s", diff)
	}
	a = b.accounts(2)
	b.place(a[0], a[1], 5)
}

func TestMigrateAtOnce(t *testing.T) {
	url := newDatabase(t, "")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if v, err := store.Migrate(t.Context(), url, slog.New(slog.DiscardHandler)); v < 1 || err != nil {
				t.Errorf("Migrate = %d, %v; want a version", v, err)
			}
		})
	}
	wg.Wait()
}

// TestPartitions finds the postings of a month in its partition, and adds
// partitions from several sides at once while transfers go on.
func TestPartitions(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	id := b.place(a[0], a[1], 1).ID
	now := one[time.Time](b, `SELECT now()`).UTC()
	name := "postings_" + now.Format("200601")
	if got := one[string](b, `SELECT DISTINCT tableoid::regclass::text FROM postings WHERE transfer_id = $1`, id); got != name {
		t.Errorf("postings are in %s; want %s", got, name)
	}
	months := func() int64 {
		t.Helper()
		return one[int64](b, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'postings'::regclass`) - 1 // the default
	}
	if n := months(); n != 3 {
		t.Errorf("%d months have a partition after migration; want this one and two more", n)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := b.primary.EnsurePartitions(t.Context(), 6); err != nil {
				t.Errorf("EnsurePartitions: %v", err)
			}
		})
	}
	for range 20 {
		b.place(a[0], a[1], 1)
	}
	wg.Wait()
	if n := months(); n != 7 {
		t.Errorf("%d months have a partition; want 7", n)
	}
	b.checkSums()
}
