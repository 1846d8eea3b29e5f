//go:build integration

package ledgertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// event returns the event that tells of a transfer, as a consumer has it.
func event(t domain.Transfer) store.TransferEvent {
	return store.TransferEvent{Key: "transfer.accepted:" + t.ID.String(), TransferID: t.ID}
}

func TestSettleIsIdempotent(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	var ids []uuid.UUID
	for range 5 {
		ids = append(ids, b.place(a[0], a[1], 1).ID)
	}
	stranger := uuid.New()
	if unknown, err := b.primary.Settle(t.Context(), append(ids[:3:3], stranger, ids[0])); err != nil || !slices.Equal(unknown, []uuid.UUID{stranger}) {
		t.Errorf("Settle = %v, %v; want %s unknown", unknown, err, stranger)
	}
	settled := all[time.Time](b, `SELECT settled_at FROM settlements ORDER BY transfer_id`)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if unknown, err := b.primary.Settle(t.Context(), ids); err != nil || len(unknown) != 0 {
				t.Errorf("Settle = %v, %v; want all known", unknown, err)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(ids[:3], func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	again := all[time.Time](b, `SELECT settled_at FROM settlements WHERE transfer_id = ANY($1) ORDER BY transfer_id`, ids[:3])
	if !slices.EqualFunc(settled, again, time.Time.Equal) {
		t.Errorf("settled at %v, later at %v; want no change", settled, again)
	}
	for _, id := range ids {
		if found, _, err := b.primary.FindTransfer(t.Context(), id); err != nil || found.Status != domain.Settled {
			t.Errorf("transfer = %+v, %v; want it settled", found, err)
		}
	}
	b.checkSums()
}

// TestRepeatedEffectsAreLogged sees to it that what changes nothing is written
// to the log all the same, so that its acknowledgement waits for a standby.
func TestRepeatedEffectsAreLogged(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	booked := b.place(a[0], a[1], 1)
	statement := domain.Statement{ID: uuid.New(), Account: a[0], From: time.Unix(0, 0), To: time.Now()}
	for name, effect := range map[string]func() error{
		"settle": func() error { _, err := b.primary.Settle(t.Context(), []uuid.UUID{booked.ID}); return err },
		"notify": func() error {
			_, err := b.primary.Notify(t.Context(), []store.TransferEvent{event(booked)})
			return err
		},
		"project": func() error {
			_, err := b.primary.Project(t.Context(), []store.TransferEvent{event(booked)})
			return err
		},
		"replay":  func() error { _, err := b.primary.Place(t.Context(), euros2(booked), store.Meta{}); return err },
		"request": func() error { _, err := b.primary.RequestStatement(t.Context(), statement, store.Meta{}); return err },
	} {
		if err := effect(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before := one[int64](b, `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`)
		xact := one[int64](b, `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint`)
		if err := effect(); err != nil {
			t.Fatalf("%s again: %v", name, err)
		}
		grown := one[int64](b, `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`) - before
		// Only a transaction that has an id writes a commit to the log.
		if n := one[int64](b, `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint`) - xact; n < 1 || grown == 0 {
			t.Errorf("%s again: %d transactions, %d bytes were logged; want some", name, n, grown)
		}
	}
}

// TestNotifyAndProject delivers events several times, at once, and in batches
// that overlap: each has its effect once.
func TestNotifyAndProject(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(3)
	const transfers, consumers = 20, 4
	events := make([]store.TransferEvent, transfers)
	for i := range events {
		events[i] = event(b.place(a[i%3], a[(i+1)%3], int64(1+i)))
	}
	for name, consume := range map[string]func(context.Context, []store.TransferEvent) (int, error){
		"Notify": b.primary.Notify, "Project": b.primary.Project,
	} {
		var fresh atomic.Int64
		var wg sync.WaitGroup
		for c := range consumers {
			wg.Go(func() {
				for i := range transfers {
					at := (i + c*5) % transfers
					batch := append(slices.Clone(events[at:min(at+7, transfers)]), events[at]) // one is in it twice
					n, err := consume(t.Context(), batch)
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					fresh.Add(int64(n))
				}
			})
		}
		wg.Wait()
		if fresh.Load() != transfers {
			t.Errorf("%s took %d events for new; want %d", name, fresh.Load(), transfers)
		}
	}
	b.checkNotifications()
	b.checkProjection()

	late := b.place(a[0], a[1], 1)
	for name, consume := range map[string]func(context.Context, []store.TransferEvent) (int, error){
		"Notify": b.primary.Notify, "Project": b.primary.Project,
	} {
		_, err := consume(t.Context(), []store.TransferEvent{event(late), event(euros(a[0], a[1], 1))})
		wantErr(t, name+" of a stranger", err, domain.ErrNotFound)
		if n, err := consume(t.Context(), []store.TransferEvent{event(late)}); n != 1 || err != nil {
			t.Errorf("%s after a refusal = %d, %v; want 1, for nothing was done", name, n, err)
		}
	}
	b.checkNotifications()
	b.checkProjection()
}

// TestLateEvents delivers events again after it was forgotten that they took
// effect, as a dead letter is that lay for long, and one that never did.
func TestLateEvents(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(3)
	const transfers = 12
	events := make([]store.TransferEvent, transfers)
	for i := range events {
		events[i] = event(b.place(a[i%3], a[(i+1)%3], int64(1+i)))
	}
	never := event(b.place(a[0], a[1], 100)) // it took no effect when it was young
	project := func(events ...store.TransferEvent) {
		t.Helper()
		if _, err := b.primary.Project(t.Context(), events); err != nil {
			t.Fatalf("Project: %v", err)
		}
	}
	notify := func(events ...store.TransferEvent) {
		t.Helper()
		if _, err := b.primary.Notify(t.Context(), events); err != nil {
			t.Fatalf("Notify: %v", err)
		}
	}
	project(events...)
	notify(append(events, never)...)
	b.age(store.EventsKept + 24*time.Hour)
	b.do(`UPDATE account_activity SET day = day - $1::int`, int(store.EventsKept/(24*time.Hour))+1)
	young := event(b.place(a[1], a[2], 7))
	project(young)
	notify(young)
	if _, err := b.primary.PurgeEvents(t.Context(), store.EventsKept, 1000); err != nil {
		t.Fatal(err)
	}
	if n := one[int64](b, `SELECT count(*) FROM consumed_events`); n != 2 {
		t.Fatalf("%d notes are left; want those of the young event", n)
	}
	project(events[:5]...)
	project(append(events[3:], never, young)...)
	notify(append(events, never, young)...)
	b.checkProjection()
	b.checkNotifications()

	// What is older than notifications are kept is not notified again.
	b.age(store.NotificationsKept)
	b.do(`DELETE FROM notifications`)
	b.do(`DELETE FROM consumed_events`)
	notify(append(events, never, young)...)
	if n := one[int64](b, `SELECT count(*) FROM notifications`); n != 0 {
		t.Errorf("%d notifications of transfers that are older than they are kept; want none", n)
	}
}

// age makes everything in the books older, by the rules put aside.
func (b *books) age(by time.Duration) {
	b.t.Helper()
	tx, err := b.db.Begin(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(b.t.Context())) }()
	if _, err = tx.Exec(b.t.Context(), `SET LOCAL session_replication_role = replica`); err != nil {
		b.t.Fatal(err)
	}
	for _, column := range []string{
		"transfers.created_at", "postings.created_at", "unsettled.created_at", "consumed_events.consumed_at", "notifications.created_at",
	} {
		table, name, _ := strings.Cut(column, ".")
		sql := `UPDATE ` + table + ` SET ` + name + ` = ` + name + ` - $1::bigint * interval '1 microsecond'`
		if _, err = tx.Exec(b.t.Context(), sql, by.Microseconds()); err != nil {
			b.t.Fatalf("%s: %v", sql, err)
		}
	}
	if err = tx.Commit(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func TestPurgeNotifications(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	var events []store.TransferEvent
	for range 4 {
		events = append(events, event(b.place(a[0], a[1], 1)))
	}
	if _, err := b.primary.Notify(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	b.do(`UPDATE notifications SET created_at = now() - interval '2 hours' WHERE id IN (SELECT id FROM notifications ORDER BY id LIMIT 5)`)
	for _, want := range []int64{3, 2, 0} { // of 8, at most 3 at once
		if n, err := b.primary.PurgeNotifications(t.Context(), time.Hour, 3); n != want || err != nil {
			t.Errorf("PurgeNotifications = %d, %v; want %d", n, err, want)
		}
	}
	if n := one[int64](b, `SELECT count(*) FROM notifications`); n != 3 {
		t.Errorf("%d notifications are left; want the 3 that are young", n)
	}
}

// checkNotifications expects one for each posting.
func (b *books) checkNotifications() {
	b.t.Helper()
	b.checkSame("notifications", `SELECT customer_id, account_id, transfer_id, amount FROM notifications`,
		`SELECT a.customer_id, a.id, p.transfer_id, p.amount FROM postings p JOIN accounts a ON a.id = p.account_id`)
}

// checkProjection expects the activity to say what the postings say.
func (b *books) checkProjection() {
	b.t.Helper()
	b.checkSame("activity", `SELECT account_id, day, transfers, debited, credited FROM account_activity`,
		`SELECT account_id, (created_at AT TIME ZONE 'UTC')::date, count(*), sum(greatest(-amount, 0)), sum(greatest(amount, 0))
			FROM postings GROUP BY 1, 2`)
}

// checkSame expects two queries to have the same rows.
func (b *books) checkSame(what, got, want string) {
	b.t.Helper()
	for _, diff := range all[string](b, `
		SELECT '-' || row::text FROM (`+want+` EXCEPT ALL `+got+`) AS row
		UNION ALL SELECT '+' || row::text FROM (`+got+` EXCEPT ALL `+want+`) AS row LIMIT 10`) {
		b.t.Errorf("%s (-want +got): %s", what, diff)
	}
}

// TestRelay publishes from several sides at once; each event goes out once,
// unless it was not confirmed.
func TestRelay(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	want := map[string]bool{}
	for range 30 {
		want[event(b.place(a[0], a[1], 1)).Key] = true
	}
	b.do(`UPDATE outbox SET correlation_id = 'c', traceparent = 't'`)
	var mu sync.Mutex
	published := map[string]int{}
	publish := func(_ context.Context, events []store.Event) (confirmed []int64, err error) {
		mu.Lock()
		defer mu.Unlock()
		for i, e := range events {
			if e.Topic != "transfer.accepted" || e.Correlation != "c" || e.Traceparent != "t" || !strings.Contains(string(e.Payload), `"from_version"`) {
				t.Errorf("event = %+v, %s", e, e.Payload)
			}
			if i%4 == 3 {
				err = errors.New("not confirmed")
				continue
			}
			published[e.Key]++
			confirmed = append(confirmed, e.ID)
		}
		return confirmed, err
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 5 {
				_, _ = b.primary.Relay(t.Context(), 4, publish) // what was not confirmed is an error
			}
		})
	}
	wg.Wait()
	for len(published) < len(want) {
		if n, err := b.primary.Relay(t.Context(), 4, publish); n == 0 {
			t.Fatalf("Relay = 0, %v with %d of %d published", err, len(published), len(want))
		}
	}
	for key := range want {
		if published[key] != 1 {
			t.Errorf("event %s was published %d times; want once", key, published[key])
		}
	}
	if n, err := b.primary.Relay(t.Context(), 4, publish); n != 0 || err != nil {
		t.Errorf("Relay of nothing = %d, %v", n, err)
	}
}

func TestPurgeEvents(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	var events []store.TransferEvent
	for range 10 {
		events = append(events, event(b.place(a[0], a[1], 1)))
	}
	if _, err := b.primary.Project(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	b.do(`UPDATE outbox SET created_at = now() - interval '2 hours', published_at = CASE WHEN id % 2 = 0 THEN now() END`)
	b.do(`UPDATE consumed_events SET consumed_at = now() - interval '2 hours' WHERE event_key < (SELECT max(event_key) FROM consumed_events)`)
	for _, want := range []int64{6, 5, 3, 0} { // 5 events and 9 notes, at most 3 of each at once
		if n, err := b.primary.PurgeEvents(t.Context(), time.Hour, 3); n != want || err != nil {
			t.Errorf("PurgeEvents = %d, %v; want %d", n, err, want)
		}
	}
	if n := one[int64](b, `SELECT count(*) FROM outbox WHERE published_at IS NULL`); n != 5 {
		t.Errorf("%d unpublished events are left; want 5", n)
	}
	if n := one[int64](b, `SELECT count(*) FROM consumed_events`); n != 1 {
		t.Errorf("%d notes are left; want the one that is young", n)
	}
}
