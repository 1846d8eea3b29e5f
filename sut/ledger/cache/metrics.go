package cache

import "github.com/prometheus/client_golang/prometheus"

// The calls that are made to Redis.
const (
	callGet  = "get"
	callPut  = "put"
	callMark = "mark"
	callScan = "scan"
)

// What becomes of copies.
const (
	resultHit      = "hit"
	resultMiss     = "miss"
	resultStored   = "stored"
	resultOutdated = "outdated"
	resultTaken    = "taken"
	resultOwed     = "owed"
	resultError    = "error"
)

// metrics count what the cache is good for.
type metrics struct {
	gets, puts, invalidations *prometheus.CounterVec   // by kind and result
	duration                  *prometheus.HistogramVec // by call
	sweeps                    prometheus.Counter
	others                    []prometheus.Collector // read when asked
}

func newMetrics(c *Cache) *metrics {
	byKind := func(name, help string, results ...string) *prometheus.CounterVec {
		counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ledger_cache_" + name, Help: help}, []string{"kind", "result"})
		for _, kind := range Kinds() { // a series that is not there yet cannot be seen to rise
			for _, result := range results {
				counter.WithLabelValues(string(kind), result)
			}
		}
		return counter
	}
	connections := func(state string, count func() uint32) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ledger_cache_connections", Help: "Connections to Redis by what they do.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return float64(count()) })
	}
	return &metrics{
		gets:          byKind("gets_total", "Copies asked for.", resultHit, resultMiss, resultError),
		puts:          byKind("puts_total", "Copies to be stored.", resultStored, resultOutdated, resultError),
		invalidations: byKind("invalidations_total", "Things whose copies were invalidated.", resultTaken, resultOwed),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ledger_cache_call_duration_seconds", Help: "Time that calls to Redis took.",
			Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25},
		}, []string{"kind", "call"}),
		sweeps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ledger_cache_sweeps_total", Help: "Times that all copies were invalidated, because too many invalidations were owed.",
		}),
		others: []prometheus.Collector{
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "ledger_cache_owed_invalidations", Help: "Invalidations that Redis did not take yet.",
			}, func() float64 { return float64(c.debts.size()) }),
			connections("idle", func() uint32 { return c.rdb.PoolStats().IdleConns }),
			connections("in_use", func() uint32 {
				s := c.rdb.PoolStats()
				return s.TotalConns - min(s.IdleConns, s.TotalConns)
			}),
			prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "ledger_cache_connection_timeouts_total", Help: "Waits for a connection to Redis that were given up.",
			}, func() float64 { return float64(c.rdb.PoolStats().Timeouts) }),
		},
	}
}

func (m *metrics) get(kind Kind, result string) { m.gets.WithLabelValues(string(kind), result).Inc() }

func (m *metrics) put(kind Kind, result string) { m.puts.WithLabelValues(string(kind), result).Inc() }

func (m *metrics) invalidation(kind Kind, result string) {
	m.invalidations.WithLabelValues(string(kind), result).Inc()
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.gets, m.puts, m.invalidations, m.duration, m.sweeps}, m.others...)
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(descs chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(descs)
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(out)
	}
}

// Collector returns the metrics of the cache: ledger_cache_*.
func (c *Cache) Collector() prometheus.Collector { return c.metrics }
