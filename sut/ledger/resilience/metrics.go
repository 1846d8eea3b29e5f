package resilience

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector returns the metrics of the breakers, one series of each for a
// dependency:
//
//	ledger_breaker_state          0 closed, 1 half-open, 2 open
//	ledger_breaker_refused_total  calls that were not made
//	ledger_breaker_opened_total   times it opened
//
// Names of breakers must differ. Nil breakers are left out.
func Collector(breakers ...*Breaker) prometheus.Collector {
	labels := []string{"dependency"}
	return collector{
		breakers: slices.DeleteFunc(slices.Clone(breakers), func(b *Breaker) bool { return b == nil }),
		state: prometheus.NewDesc("ledger_breaker_state",
			"State of the circuit breaker of a dependency: 0 closed, 1 half-open, 2 open.", labels, nil),
		refused: prometheus.NewDesc("ledger_breaker_refused_total",
			"Calls that the circuit breaker of a dependency refused.", labels, nil),
		opened: prometheus.NewDesc("ledger_breaker_opened_total",
			"Times that the circuit breaker of a dependency opened.", labels, nil),
	}
}

type collector struct {
	breakers               []*Breaker
	state, refused, opened *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.state
	descs <- c.refused
	descs <- c.opened
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for _, b := range c.breakers {
		metrics <- prometheus.MustNewConstMetric(c.state, prometheus.GaugeValue, float64(b.State()), b.name)
		metrics <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(b.refused.Load()), b.name)
		metrics <- prometheus.MustNewConstMetric(c.opened, prometheus.CounterValue, float64(b.opened.Load()), b.name)
	}
}
