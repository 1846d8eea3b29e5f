//go:build integration

package ledgertest

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/cache"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/ledger/payments"
	"github.com/proofload/proofload/sut/ledger/resilience"
	"github.com/proofload/proofload/sut/ledger/store"
)

const openingBalance = 100_000

// core is a ledger without its HTTP interface, and the way to what is below it.
type core struct {
	t       *testing.T
	db      *pgxpool.Pool
	rdb     *redis.Client
	primary *store.Primary
	cache   *cache.Cache
	ledger  *payments.Ledger
}

// coreOptions change what a core is made of.
type coreOptions struct {
	databaseURL string
	redisURL    string
	breaker     *resilience.Breaker // of the cache
	tracer      trace.Tracer
}

func newCore(t *testing.T, opts coreOptions) *core {
	t.Helper()
	if err := migrated(); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	db, err := pgxpool.New(ctx, dsn(t, databaseVar))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	redisOpts, err := redis.ParseURL(dsn(t, redisVar))
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(redisOpts)
	t.Cleanup(func() { _ = rdb.Close() })
	url := cmp.Or(opts.databaseURL, dsn(t, databaseVar))
	storeOpts := store.Options{MaxConns: 10, AcquireTimeout: 2 * time.Second, TxTimeout: timeout, Spans: opts.tracer}
	primary, err := store.OpenPrimary(ctx, url, storeOpts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Close)
	replica, err := store.OpenReplica(ctx, url, storeOpts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(replica.Close)
	c, err := cache.Open(cmp.Or(opts.redisURL, dsn(t, redisVar)), cache.Options{Breaker: opts.breaker, Tracer: opts.tracer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	background(t, c.Run)
	return &core{t: t, db: db, rdb: rdb, primary: primary, cache: c, ledger: payments.New(primary, replica, c, timeout)}
}

// accounts opens accounts with money, each of a customer of its own.
func (c *core) accounts(n int) []int64 {
	c.t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = column[int64](c, `
			WITH customer AS (INSERT INTO customers (request_hash, name, email, status)
				VALUES ('', 'Test', gen_random_uuid() || '@example.com', 'active') RETURNING id)
			INSERT INTO accounts (customer_id, request_hash, currency, status, opening, balance)
			SELECT id, '', 'EUR', 'open', $1, $1 FROM customer RETURNING id`, openingBalance)
	}
	return ids
}

// place places a transfer and returns its id.
func (c *core) place(from, to, amount int64) uuid.UUID {
	c.t.Helper()
	id := uuid.New()
	if _, err := c.ledger.Place(c.t.Context(), transfer(id, from, to, amount)); err != nil {
		c.t.Fatalf("place transfer: %v", err)
	}
	return id
}

func transfer(id uuid.UUID, from, to, amount int64) domain.Transfer {
	return domain.Transfer{ID: id, From: from, To: to, Amount: amount, Currency: "EUR"}
}

// do executes a statement past the ledger.
func (c *core) do(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.db.Exec(context.WithoutCancel(c.t.Context()), sql, args...); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

// column returns the only column of the only row.
func column[T any](c *core, sql string, args ...any) T {
	c.t.Helper()
	rows, err := c.db.Query(c.t.Context(), sql, args...)
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// effects are what became of a transfer.
type effects struct{ Settlements, Notifications int64 }

var once = effects{Settlements: 1, Notifications: 2} // one for either side

func (c *core) effects(id uuid.UUID) effects {
	c.t.Helper()
	return effects{
		column[int64](c, `SELECT count(*) FROM settlements WHERE transfer_id = $1`, id),
		column[int64](c, `SELECT count(*) FROM notifications WHERE transfer_id = $1`, id),
	}
}

// activity is what the projection says of an account, over all days.
type activity struct{ Transfers, Debited, Credited int64 }

func (c *core) activity(account int64) activity {
	c.t.Helper()
	get := func(of string) int64 {
		return column[int64](c, `SELECT coalesce(sum(`+of+`), 0)::bigint FROM account_activity WHERE account_id = $1`, account)
	}
	return activity{get("transfers"), get("debited"), get("credited")}
}

// awaitEffects waits until the transfers took effect, everywhere, and checks
// that none did so twice. Between them the accounts have no other transfers.
func (c *core) awaitEffects(accounts []int64, ids ...uuid.UUID) {
	c.t.Helper()
	for _, id := range ids {
		eventually(c.t, "transfer "+id.String()+" takes effect", func() bool { return c.effects(id) == once })
	}
	var want int64
	for _, a := range accounts {
		want += column[int64](c, `SELECT count(*) FROM postings WHERE account_id = $1`, a)
	}
	eventually(c.t, "the activity includes all transfers", func() bool {
		var got int64
		for _, a := range accounts {
			got += c.activity(a).Transfers
		}
		if got > want {
			c.t.Fatalf("the activity counts %d postings; there are %d", got, want)
		}
		return got == want
	})
}

// workerOptions say which parts of a worker run.
type workerOptions struct {
	jobs.Options
	url     string // of the broker
	noRelay bool
	noJobs  bool
}

// startWorker runs a worker on queues of its own until the test ends, and
// returns once it consumes from all of them.
func (c *core) startWorker(opts workerOptions) *jobs.Broker {
	c.t.Helper()
	opts.url = cmp.Or(opts.url, dsn(c.t, amqpVar))
	if opts.Name == "" {
		opts.Name = "test-" + uuid.NewString()[:8]
		c.t.Cleanup(func() { removeQueues(c.t, opts.Options) })
	}
	if opts.RetryDelays == nil {
		opts.RetryDelays = []time.Duration{20 * time.Millisecond, 40 * time.Millisecond}
	}
	opts.Log = slog.New(slog.NewTextHandler(c.t.Output(), nil)) // shown if the test fails
	broker := jobs.NewBroker(opts.url, opts.Options)
	c.t.Cleanup(func() { _ = broker.Close() })
	if err := broker.Check(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	if !opts.noRelay {
		relay := &jobs.Relay{Ledger: c.primary, Broker: broker, Interval: 10 * time.Millisecond, Log: opts.Log}
		background(c.t, relay.Run)
	}
	if opts.noJobs {
		return broker
	}
	var mu sync.Mutex
	consumed := map[string]bool{}
	background(c.t, func(ctx context.Context) {
		broker.Consume(ctx, func(queue string) {
			mu.Lock()
			defer mu.Unlock()
			consumed[queue] = true
		}, jobs.Settlement(c.primary, c.cache), jobs.Notifications(c.primary), jobs.Projection(c.primary),
			jobs.Statements(c.primary, 2, time.Second))
	})
	eventually(c.t, "all queues are consumed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(consumed) == len(jobs.Queues())
	})
	return broker
}

// removeQueues removes what a broker declared.
func removeQueues(t *testing.T, opts jobs.Options) {
	t.Helper()
	ch := openChannel(t)
	broker := jobs.NewBroker(dsn(t, amqpVar), opts)
	queues := make([]string, 0, 2*len(jobs.Queues())+len(opts.RetryDelays))
	for _, queue := range jobs.Queues() {
		queues = append(queues, broker.QueueName(queue), broker.DeadQueueName(queue))
	}
	for level := range opts.RetryDelays {
		queues = append(queues, opts.Name+".retry."+strconv.Itoa(level+1))
	}
	for _, queue := range queues {
		if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
			t.Error(err)
		}
	}
	for _, exchange := range []string{"", ".retry", ".dead"} {
		if err := ch.ExchangeDelete(opts.Name+exchange, false, false); err != nil {
			t.Error(err)
		}
	}
}

// openChannel opens a channel to the broker, for the test itself.
func openChannel(t *testing.T) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(dsn(t, amqpVar))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// tap returns copies of what an exchange takes that matches.
func tap(t *testing.T, exchange, key string, match amqp.Table) <-chan amqp.Delivery {
	t.Helper()
	ch := openChannel(t)
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = ch.QueueBind(q.Name, key, exchange, false, match); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.ConsumeWithContext(context.WithoutCancel(t.Context()), q.Name, "", true, true, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return deliveries
}

// next waits for a delivery.
func next(t *testing.T, deliveries <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, open := <-deliveries:
		if !open {
			t.Fatal("the broker ended the deliveries")
		}
		return d
	case <-time.After(timeout):
		t.Fatal("gave up waiting for a message")
		return amqp.Delivery{}
	}
}

// value returns the sum of the series of a metric that have the labels, each
// given as name=value; of a histogram the count.
func value(t *testing.T, c prometheus.Collector, name string, labels ...string) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := map[string]bool{}
			for _, l := range m.GetLabel() {
				has[l.GetName()+"="+l.GetValue()] = true
			}
			matches := true
			for _, l := range labels {
				matches = matches && has[l]
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// failing has the database refuse rows of a table, under a condition on NEW,
// until the returned function is called.
func (c *core) failing(table, condition, message string) (mend func()) {
	c.t.Helper()
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	c.do(`CREATE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN IF ` + condition + ` THEN RAISE EXCEPTION '` + message + `'; END IF; RETURN NEW; END $$`)
	c.do(`CREATE TRIGGER ` + name + ` BEFORE INSERT ON ` + table + ` FOR EACH ROW EXECUTE FUNCTION ` + name + `()`)
	mend = sync.OnceFunc(func() { c.do(`DROP FUNCTION ` + name + ` CASCADE`) })
	c.t.Cleanup(mend)
	return mend
}

// lockTable keeps everybody from writing to a table until the returned function
// is called.
func (c *core) lockTable(table string) (release func()) {
	c.t.Helper()
	tx, err := c.db.Begin(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = tx.Rollback(context.WithoutCancel(c.t.Context())) })
	c.t.Cleanup(release)
	if _, err := tx.Exec(c.t.Context(), `LOCK TABLE `+table+` IN EXCLUSIVE MODE`); err != nil {
		c.t.Fatal(err)
	}
	return release
}

// awaitLockWait waits until somebody waits for a lock on a table.
func (c *core) awaitLockWait(table string) {
	c.t.Helper()
	eventually(c.t, "somebody waits for "+table, func() bool {
		return column[int64](c, `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass`, table) > 0
	})
}
