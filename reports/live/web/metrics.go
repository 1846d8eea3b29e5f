package web

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/openmetrics"
)

// MetricsPort is where metrics are to be had unless another is asked for: the
// usual one of exporters for Prometheus.
const MetricsPort = "9464"

// metricsType is the format that is answered with.
const metricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// Metrics answers scrapes on this machine with the numbers of the run under
// way, under the same names as the file after it; between two runs with those
// of the last one.
type Metrics struct {
	http   *http.Server
	host   string
	served chan struct{}
	feed   atomic.Pointer[Feed]
	last   atomic.Pointer[reports.Result]
}

// OpenMetrics begins to listen on an address as [Listen] takes it.
func OpenMetrics(address string) (*Metrics, error) {
	l, err := Listen(address)
	if err != nil {
		return nil, fmt.Errorf("open metrics: %w", err)
	}
	return newMetrics(l), nil
}

func newMetrics(l net.Listener) *Metrics {
	m := &Metrics{host: l.Addr().String(), served: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", m.scrape)
	m.http = &http.Server{Handler: local(m.host, mux), ReadTimeout: writeTimeout, WriteTimeout: writeTimeout, IdleTimeout: time.Minute}
	go func() {
		defer close(m.served)
		_ = m.http.Serve(l) // ends with Close
	}()
	return m
}

// URL is where the metrics are.
func (m *Metrics) URL() string { return "http://" + m.host + "/metrics" }

// Begin answers with the numbers of a run from now on.
func (m *Metrics) Begin(f *Feed) { m.feed.Store(f) }

// Finish answers with a final result from now on.
func (m *Metrics) Finish(r *reports.Result) {
	m.last.Store(r)
	m.feed.Store(nil)
}

func (m *Metrics) scrape(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), writeTimeout/2)
	defer cancel()
	result := m.last.Load()
	if f := m.feed.Load(); f != nil {
		if now := f.Result(ctx); now != nil {
			result = now
		}
	}
	if result == nil {
		http.Error(w, "no run has begun", http.StatusServiceUnavailable)
		return
	}
	var b bytes.Buffer
	if err := openmetrics.Write(&b, result); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", metricsType)
	_, _ = w.Write(b.Bytes()) // a scraper that is gone
}

// Close stops to listen, whoever is connected.
func (m *Metrics) Close() {
	_ = m.http.Close() // there is nothing to be lost
	<-m.served
}
