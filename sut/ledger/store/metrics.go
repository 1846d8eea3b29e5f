package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// Collector returns the metrics of the node's pool of connections, under the
// label pool with the given name.
func (n node) Collector(name string) prometheus.Collector {
	labels := prometheus.Labels{"pool": name}
	desc := func(metric, help string, variable ...string) *prometheus.Desc {
		return prometheus.NewDesc("ledger_db_pool_"+metric, help, variable, labels)
	}
	return &poolCollector{
		db:          n.db,
		connections: desc("connections", "Connections of the pool by what they do.", "state"),
		limit:       desc("connections_max", "The most connections that the pool may have."),
		writers:     desc("writers", "Connections that are writing."),
		writerLimit: desc("writers_max", "The most connections that may write at once."),
		acquires:    desc("acquires_total", "Connections taken from the pool."),
		waits:       desc("acquire_waits_total", "Connections taken that had to be waited for."),
		waited:      desc("acquire_wait_seconds_total", "Time spent waiting for connections."),
		refused:     desc("acquires_given_up_total", "Waits for a connection that were given up."),
		opened:      desc("opened_total", "Connections opened."),
	}
}

// poolCollector reads the state of a pool when asked, which takes a lock and
// no round trip.
type poolCollector struct {
	db                                                                                 database
	connections, limit, writers, writerLimit, acquires, waits, waited, refused, opened *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, ch)
}

// Collect implements [prometheus.Collector].
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.db.pool.Stat()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(c.connections, float64(s.IdleConns()), "idle")
	gauge(c.connections, float64(s.AcquiredConns()), "in_use")
	gauge(c.connections, float64(s.ConstructingConns()), "connecting")
	gauge(c.limit, float64(s.MaxConns()))
	gauge(c.writers, float64(len(c.db.writers)))
	gauge(c.writerLimit, float64(cap(c.db.writers)))
	count(c.acquires, float64(s.AcquireCount()))
	count(c.waits, float64(s.EmptyAcquireCount()))
	count(c.waited, s.EmptyAcquireWaitTime().Seconds())
	count(c.refused, float64(s.CanceledAcquireCount()))
	count(c.opened, float64(s.NewConnsCount()))
}

// A Lag measures how far the replicas lie behind the primary, time and again,
// and is the collector of the result. Where the path leads to several replicas
// each measurement is of one of them.
//
// A replica cannot tell by itself: while its connection to the primary is
// stalled it has replayed all that it knows of. So the primary's position is
// read first.
type Lag struct {
	primary *Primary
	replica *Replica
	every   time.Duration
	last    atomic.Pointer[lag] // nil while unknown

	seconds, bytes *prometheus.Desc
}

// lag is one measurement.
type lag struct {
	bytes   int64 // of write-ahead log
	seconds float64
}

// NewLag returns a measurement that [Lag.Run] repeats at the given interval.
func NewLag(primary *Primary, replica *Replica, every time.Duration) *Lag {
	return &Lag{
		primary: primary, replica: replica, every: every,
		seconds: prometheus.NewDesc("ledger_db_replication_lag_seconds",
			"Age of the last transaction that a replica has replayed, 0 if it has replayed them all.", nil, nil),
		bytes: prometheus.NewDesc("ledger_db_replication_lag_bytes",
			"Write-ahead log of the primary that a replica has not replayed.", nil, nil),
	}
}

// Run measures until ctx is done.
func (l *Lag) Run(ctx context.Context) {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for {
		measured, err := l.measure(ctx)
		if err != nil {
			measured = nil // better no number than an old one
		}
		l.last.Store(measured)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// measure takes one measurement.
func (l *Lag) measure(ctx context.Context) (*lag, error) {
	ctx, cancel := context.WithTimeout(ctx, l.every)
	defer cancel()
	var position string
	var ask pgx.Batch
	ask.Queue(`SELECT pg_current_wal_lsn()::text`).QueryRow(func(row pgx.Row) error { return row.Scan(&position) })
	if err := l.primary.db.ask(ctx, &ask); err != nil {
		return nil, fmt.Errorf("read position of primary: %w", err)
	}
	m := &lag{}
	ask = pgx.Batch{}
	ask.Queue(`
		SELECT behind, CASE WHEN behind = 0 THEN 0 ELSE
			coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END::float8
		FROM (SELECT CASE WHEN pg_is_in_recovery()
			THEN greatest($1::text::pg_lsn - pg_last_wal_replay_lsn(), 0) ELSE 0 END::bigint AS behind) AS replica`,
		position).QueryRow(func(row pgx.Row) error { return row.Scan(&m.bytes, &m.seconds) })
	if err := l.replica.db.ask(ctx, &ask); err != nil {
		return nil, fmt.Errorf("read position of replica: %w", err)
	}
	return m, nil
}

// Describe implements [prometheus.Collector].
func (l *Lag) Describe(ch chan<- *prometheus.Desc) {
	ch <- l.seconds
	ch <- l.bytes
}

// Collect implements [prometheus.Collector]. It reports the last measurement,
// and nothing if that failed.
func (l *Lag) Collect(ch chan<- prometheus.Metric) {
	m := l.last.Load()
	if m == nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(l.seconds, prometheus.GaugeValue, m.seconds)
	ch <- prometheus.MustNewConstMetric(l.bytes, prometheus.GaugeValue, float64(m.bytes))
}
