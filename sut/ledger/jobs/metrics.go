package jobs

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what happens to messages.
type metrics struct {
	delivered, settled, retried, dead, paused *prometheus.CounterVec   // by queue
	duration                                  *prometheus.HistogramVec // by queue
	depth                                     *prometheus.GaugeVec     // by queue
	connects                                  *prometheus.CounterVec   // by connection
	lost                                      *prometheus.CounterVec   // by queue
	relayed, unroutable                       prometheus.Counter
	lag                                       prometheus.GaugeFunc

	behindSince atomic.Int64 // Unix ns of the last look that found the outbox's end, 0 if none ever did
}

func newMetrics() *metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ledger_jobs_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		delivered: counter("delivered_total", "Deliveries taken from a queue.", "queue"),
		settled:   counter("settled_total", "Deliveries that took effect and were acknowledged.", "queue"),
		retried:   counter("retried_total", "Deliveries that failed and will be tried again.", "queue"),
		dead:      counter("dead_total", "Deliveries that became dead letters.", "queue"),
		paused:    counter("paused_total", "Times that consumption paused because database or broker were away.", "queue"),
		connects:  counter("connects_total", "Connections made to the broker, the first of each included.", "connection"),
		lost:      counter("queues_lost_total", "Times that a queue was missing which had been there.", "queue"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ledger_jobs_duration_seconds", Help: "Time a batch of deliveries took, from its first effect to its acknowledgement.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"queue"}),
		depth: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ledger_jobs_queue_messages", Help: "Messages ready in a queue, sampled every 15 s.",
		}, []string{"queue"}),
		unroutable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ledger_jobs_unroutable_total", Help: "Messages that the broker returned because no queue takes them.",
		}),
		relayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ledger_jobs_relayed_total", Help: "Events of the outbox that were published and confirmed.",
		}),
	}
	m.lag = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ledger_jobs_relay_lag_seconds",
		Help: "Time since everything in the outbox was seen published; no event waits longer. 0 where no relay runs.",
	}, m.relayLag)
	return m
}

// caughtUp notes that everything the outbox held at the given time is published.
func (m *metrics) caughtUp(at time.Time) { m.behindSince.Store(at.UnixNano()) }

// relayLag returns seconds.
func (m *metrics) relayLag() float64 {
	since := m.behindSince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since)).Seconds()
}

// queueMetrics are the metrics of one queue, looked up once.
type queueMetrics struct {
	delivered, settled, retried, dead, paused prometheus.Counter
	duration                                  prometheus.Observer
}

func (m *metrics) of(queue string) queueMetrics {
	return queueMetrics{
		delivered: m.delivered.WithLabelValues(queue), settled: m.settled.WithLabelValues(queue),
		retried: m.retried.WithLabelValues(queue), dead: m.dead.WithLabelValues(queue),
		paused: m.paused.WithLabelValues(queue), duration: m.duration.WithLabelValues(queue),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.delivered, m.settled, m.retried, m.dead, m.paused, m.duration, m.depth, m.connects, m.lost, m.relayed, m.unroutable, m.lag,
	}
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

// Collector returns the metrics of everything that this process does with the
// broker: ledger_jobs_*.
func (b *Broker) Collector() prometheus.Collector { return b.metrics }
