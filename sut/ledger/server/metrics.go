package server

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Collector returns the metrics of the health:
//
//	ledger_ready                                  1 while the instance is ready
//	ledger_dependency_up                          1 if the last check went well
//	ledger_dependency_checked_timestamp_seconds   Unix time of the last check
//	ledger_dependency_check_failures_total        checks that failed
func (h *Health) Collector() prometheus.Collector {
	labels := []string{"dependency"}
	return collector{
		health: h,
		ready:  prometheus.NewDesc("ledger_ready", "Whether the instance is ready.", nil, nil),
		up:     prometheus.NewDesc("ledger_dependency_up", "Whether the last check of a dependency went well.", labels, nil),
		checked: prometheus.NewDesc("ledger_dependency_checked_timestamp_seconds",
			"Unix time of the last check of a dependency.", labels, nil),
		failures: prometheus.NewDesc("ledger_dependency_check_failures_total",
			"Checks of a dependency that failed.", labels, nil),
	}
}

type collector struct {
	health                       *Health
	ready, up, checked, failures *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.ready
	descs <- c.up
	descs <- c.checked
	descs <- c.failures
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	draining, missing := c.health.missing(nil)
	metrics <- prometheus.MustNewConstMetric(c.ready, prometheus.GaugeValue, oneIf(!draining && len(missing) == 0))
	c.health.mu.Lock()
	defer c.health.mu.Unlock()
	for _, d := range c.health.deps {
		metrics <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, oneIf(d.state == up), d.Name)
		metrics <- prometheus.MustNewConstMetric(c.failures, prometheus.CounterValue, float64(d.failures), d.Name)
		if !d.checked.IsZero() {
			metrics <- prometheus.MustNewConstMetric(c.checked, prometheus.GaugeValue,
				float64(d.checked.UnixMilli())/1000, d.Name)
		}
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
